"""Who may call, and for what."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from tests.api.client import TICKETS, Caller, a_ticket, row_counts
from tests.factories import api_key, person
from tickets.models import ApiKey, Scope, Ticket

pytestmark = pytest.mark.django_db
NEEDED = [
    ("POST", TICKETS, Scope.TICKETS_WRITE),
    ("POST", f"{TICKETS}bulk/", Scope.TICKETS_WRITE),
    ("GET", f"{TICKETS}1/", Scope.TICKETS_READ),
    ("POST", f"{TICKETS}1/messages/", Scope.TICKETS_WRITE),
    ("POST", f"{TICKETS}1/override/", Scope.TICKETS_DECIDE),
    ("POST", f"{TICKETS}1/confirm/", Scope.TICKETS_DECIDE),
    ("POST", f"{TICKETS}1/undo/", Scope.TICKETS_DECIDE),
    ("GET", "/api/v1/decisions/", Scope.DECISIONS_READ),
    ("GET", "/api/v1/decisions/export/", Scope.DECISIONS_READ),
    ("GET", "/api/v1/policies/", Scope.DECISIONS_READ),
    ("POST", "/api/v1/policies/", Scope.POLICIES_WRITE),
    ("POST", "/api/v1/policies/1/activate/", Scope.POLICIES_WRITE),
]


def call(caller: Caller, method: str, path: str) -> int:
    answer = caller.get(path) if method == "GET" else caller.post(path, {})
    return int(answer.status_code)


@pytest.mark.parametrize(("method", "path", "scope"), NEEDED)
def test_each_address_needs_its_scope(method: str, path: str, scope: Scope) -> None:
    others = [other for other in Scope if other != scope]
    before = row_counts()["tickets_entry"]
    assert call(Caller(*others), method, path) == 403
    assert row_counts()["tickets_entry"] == before
    assert call(Caller(scope), method, path) not in (401, 403)


@pytest.mark.parametrize(("method", "path", "scope"), NEEDED)
def test_without_a_key_nothing_is_told(method: str, path: str, scope: Scope) -> None:
    answer = Client().generic(method, path, b"{}", content_type="application/json")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer a b", "Bearer tri_wrong", "Bearer \xff", "bearer x"])
def test_a_key_that_is_none_is_refused(header: str) -> None:
    answer = Client().get(f"{TICKETS}1/", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["detail"]


def test_an_expired_key_is_refused_and_told_so() -> None:
    answer = Caller(secret=api_key(days=-1)).get(f"{TICKETS}1/")
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


def test_a_revoked_key_is_refused() -> None:
    caller = Caller()
    ApiKey.objects.update(revoked_at=timezone.now())
    assert caller.get(f"{TICKETS}1/").status_code == 401


def test_a_key_with_one_character_changed_is_refused() -> None:
    secret = api_key()
    changed = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    assert Caller(secret=changed).get(f"{TICKETS}1/").status_code == 401


def test_the_session_of_a_person_opens_no_api() -> None:
    client = Client()
    client.force_login(person("admin"), backend="tickets.web.authentication.PeopleBackend")
    assert client.post(TICKETS, a_ticket(), content_type="application/json").status_code == 401
    assert not Ticket.objects.exists()


def test_the_secret_is_kept_nowhere() -> None:
    secret = api_key()
    row = ApiKey.objects.values().get()
    assert not any(secret[12:] in str(value) for value in row.values())
    assert len(secret) >= 43
