"""A person's word about a ticket, which is last.

seen: the number of the latest decision that the person knew of; None where nobody says.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction

from tickets.flow import review
from tickets.flow.record import record
from tickets.flow.settle import held_ticket, latest_inputs, point_at_decisions
from tickets.models import ActivePolicy, Entry, Kind, Label, Queue, Ticket
from tickets.models.clock import database_now
from tickets.models.label import Origin as LabelOrigin
from tickets.pipeline.acting import Actor
from tickets.pipeline.shipping import ship_on_commit

log = structlog.get_logger(__name__)


def override(ticket_id: int, queue: Queue, by: Actor, reason: str, seen: int | None = None) -> Entry:
    """A person moves a ticket to the other queue. Raises ReviewRefused, Ticket.DoesNotExist."""
    with transaction.atomic():
        ticket, now = held_ticket(ticket_id), database_now()
        review.refuse_unseen(ticket, seen)
        previous = ticket.queue
        kind = review.override(ticket, queue, now)
        entry = _record_review(ticket, kind, by, reason, previous)
        _label(ticket, LabelOrigin.OVERRIDE, by, entry, now)
    return entry


def confirm(ticket_id: int, by: Actor, reason: str = "", seen: int | None = None) -> Entry:
    """A person says the queue is right. Raises ReviewRefused, Ticket.DoesNotExist."""
    with transaction.atomic():
        ticket, now = held_ticket(ticket_id), database_now()
        review.refuse_unseen(ticket, seen)
        kind = review.confirm(ticket)
        entry = _record_review(ticket, kind, by, reason, ticket.queue)
        _label(ticket, LabelOrigin.CONFIRMATION, by, entry, now)
    return entry


def undo(ticket_id: int, by: Actor, seen: int | None = None) -> Entry:
    """Takes back the last word of a person; its label is revoked. Raises ReviewRefused, Ticket.DoesNotExist."""
    with transaction.atomic():
        ticket, now = held_ticket(ticket_id), database_now()
        review.refuse_unseen(ticket, seen)
        previous = ticket.queue
        kind, undone = review.undo(ticket, now)
        entry = _record_review(ticket, kind, by, "", previous, undoes=undone.seq)
        Label.objects.filter(seq=undone.seq).update(revoked_at=now)
    return entry


def _record_review(ticket: Ticket, kind: Kind, by: Actor, reason: str, previous: str, undoes: int = 0) -> Entry:
    policy = ActivePolicy.locked()
    text = latest_inputs({ticket.pk: ticket})[ticket.pk]
    entry = record([review.draft(ticket, text, policy, kind, by.name, reason, previous, undoes)])[0]
    point_at_decisions([ticket], [entry])
    ship_on_commit()
    log.info("reviewed", ticket=ticket.pk, seq=entry.seq, kind=kind.value, queue=ticket.queue, actor=by.name)
    return entry


def _label(ticket: Ticket, origin: LabelOrigin, by: Actor, entry: Entry, now: datetime) -> None:
    Label.objects.create(
        ticket=ticket,
        input_version=ticket.input_version,
        queue=ticket.queue,
        origin=origin,
        user=by.user,
        seq=entry.seq,
        at=now,
    )
