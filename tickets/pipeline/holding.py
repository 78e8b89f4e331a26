"""Legal holds: what must stay, by whose word and why."""

from __future__ import annotations

from django.db import transaction

from tickets.audit import holds
from tickets.flow import erase as erasing
from tickets.flow.record import Draft, record
from tickets.models import Entry, Kind, LegalHold, LogHead, Requester, Ticket
from tickets.models.clock import moment
from tickets.pipeline.acting import Actor


class HoldRefused(Exception):
    """It is held already, or not held; says since when."""


def hold(subject: str, by: Actor, reason: str) -> Entry:
    """From now on it is neither erased nor archived. Raises UnknownSubject, HoldRefused, ReasonNamesPerson."""
    with transaction.atomic():
        _lock(subject)
        if person := holds.person_of(subject):
            erasing.refuse_to_name(person, reason)
        if known := holds.held().filter(subject=subject).first():
            raise HoldRefused(f"{subject} is held since entry {known.seq}, {known.since:%Y-%m-%d}.")
        entry = record([Draft(Kind.HELD, subject, by.name, {}, reason)])[0]
        LegalHold.objects.create(subject=subject, since=moment(entry.at), seq=entry.seq)
    return entry


def release(subject: str, by: Actor, reason: str) -> Entry:
    """Raises HoldRefused, ReasonNamesPerson, UnknownSubject."""
    with transaction.atomic():
        _lock(subject)
        if person := holds.person_of(subject):
            erasing.refuse_to_name(person, reason)
        known = holds.held().filter(subject=subject).first()
        if known is None:
            raise HoldRefused(f"{subject} is not held.")
        entry = record([Draft(Kind.RELEASED, subject, by.name, {"held": known.seq}, reason)])[0]
        holds.held().filter(pk=known.pk).update(released_at=moment(entry.at), released_seq=entry.seq)
    return entry


def _lock(subject: str) -> None:
    """What is held first and the head of the log last, so that neither erasing nor archiving it is under way."""
    noun, _, number = subject.partition(":")
    if noun == "ticket":
        list(Ticket.objects.select_for_update(of=("self",)).filter(pk=number).values_list("pk"))
    if noun == "person":
        list(Requester.objects.select_for_update().filter(pk=number).values_list("pk"))
    LogHead.objects.select_for_update().get(pk=1)
