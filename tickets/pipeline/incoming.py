"""What comes in: tickets and what their requesters say later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import Error, IntegrityError, transaction

from tickets import wake
from tickets.flow.idempotency import Once, answered_before, remember
from tickets.flow.ingest import Accepted, NewTicket, add_input, ingest
from tickets.flow.settle import held_ticket
from tickets.models import Author, Message
from tickets.models.clock import database_now

_CONFLICTING_SUBMISSIONS_RETRIED = 3
_DEADLOCK = "40P01"


def submit(submissions: Sequence[NewTicket]) -> list[Accepted]:
    """Stores tickets, each once for its source and external id, and has them scored. All or none are stored."""

    def store(now: datetime) -> list[Accepted]:
        return ingest(submissions, now)

    return _store(store)


def submit_once(submission: NewTicket, once: Once) -> Accepted:
    """`submit` for one ticket with an Idempotency-Key. Raises IdempotencyConflict."""

    def store(now: datetime) -> list[Accepted]:
        if ticket := answered_before(once, now):
            return [Accepted(ticket, created=False)]
        accepted = ingest([submission], now)
        remember(once, accepted[0].ticket, now)
        return accepted

    return _store(store)[0]


def add_message(ticket_id: int, body: str, once: Once | None = None) -> Accepted:
    """A new message of the requester: a new version of the text, which is scored anew.

    Raises Ticket.DoesNotExist, TicketFull, IdempotencyConflict.
    """

    def store(now: datetime) -> list[Accepted]:
        ticket = held_ticket(ticket_id)
        if once and answered_before(once, now):
            return [Accepted(ticket, created=False)]
        Message.objects.create(ticket=ticket, author=Author.REQUESTER, body=body, at=now)
        add_input(ticket, now)
        if once:
            remember(once, ticket, now)
        return [Accepted(ticket, created=True)]

    return _store(store)[0]


def _store(store: Callable[[datetime], list[Accepted]]) -> list[Accepted]:
    """Runs `store` in a transaction; when another process stored the same at the same moment, again: it finds it."""
    for left in reversed(range(_CONFLICTING_SUBMISSIONS_RETRIED)):
        try:
            with transaction.atomic():
                accepted = store(database_now())
                wake.on_commit(wake.SCORE)
                return accepted
        except Error as error:
            if not left or not _is_conflict(error):
                raise
    raise AssertionError("unreachable")


def _is_conflict(error: Error) -> bool:
    """Two processes stored the same ticket at once: one found the other's row, or PostgreSQL ended their deadlock."""
    return isinstance(error, IntegrityError) or getattr(error.__cause__, "pgcode", None) == _DEADLOCK
