"""`manage.py api_key`: a key, printed alone and once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.api.client import TICKETS, Caller, a_ticket, row_counts
from tests.commands.running import output_of
from tickets.models import ApiKey, Entry, Kind, Ticket

pytestmark = pytest.mark.django_db


def test_it_prints_the_key_alone_and_the_log_knows_of_it() -> None:
    secret = output_of("api_key", "shop", "--scope", "tickets:write").removesuffix("\n")
    assert not set(secret) & {" ", "\n"}
    key, entry = ApiKey.objects.get(), Entry.objects.get(kind=Kind.KEY_CREATED)
    assert key.digest == ApiKey.digest_of(secret)
    assert (entry.subject, entry.actor) == (f"key:{key.pk}", "command")
    assert b'"days":365,' in bytes(entry.body)
    assert b'"name":"shop"' in bytes(entry.body)
    assert b'"scopes":["tickets:write"]' in bytes(entry.body)
    assert secret not in bytes(entry.body).decode()


def test_the_number_to_revoke_it_by_goes_beside_the_secret(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("api_key", "shop", "--scope", "tickets:write")
    out, err = capsys.readouterr()
    assert out.startswith("tri_")
    assert err == f"key {ApiKey.objects.get().pk}\n"


def test_the_key_opens_what_its_scopes_say_and_nothing_else() -> None:
    caller = Caller(secret=output_of("api_key", "shop", "--scope", "tickets:write").strip())
    assert caller.post(TICKETS, a_ticket()).status_code == 202
    assert caller.get(f"{TICKETS}{Ticket.objects.get().pk}/").status_code == 403


def test_scopes_can_be_repeated_and_named_twice() -> None:
    scopes = ("tickets:write", "tickets:read", "tickets:write")
    call_command("api_key", "shop", *(word for scope in scopes for word in ("--scope", scope)))
    assert ApiKey.objects.get().scopes == ["tickets:read", "tickets:write"]


def test_it_expires_after_the_days_that_are_given() -> None:
    before = timezone.now()
    secret = output_of("api_key", "shop", "--scope", "tickets:read", "--days", "30").strip()
    key = ApiKey.objects.get()
    assert before <= key.expires_at - timedelta(days=30) <= timezone.now()
    ApiKey.objects.update(expires_at=key.expires_at - timedelta(days=30))
    assert "expired" in Caller(secret=secret).get(f"{TICKETS}1/").json()["detail"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["x"], "--scope"),
        (["x", "--scope", "everything"], "everything"),
        (["x", "--scope", "tickets:read", "--days", "0"], "--days must be 1 to 3,650"),
        (["x", "--scope", "tickets:read", "--days", "999999999999"], "--days must be 1 to 3,650"),
        (["", "--scope", "tickets:read"], "The name must be 1 to 100 characters"),
        (["x" * 101, "--scope", "tickets:read"], "The name must be 1 to 100 characters"),
        (["two\nlines", "--scope", "tickets:read"], "on one line"),
        (["not utf-8: \udcff", "--scope", "tickets:read"], "on one line"),
    ],
)
def test_a_key_that_cannot_be_made_says_why_and_leaves_nothing(arguments: list[str], says: str) -> None:
    before = row_counts()
    with pytest.raises(CommandError, match=says):
        call_command("api_key", *arguments)
    assert row_counts() == before
