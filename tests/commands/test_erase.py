"""`manage.py erase`: shows what there is of a person, asks, erases, and prints the certificate."""

from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command

from tests.api.client import row_counts
from tests.commands.running import output_of
from tests.factories import acting, person, scored, submitted
from tickets import pipeline
from tickets.audit.verify import verify
from tickets.models import Entry, Kind, Queue, Reason, Requester, Ticket

pytestmark = pytest.mark.django_db
EMAIL = "lea@zirkon.example"
WHY = ("--reason", "Asked for by letter")


@contextmanager
def terminal(typed: str) -> Iterator[None]:
    """Standard input is a terminal at which somebody types a line."""
    keyboard, screen = pty.openpty()
    os.write(keyboard, f"{typed}\n".encode())
    with os.fdopen(screen) as stdin, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", stdin)
        yield
    os.close(keyboard)


@pytest.fixture
def lea() -> Ticket:
    ticket = scored("Quastenflosser", email=EMAIL, name="Lea Zirkon", subject="Xylophon")
    pipeline.override(ticket.pk, Queue(ticket.queue).other, acting(person("agent")), "Yttrium")
    submitted("Rhododendron", email=EMAIL)
    return ticket


def test_it_shows_counts_and_no_content_and_prints_the_certificate(lea: Ticket) -> None:
    printed = output_of("erase", EMAIL, *WHY, "--yes")
    found, erased, certificate = printed.splitlines()
    entry = Entry.objects.get(kind=Kind.ERASED)
    assert found == f"{entry.subject.replace('person:', 'Person ')}: {erased.removeprefix('Erased: ')}"
    for counted in ("tickets 2", "messages 2", "inputs 2", "reasons 1", "labels 1", "waiting 1"):
        assert counted in erased
    assert certificate == f"Certificate: entry {entry.seq}, {entry.hash}"
    for word in ("zirkon", "quastenflosser", "xylophon", "yttrium", "rhododendron"):
        assert word not in printed.lower()


def test_the_log_says_who_and_why_and_verifies(lea: Ticket) -> None:
    output_of("erase", EMAIL.upper(), *WHY, "--yes")
    entry = Entry.objects.get(kind=Kind.ERASED)
    assert (entry.actor, Reason.objects.get(pk=entry.seq).text) == ("command", "Asked for by letter")
    assert verify().fault is None
    assert not Requester.objects.filter(email=EMAIL).exists()


def test_on_a_terminal_yes_erases(lea: Ticket) -> None:
    with terminal("yes"):
        assert "Type yes: " in output_of("erase", EMAIL, *WHY)
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("typed", ["", "no", "y", EMAIL])
def test_on_a_terminal_anything_but_yes_erases_nothing(lea: Ticket, typed: str) -> None:
    before = row_counts()
    with terminal(typed), pytest.raises(CommandError, match="Nothing was erased"):
        call_command("erase", EMAIL, *WHY)
    assert row_counts() == before


def test_without_a_terminal_not_even_a_piped_yes_erases(lea: Ticket, monkeypatch: pytest.MonkeyPatch) -> None:
    before = row_counts()
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    with pytest.raises(CommandError, match="on a terminal, or add --yes"):
        call_command("erase", EMAIL, *WHY)
    assert row_counts() == before


def test_run_again_it_says_that_nothing_is_left(lea: Ticket) -> None:
    output_of("erase", EMAIL, *WHY, "--yes")
    before = row_counts()
    with pytest.raises(CommandError, match=f"'{EMAIL}'.*nothing is left"):
        call_command("erase", EMAIL, *WHY, "--yes")
    assert row_counts() == before


def test_an_address_that_nobody_has_is_named() -> None:
    with pytest.raises(CommandError, match=r"Nobody here has the address 'nobody@example\.com'"):
        call_command("erase", "nobody@example.com", *WHY, "--yes")


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("", "may not be blank"),
        ("x" * 501, "500 characters"),
        (f"{EMAIL} asked", "names the person"),
        ("Lea Zirkon asked", "names the person"),
    ],
)
def test_a_reason_that_may_not_be_kept_erases_nothing(lea: Ticket, reason: str, says: str) -> None:
    before = row_counts()
    with pytest.raises(CommandError, match=says):
        call_command("erase", EMAIL, reason=reason, yes=True)
    assert row_counts() == before


def test_a_reason_must_be_given() -> None:
    with pytest.raises(CommandError, match="--reason"):
        call_command("erase", EMAIL, "--yes")


def test_a_person_who_sent_nothing_is_erased_as_well() -> None:
    Requester.objects.create(email=EMAIL)
    assert "Erased: no ticket." in output_of("erase", EMAIL, *WHY, "--yes")
    assert not Requester.objects.exists()
