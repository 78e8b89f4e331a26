"""Who may call, and for what."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from tests.api.client import BULK, TICKETS, Caller, a_ticket, row_counts
from tests.factories import api_key, fallen_back, person
from tickets.models import ApiKey, Entry, Queue, Scope

pytestmark = pytest.mark.django_db
NEEDED = [
    ("POST", TICKETS, Scope.TICKETS_WRITE),
    ("POST", BULK, Scope.TICKETS_WRITE),
    ("GET", f"{TICKETS}1/", Scope.TICKETS_READ),
    ("POST", f"{TICKETS}1/messages/", Scope.TICKETS_WRITE),
    ("POST", f"{TICKETS}1/override/", Scope.TICKETS_DECIDE),
    ("POST", f"{TICKETS}1/confirm/", Scope.TICKETS_DECIDE),
    ("POST", f"{TICKETS}1/undo/", Scope.TICKETS_DECIDE),
    ("POST", f"{TICKETS}1/explain/", Scope.TICKETS_DECIDE),
    ("GET", "/api/v1/decisions/", Scope.DECISIONS_READ),
    ("GET", "/api/v1/decisions/export/", Scope.DECISIONS_READ),
    ("GET", "/api/v1/policies/", Scope.DECISIONS_READ),
    ("GET", "/api/v1/policies/1/", Scope.DECISIONS_READ),
    ("POST", "/api/v1/policies/", Scope.POLICIES_WRITE),
    ("POST", "/api/v1/policies/1/activate/", Scope.POLICIES_WRITE),
]
EVERYTHING = pytest.mark.parametrize(("method", "path", "scope"), NEEDED)


def call(caller: Caller, method: str, path: str) -> int:
    answer = caller.get(path) if method == "GET" else caller.post(path, {})
    return int(answer.status_code)


def test_every_address_of_the_schema_is_tried_below() -> None:
    paths = SchemaGenerator().get_schema(public=True)["paths"]
    known = {(method.upper(), re.sub(r"{\w+}", "1", path)) for path, item in paths.items() for method in item}
    assert known == {(method, path) for method, path, _ in NEEDED}


@EVERYTHING
def test_each_address_needs_its_scope(method: str, path: str, scope: Scope) -> None:
    others = [other for other in Scope if other != scope]
    lacking, holding = Caller(*others), Caller(scope)
    before = row_counts()
    answer = lacking.get(path) if method == "GET" else lacking.post(path, a_ticket())
    assert answer.status_code == 403
    assert scope in answer.json()["detail"]
    assert row_counts() == before
    assert call(holding, method, path) not in (401, 403)


@pytest.mark.parametrize("path", [path for method, path, _ in NEEDED if method == "GET"])
def test_what_a_key_may_not_get_it_may_not_ask_the_head_of(path: str) -> None:
    fallen_back(1)
    caller = Caller(Scope.TICKETS_WRITE)
    before = row_counts()
    assert caller.head(path).status_code == 403
    assert row_counts() == before


@EVERYTHING
def test_without_a_key_nothing_is_told(method: str, path: str, scope: Scope) -> None:
    before = row_counts()
    answer = Client().generic(method, path, b"{}", content_type="application/json")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert row_counts() == before


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer tri_wrong",
        "Bearer \xff",
        "bearer x",
        "Basic dHJpOng=",
        "Token x",
        "",
        "Bearer " + "x" * 5_000,
        "Bearer tri_\0",
    ],
)
def test_a_key_that_is_none_is_refused(header: str) -> None:
    answer = Client().get(f"{TICKETS}1/", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["detail"]


def test_a_bare_secret_without_its_scheme_is_refused() -> None:
    assert Client().get(f"{TICKETS}1/", headers={"Authorization": api_key()}).status_code == 401


def test_an_expired_key_is_refused_and_told_so() -> None:
    caller = Caller(secret=api_key(days=-1))
    before = row_counts()
    answer = caller.post(TICKETS, a_ticket())
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]
    assert row_counts() == before


def test_a_revoked_key_is_refused() -> None:
    caller = Caller()
    ApiKey.objects.update(revoked_at=timezone.now())
    before = row_counts()
    assert caller.post(TICKETS, a_ticket()).status_code == 401
    assert row_counts() == before


@pytest.mark.parametrize("place", [4, 8, 12, 30, -1])
def test_a_key_with_one_character_changed_is_refused(place: int) -> None:
    letters = list(api_key())
    letters[place] = "a" if letters[place] != "a" else "b"
    assert Caller(secret="".join(letters)).get(f"{TICKETS}1/").status_code == 401


def test_two_keys_that_begin_alike_are_told_apart() -> None:
    first, second = Caller(Scope.TICKETS_WRITE), Caller(Scope.TICKETS_READ)
    ApiKey.objects.filter(pk=second.key.pk).update(prefix=first.key.prefix)
    shared = first.secret[:12] + second.secret[12:]
    ApiKey.objects.filter(pk=second.key.pk).update(digest=ApiKey.digest_of(shared))
    assert first.post(TICKETS, a_ticket()).status_code == 202
    assert Caller(secret=shared).post(TICKETS, a_ticket()).status_code == 403


class TestBrowser:
    """A person's session is for pages alone; a key needs no token against forged requests."""

    @pytest.fixture
    def browser(self) -> Client:
        client = Client(enforce_csrf_checks=True)
        client.force_login(person("admin"), backend="tickets.web.authentication.PeopleBackend")
        return client

    @EVERYTHING
    def test_a_session_opens_no_api(self, browser: Client, method: str, path: str, scope: Scope) -> None:
        before = row_counts()
        assert browser.generic(method, path, b"{}", content_type="application/json").status_code == 401
        assert row_counts() == before

    @EVERYTHING
    def test_a_session_adds_nothing_to_a_key(self, browser: Client, method: str, path: str, scope: Scope) -> None:
        secret = api_key([other for other in Scope if other != scope])
        headers = {"Authorization": f"Bearer {secret}"}
        assert browser.generic(method, path, b"{}", "application/json", headers=headers).status_code == 403

    def test_a_key_needs_no_token(self, browser: Client) -> None:
        headers = {"Authorization": f"Bearer {api_key()}"}
        for client in (Client(enforce_csrf_checks=True), browser):
            answer = client.post(TICKETS, a_ticket(), content_type="application/json", headers=headers)
            assert answer.status_code == 202
            assert not answer.cookies


def everything_stored() -> str:
    """Every value of every row of every table, as text."""
    with connection.cursor() as cursor:
        values: list[Any] = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            values += [bytes(value) if isinstance(value, memoryview) else value for row in cursor for value in row]
    return repr(values)


def test_a_secret_is_never_stored_never_queried_and_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caller = Caller()
    ticket = fallen_back(1)[0]
    wrong = caller.secret[:-1] + "."
    with caplog.at_level(logging.DEBUG), CaptureQueriesContext(connection) as queries:
        caller.post(TICKETS, a_ticket(), Idempotency_Key="once")
        caller.post(f"{TICKETS}{ticket.pk}/confirm/", {"reason": "x"})
        caller.post("/api/v1/policies/", {"reason": "x"})
        b"".join(caller.get("/api/v1/decisions/export/").streaming_content)
        caller.post(TICKETS, {})
        caller.get("/api/v1/none/")
        assert Caller(secret=wrong).get(TICKETS).status_code == 401
    told = everything_stored() + caplog.text + "".join(query["sql"] for query in queries.captured_queries)
    assert caller.key.digest in told
    assert caller.secret[12:-1] not in told


def test_a_secret_has_256_random_bits() -> None:
    secrets = {api_key() for _ in range(20)}
    assert len(secrets) == 20
    assert all(re.fullmatch(r"tri_[\w-]{43}", secret) for secret in secrets)


def test_the_key_is_the_actor_of_whatever_it_does() -> None:
    caller, other = Caller(), Caller()
    ticket = fallen_back(1)[0]
    before = Entry.objects.latest("seq").seq
    wish = {"queue": Queue(ticket.queue).other.value, "reason": "x"}
    caller.post(f"{TICKETS}{ticket.pk}/override/", wish)
    caller.post(f"{TICKETS}{ticket.pk}/confirm/", {})
    caller.post(f"{TICKETS}{ticket.pk}/undo/", {})
    caller.post("/api/v1/policies/", {"reason": "x"})
    caller.post("/api/v1/policies/2/activate/", {"reason": "x"})
    caller.get("/api/v1/decisions/export/")
    done = Entry.objects.filter(seq__gt=before)
    assert done.count() == 6
    assert set(done.values_list("actor", flat=True)) == {f"key:{caller.key.pk}"} != {f"key:{other.key.pk}"}
