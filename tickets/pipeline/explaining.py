"""Which sentences moved a score: asked for, and answered when nothing waits for one."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from django.db import transaction
from django.db.models import F

from scoring.types import Evidence, Model, Unavailable
from tickets import wake
from tickets.flow import explaining, review
from tickets.flow.explaining import Asked
from tickets.flow.record import record
from tickets.flow.settle import held_ticket, held_tickets
from tickets.models import ActivePolicy, Decision, Job, JobState
from tickets.models.clock import database_now
from tickets.pipeline.acting import Actor
from tickets.pipeline.carrying import problem
from tickets.pipeline.shipping import ship_on_commit

log = structlog.get_logger(__name__)


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
    if problem(ActivePolicy.current(), model) or not explaining.waiting(database_now()).exists():
        return False
    with transaction.atomic():
        held = explaining.claim(database_now())
    if held is None:
        return False
    try:
        asked = explaining.read(*held, model)
        found, milliseconds = explaining.explain(asked)
    except explaining.CannotExplain as error:
        _fail(*held, str(error))
    except Unavailable as error:
        Job.objects.filter(pk=held[0].pk, claim=held[1]).update(attempts=F("attempts") - 1, problem=str(error)[:500])
        return False
    except Exception as error:
        _try_again(*held, f"{type(error).__name__}: {error}")
    else:
        record_explanation(asked, found, milliseconds, f"worker:{worker}")
    return True


def record_explanation(asked: Asked, found: Sequence[Evidence], milliseconds: int, actor: str) -> None:
    with transaction.atomic():
        # A person who was erased meanwhile took ticket and job along.
        tickets = held_tickets([asked.text.ticket_id])
        done, _ = Job.objects.filter(pk=asked.job.pk, claim=asked.token).delete()
        if done:
            record([explaining.draft(tickets[asked.text.ticket_id], asked, found, milliseconds, actor)])
            ship_on_commit()


def _fail(job: Job, token: int, problem: str) -> None:
    Job.objects.filter(pk=job.pk, claim=token).update(
        state=JobState.FAILED, problem=problem[:500], finished_at=database_now()
    )
    log.warning("job_failed", kind=job.kind, subject=job.subject, error=problem[:500])


def _try_again(job: Job, token: int, problem: str) -> None:
    if job.attempts >= explaining.MOST_ATTEMPTS:
        _fail(job, token, problem)
    else:
        Job.objects.filter(pk=job.pk, claim=token).update(problem=problem[:500])
