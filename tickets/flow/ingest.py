"""Step 1: from what came in to tickets that wait for a score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from scoring.text import NORMALISER_VERSION, compose
from tickets.models import Author, Cause, Input, Lane, Message, Requester, Ticket, Waiting
from tickets.models.input import digest_of, fresh_nonce
from tickets.models.ticket import MESSAGES_MAX, TEXT_MAX


class TicketFull(Exception):
    """The ticket takes no more messages; says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """What a way in hands over, already validated. live: somebody waits for it now, so it gets a deadline."""

    subject: str
    body: str
    email: str
    name: str = ""
    region: str = ""
    locale: str = ""
    source: str
    external_id: str | None = None
    received_at: datetime | None = None
    live: bool = True

    @property
    def identity(self) -> tuple[str, str] | None:
        return (self.source, self.external_id) if self.external_id is not None else None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The ticket of what came in; created is False where that was known already."""

    ticket: Ticket
    created: bool


def ingest(submissions: Sequence[NewTicket], now: datetime) -> list[Accepted]:
    """Stores what is new and returns one ticket for each submission, in order.

    Raises IntegrityError when another process stores the same external id at the same moment: try again.
    """
    known = _known_tickets(submissions)
    fresh = _first_of_each(submission for submission in submissions if submission.identity not in known)
    created = _store(fresh, now)
    known |= {ticket_identity(ticket): ticket for ticket in created if ticket.external_id is not None}
    by_submission = {id(submission): ticket for submission, ticket in zip(fresh, created, strict=True)}
    return [
        Accepted(by_submission[id(submission)], created=True)
        if id(submission) in by_submission
        else Accepted(known[submission.identity], created=False)  # type: ignore[index]
        for submission in submissions
    ]


def add_input(ticket: Ticket, now: datetime) -> Input:
    """The next version of a ticket's text after a message of its requester; what waited for the old waits for it.

    Each version has all messages, so their number and length are bounded. Raises TicketFull.
    """
    bodies = ticket.messages.filter(author=Author.REQUESTER).values_list("body", flat=True)
    text = compose(ticket.subject, bodies)
    if len(bodies) > MESSAGES_MAX or len(text) > TEXT_MAX:
        raise TicketFull(
            f"A ticket holds at most {MESSAGES_MAX:,} messages of its requester and {TEXT_MAX:,} characters of text, "
            "and this one would have more: open a new ticket."
        )
    ticket.input_version += 1
    ticket.save(update_fields=["input_version"])
    version = _input(ticket, text)
    version.save(force_insert=True)
    Waiting.objects.update_or_create(
        ticket=ticket, defaults=_waiting_values(now, deadline=settings.DEADLINE) | _new_text(ticket)
    )
    return version


def ticket_identity(ticket: Ticket) -> tuple[str, str]:
    return (ticket.source, str(ticket.external_id))


def _known_tickets(submissions: Sequence[NewTicket]) -> dict[tuple[str, str], Ticket]:
    ids_by_source: dict[str, set[str]] = {}
    for submission in submissions:
        if submission.external_id is not None:
            ids_by_source.setdefault(submission.source, set()).add(submission.external_id)
    if not ids_by_source:
        return {}
    condition = Q()
    for source, external_ids in ids_by_source.items():
        condition |= Q(source=source, external_id__in=external_ids)
    return {ticket_identity(ticket): ticket for ticket in Ticket.objects.filter(condition)}


def _first_of_each(submissions: Iterable[NewTicket]) -> list[NewTicket]:
    seen: set[tuple[str, str]] = set()
    fresh = []
    for submission in submissions:
        if submission.identity is None or submission.identity not in seen:
            fresh.append(submission)
        if submission.identity is not None:
            seen.add(submission.identity)
    return fresh


def _store(submissions: Sequence[NewTicket], now: datetime) -> list[Ticket]:
    if not submissions:
        return []
    requesters = _requesters(submissions)
    tickets = Ticket.objects.bulk_create(
        Ticket(
            source=submission.source,
            external_id=submission.external_id,
            requester=requesters[submission.email.lower()],
            subject=submission.subject,
            received_at=submission.received_at or now,
            accepted_at=now,
        )
        for submission in submissions
    )
    pairs = list(zip(submissions, tickets, strict=True))
    Message.objects.bulk_create(
        Message(ticket=ticket, author=Author.REQUESTER, body=submission.body, at=ticket.received_at)
        for submission, ticket in pairs
    )
    Input.objects.bulk_create(
        _input(ticket, compose(ticket.subject, [submission.body])) for submission, ticket in pairs
    )
    Waiting.objects.bulk_create(_waiting(ticket, now, live=submission.live) for submission, ticket in pairs)
    return tickets


def _requesters(submissions: Sequence[NewTicket]) -> dict[str, Requester]:
    """By address. An address already known keeps its details: an open form must not rewrite them."""
    new = {
        submission.email.lower(): Requester(
            email=submission.email.lower(),
            name=submission.name,
            region=submission.region,
            locale=submission.locale,
        )
        for submission in submissions
    }
    known = {requester.email: requester for requester in Requester.objects.filter(email__in=new)}
    # In one order everywhere, so that two transactions never wait for each other.
    unknown = [new[email] for email in sorted(new.keys() - known.keys())]
    if not unknown:
        return known
    Requester.objects.bulk_create(unknown, ignore_conflicts=True)
    return known | {row.email: row for row in Requester.objects.filter(email__in=[row.email for row in unknown])}


def _input(ticket: Ticket, text: str) -> Input:
    nonce = fresh_nonce()
    return Input(
        ticket=ticket,
        version=ticket.input_version,
        text=text,
        nonce=nonce,
        digest=digest_of(nonce, text),
        normaliser=NORMALISER_VERSION,
    )


def _waiting(ticket: Ticket, now: datetime, *, live: bool) -> Waiting:
    values = _waiting_values(now, deadline=settings.DEADLINE if live else None)
    return Waiting(ticket=ticket, input_version=ticket.input_version, **values)


def _waiting_values(now: datetime, deadline: timedelta | None) -> dict[str, object]:
    return {
        "accepted_at": now,
        "available_at": now,
        "deadline_at": now + deadline if deadline else None,
        "lane": Lane.LIVE if deadline else Lane.IMPORT,
    }


def _new_text(ticket: Ticket) -> dict[str, object]:
    return {"input_version": ticket.input_version, "cause": Cause.MESSAGE, "claim": 0, "attempts": 0}
