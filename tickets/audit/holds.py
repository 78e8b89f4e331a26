"""What is under legal hold: kept although its time is over, or although its person asks to be erased."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.db.models import QuerySet

from tickets.flow.erase import NobodyStored, find
from tickets.models import Entry, LegalHold, Requester, Ticket

LOG = "log"
_SUBJECT = re.compile(r"(ticket|person):([1-9][0-9]{0,17})")


class UnknownSubject(ValueError):
    """It names nothing that can be held; says what can."""


def subject_of(written: str) -> str:
    """ "ticket:12", "person:3", "log"; of an e-mail address, which is stored nowhere, its person.

    Raises UnknownSubject.
    """
    if written == LOG or _SUBJECT.fullmatch(written):
        return written
    if "@" not in written:
        raise UnknownSubject(f"{written[:100]!r} cannot be held; write ticket:12, person:3, an e-mail address, or log.")
    try:
        return f"person:{find(written).pk}"
    except NobodyStored as error:
        raise UnknownSubject(str(error)) from error


def held() -> QuerySet[LegalHold]:
    """Holds that are not released, oldest first."""
    return LegalHold.objects.filter(released_at=None).order_by("seq")


def is_held(ticket: Ticket) -> bool:
    """Whether a hold keeps the ticket: its own, its person's or one of the whole log."""
    return held().filter(subject__in=[f"ticket:{ticket.pk}", f"person:{ticket.requester_id}", LOG]).exists()


def person_of(subject: str) -> Requester | None:
    """Whom a subject is about, if it is about somebody. Raises UnknownSubject for what is not stored."""
    if subject == LOG:
        return None
    noun, number = subject.split(":")
    whose = {"tickets__pk": number} if noun == "ticket" else {"pk": number}
    person = Requester.objects.filter(**whose).first()
    if person is None:
        raise UnknownSubject(f"There is no {subject}; perhaps it was erased.")
    return person


def earliest_entry() -> tuple[int, str] | None:
    """The first entry of the log that a hold keeps here, and which hold; None where none keeps any."""
    found = [
        (seq, subject)
        for subject in held().values_list("subject", flat=True)
        if (seq := _first_entry(subject)) is not None
    ]
    return min(found, default=None)


def _first_entry(subject: str) -> int | None:
    entries = Entry.objects.order_by("seq") if subject == LOG else Entry.objects.filter(subject__in=_about(subject))
    return entries.order_by("seq").values_list("seq", flat=True).first()


def _about(subject: str) -> Iterator[str]:
    """The subject, and of a person all their tickets."""
    yield subject
    noun, number = subject.split(":")
    if noun == "person":
        for ticket in Ticket.objects.filter(requester=int(number)).values_list("pk", flat=True):
            yield f"ticket:{ticket}"
