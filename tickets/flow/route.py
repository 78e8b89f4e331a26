"""Step 4: put a ticket into its queue."""

from __future__ import annotations

from datetime import datetime

from tickets.flow.decide import Verdict
from tickets.models import DecidedBy, Queue, Ticket

ROUTED_FIELDS = ["queue", "decided_by", "needs_check", "decision", "routed_at", "respond_by"]
"""What routing and recording change on a ticket."""


def route(ticket: Ticket, verdict: Verdict, by: DecidedBy, now: datetime) -> None:
    """The queue an automatic verdict asks for; where a person has decided, the ticket stays where it is."""
    if ticket.decided_by_person:
        return
    move(ticket, verdict.queue, now)
    ticket.decided_by = by
    ticket.needs_check = verdict.needs_check


def move(ticket: Ticket, queue: Queue, now: datetime) -> None:
    """Into `queue`, with the time by which its requester should hear from somebody, counted from acceptance."""
    if ticket.queue != queue:
        ticket.queue = queue
        ticket.routed_at = now
        ticket.respond_by = ticket.accepted_at + queue.first_response_within
