"""`manage.py revoke_key`: a key that opens nothing any more."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.api.client import TICKETS, Caller, a_ticket, row_counts
from tests.commands.running import output_of
from tickets.audit.verify import verify
from tickets.models import ApiKey, Entry, Kind
from tickets.models.clock import moment

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller() -> Caller:
    return Caller()


def refusal(written: str) -> str:
    """What it says; nothing may have changed."""
    before, keys = row_counts(), list(ApiKey.objects.values())
    with pytest.raises(CommandError) as refused:
        call_command("revoke_key", written)
    assert (row_counts(), list(ApiKey.objects.values())) == (before, keys)
    return str(refused.value)


@pytest.mark.parametrize("column", ["pk", "prefix"])
def test_a_revoked_key_opens_nothing_and_the_log_knows_of_it(caller: Caller, column: str) -> None:
    other = Caller()
    assert caller.post(TICKETS, a_ticket()).status_code == 202
    said = output_of("revoke_key", str(getattr(caller.key, column)))
    entry = Entry.objects.get(kind=Kind.KEY_REVOKED)
    assert said == f"Key {caller.key.pk} (test) is revoked: entry {entry.seq}\n"
    assert (entry.subject, entry.actor) == (f"key:{caller.key.pk}", "command")
    assert json.loads(bytes(entry.body))["name"] == "test"
    assert caller.key.revoked_at == moment(entry.at)
    assert caller.post(TICKETS, a_ticket()).status_code == 401
    assert other.post(TICKETS, a_ticket()).status_code == 202
    assert verify().fault is None


@pytest.mark.parametrize("written", ["0", "9" * 30, "shop", "", "\0"])
def test_a_key_that_is_not_there_is_answered_with_those_that_are(caller: Caller, written: str) -> None:
    gone = Caller()
    ApiKey.objects.filter(pk=gone.key.pk).update(revoked_at=timezone.now())
    said = refusal(written)
    assert "There is no key" in said
    assert f"{caller.key.pk} {caller.key.prefix} test" in said
    assert gone.key.prefix not in said


def test_without_any_key_it_says_so() -> None:
    assert refusal("1").endswith("none")


def test_keys_that_begin_alike_are_told_apart_by_their_numbers(caller: Caller) -> None:
    other = Caller()
    ApiKey.objects.filter(pk=other.key.pk).update(prefix=caller.key.prefix)
    said = refusal(caller.key.prefix)
    assert "More than one key" in said
    for key in (caller.key, other.key):
        assert f"{key.pk} {key.prefix} test" in said
    call_command("revoke_key", str(other.key.pk))
    assert (caller.key.revoked_at, other.key.revoked_at is None) == (None, False)


def test_a_key_is_revoked_once(caller: Caller) -> None:
    ApiKey.objects.update(revoked_at=timezone.now() - timedelta(days=3))
    since = caller.key.revoked_at
    assert f"is revoked since {since:%Y-%m-%d %H:%M} UTC" in refusal(str(caller.key.pk))
