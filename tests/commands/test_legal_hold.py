"""`manage.py legal_hold`: what is held is not erased, whoever asks, until it is released."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from tests.api.client import row_counts
from tests.commands.running import output_of
from tests.factories import scored
from tickets import pipeline
from tickets.audit.verify import verify
from tickets.flow.erase import Held
from tickets.models import Entry, Kind, LegalHold, Reason, Requester, Ticket

pytestmark = pytest.mark.django_db
EMAIL = "lea@zirkon.example"
WHY = ("--reason", "A court asks")
BY = pipeline.Actor("command")


@pytest.fixture
def lea() -> Ticket:
    return scored("Quastenflosser", email=EMAIL, name="Lea Zirkon")


@pytest.fixture
def number(lea: Ticket) -> int:
    return Requester.objects.get(email=EMAIL).pk


def refusal(*arguments: str) -> str:
    """What it says; nothing may have changed."""
    before = row_counts()
    with pytest.raises(CommandError) as refused:
        call_command(*arguments)
    assert row_counts() == before
    assert refused.value.returncode == 1
    return str(refused.value)


def test_holding_and_releasing_are_entries_with_their_reasons(number: int) -> None:
    assert output_of("legal_hold", "add", f"person:{number}", *WHY).startswith(f"person:{number} is held: entry ")
    output_of("legal_hold", "release", f"person:{number}", "--reason", "It is over")
    held, released = Entry.objects.filter(kind__in=(Kind.HELD, Kind.RELEASED)).order_by("seq")
    row = LegalHold.objects.get()
    assert (row.seq, row.released_seq, row.subject) == (held.seq, released.seq, held.subject)
    reasons = Reason.objects.filter(pk__in=(held.seq, released.seq)).order_by("pk")
    assert list(reasons.values_list("text", flat=True)) == ["A court asks", "It is over"]
    assert (held.actor, verify().fault) == ("command", None)


def test_an_address_holds_its_person_and_is_stored_nowhere(number: int) -> None:
    output_of("legal_hold", "add", EMAIL.upper(), *WHY)
    assert LegalHold.objects.get().subject == f"person:{number}"
    assert EMAIL not in bytes(Entry.objects.get(kind=Kind.HELD).body).decode().lower()
    assert EMAIL not in Reason.objects.get(seq=LegalHold.objects.get().seq).text.lower()


def test_the_list_has_what_is_held_and_why(lea: Ticket) -> None:
    assert output_of("legal_hold", "list") == "Nothing is held.\n"
    output_of("legal_hold", "add", f"ticket:{lea.pk}", *WHY)
    output_of("legal_hold", "add", "log", "--reason", "An audit")
    output_of("legal_hold", "release", "log", "--reason", "It is over")
    (line,) = output_of("legal_hold", "list").splitlines()
    assert line.startswith(f"ticket:{lea.pk} since ")
    assert line.endswith(": A court asks")


@pytest.mark.parametrize(
    "subject", ["ticket:0", "ticket:x", "ticket:-1", "queue:1", "", "ticket:" + "9" * 30, "LOG", "\0"]
)
def test_what_cannot_be_held_is_named(subject: str) -> None:
    assert "cannot be held; write ticket:12" in refusal("legal_hold", "add", subject, *WHY)


@pytest.mark.parametrize("subject", ["ticket:999999", "person:999999"])
def test_what_is_not_there_is_not_held(subject: str) -> None:
    assert f"There is no {subject}" in refusal("legal_hold", "add", subject, *WHY)


def test_an_address_that_nobody_has_is_named() -> None:
    assert "Nobody here has the address 'nobody@example.com'" in refusal(
        "legal_hold", "add", "nobody@example.com", *WHY
    )


def test_nothing_is_held_twice_or_released_unheld(lea: Ticket) -> None:
    subject = f"ticket:{lea.pk}"
    assert f"{subject} is not held" in refusal("legal_hold", "release", subject, *WHY)
    output_of("legal_hold", "add", subject, *WHY)
    assert f"{subject} is held since entry" in refusal("legal_hold", "add", subject, *WHY)
    output_of("legal_hold", "release", subject, *WHY)
    output_of("legal_hold", "add", subject, *WHY)
    assert LegalHold.objects.filter(subject=subject).count() == 2


@pytest.mark.parametrize("reason", [f"{EMAIL} is sued", "the case of Lea Zirkon"])
@pytest.mark.parametrize("held", ["ticket", "person"])
def test_a_reason_that_names_the_person_is_refused(lea: Ticket, number: int, held: str, reason: str) -> None:
    subject = f"ticket:{lea.pk}" if held == "ticket" else f"person:{number}"
    assert "names the person" in refusal("legal_hold", "add", subject, "--reason", reason)


@pytest.mark.parametrize("held", ["person", "ticket", "log"])
def test_what_is_held_is_not_erased_until_it_is_released(lea: Ticket, number: int, held: str) -> None:
    subject = {"person": f"person:{number}", "ticket": f"ticket:{lea.pk}", "log": "log"}[held]
    output_of("legal_hold", "add", subject, *WHY)
    said = refusal("erase", EMAIL, "--reason", "Asked for by letter", "--yes")
    assert f"a legal hold keeps {subject} since" in said
    assert f"manage.py legal_hold release {subject}" in said
    output_of("legal_hold", "release", subject, "--reason", "It is over")
    assert "Erased: " in output_of("erase", EMAIL, "--reason", "Asked for by letter", "--yes")


def test_the_pipeline_itself_refuses_whatever_a_command_has_looked_at_before(lea: Ticket) -> None:
    pipeline.hold(f"ticket:{lea.pk}", BY, "A court asks")
    before = row_counts()
    with pytest.raises(Held):
        pipeline.erase(EMAIL, BY, "Asked for by letter")
    assert row_counts() == before


def test_a_hold_of_somebody_else_keeps_nobody(lea: Ticket) -> None:
    other = scored("Rhododendron", email="bea@example.com")
    output_of("legal_hold", "add", f"ticket:{other.pk}", *WHY)
    output_of("legal_hold", "add", "bea@example.com", *WHY)
    assert "Erased: " in output_of("erase", EMAIL, "--reason", "Asked for by letter", "--yes")
