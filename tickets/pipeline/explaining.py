"""Which sentences moved a score: asked for, and answered when nothing waits for one."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from scoring.types import Evidence, Model, Unavailable
from tickets import wake
from tickets.flow import explaining, jobs, review
from tickets.flow.explaining import Asked
from tickets.flow.record import record
from tickets.flow.settle import held_ticket, held_tickets
from tickets.models import Decision, JobKind
from tickets.models.clock import database_now
from tickets.pipeline.acting import Actor
from tickets.pipeline.idle import take
from tickets.pipeline.shipping import ship_on_commit


def ask_for_explanation(ticket_id: int, by: Actor) -> Decision:
    """Wants to know which sentences moved the latest score. Raises ReviewRefused, Ticket.DoesNotExist."""
    with transaction.atomic():
        ticket = held_ticket(ticket_id)
        scored = review.explainable(ticket)
        explaining.ask([scored.seq], by.name, database_now())
        wake.on_commit(wake.SCORE)
    return scored


def explain_one(worker: str, model: Model) -> bool:
    """Explains one decision that was asked about; False when there is none. Only when nothing waits for a score."""
    held = take(JobKind.EXPLAIN, model)
    if held is None:
        return False
    try:
        asked = explaining.read(*held, model)
        found, milliseconds = explaining.explain(asked)
    except explaining.CannotExplain as error:
        jobs.fail(held, str(error), database_now())
    except Unavailable:
        jobs.hand_back(held, database_now())
        return False
    except Exception as error:
        jobs.try_again(held, f"{type(error).__name__}: {error}", database_now())
    else:
        record_explanation(asked, found, milliseconds, f"worker:{worker}")
    return True


def record_explanation(asked: Asked, found: Sequence[Evidence], milliseconds: int, actor: str) -> None:
    with transaction.atomic():
        # A person who was erased meanwhile took ticket and job along.
        tickets = held_tickets([asked.text.ticket_id])
        if jobs.finish(asked.held):
            record([explaining.draft(tickets[asked.text.ticket_id], asked, found, milliseconds, actor)])
            ship_on_commit()
