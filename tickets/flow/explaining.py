"""After a decision: which sentences moved its margin, asked of the model again and told in an entry of its own.

A ticket is never kept waiting for it: a worker explains when nothing waits for a score.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from scoring.evidence import left_out
from scoring.types import Evidence, Model, Request, Score
from tickets.flow.decide import MILLION, millionths
from tickets.flow.origin import about
from tickets.flow.record import Draft
from tickets.flow.score import scorer
from tickets.models import Decision, Input, Job, JobKind, JobState, Kind, Policy, Ticket
from tickets.models.entry import bodies

MOST_ATTEMPTS = 3


class CannotExplain(Exception):
    """What the decision came from is not here any more; says what."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A decision to explain. token: what must still be on the job when the answer is recorded."""

    job: Job
    token: int
    body: dict[str, Any]
    text: Input
    policy: Policy


def ask(seqs: Sequence[int], actor: str, now: datetime) -> None:
    """Wants the decisions explained; what is wanted already is wanted once."""
    jobs = [
        Job(kind=JobKind.EXPLAIN, subject=f"decision:{seq}", actor=actor, created_at=now, available_at=now)
        for seq in seqs
    ]
    Job.objects.bulk_create(jobs, ignore_conflicts=True)


def waiting(now: datetime) -> QuerySet[Job]:
    """What was asked and may be worked at."""
    return Job.objects.filter(kind=JobKind.EXPLAIN, state=JobState.OPEN, available_at__lte=now)


def claim(now: datetime) -> tuple[Job, int] | None:
    """The oldest job that may be worked at, held until the lease runs out. Call inside a transaction."""
    skip = connection.features.has_select_for_update_skip_locked
    job = waiting(now).select_for_update(skip_locked=skip).order_by("id").first()
    if job is None:
        return None
    job.claim, job.available_at, job.attempts = secrets.randbits(62) + 1, now + settings.LEASE, job.attempts + 1
    job.save(update_fields=["claim", "available_at", "attempts"])
    return job, job.claim


def read(job: Job, token: int, model: Model) -> Asked:
    """What the decision came from. Raises CannotExplain."""
    body = bodies([seq_of(job)])[seq_of(job)]
    text = Input.objects.filter(ticket=body["ticket"], version=body["input"]["version"]).first()
    if text is None:
        raise CannotExplain("The text is no longer stored.")
    if (body["model"]["name"], body["model"]["digest"]) != (model.id, model.digest):
        raise CannotExplain(f"{body['model']['name']} decided, and this worker carries {model.id}.")
    return Asked(job, token, body, text, Policy.objects.get(number=body["policy"]))


def explain(asked: Asked) -> tuple[tuple[Evidence, ...], int]:
    """Sentences, strongest first, and the milliseconds it took; outside any transaction."""
    started = time.monotonic()
    request = Request(asked.text.text, asked.policy.rubric)
    found = left_out(scorer(), [request], [Score(asked.body["margin"] / MILLION)])[0]
    return found, round((time.monotonic() - started) * 1000)


def draft(ticket: Ticket, asked: Asked, found: Sequence[Evidence], milliseconds: int, actor: str) -> Draft:
    content = about(ticket, asked.text, asked.policy) | {
        "explains": asked.body["seq"],
        "asked_by": asked.job.actor,
        "model": asked.body["model"],
        "sentences": [[one.start, one.end, millionths(one.weight)] for one in found],
        "milliseconds": {"score": milliseconds},
    }
    return Draft(Kind.EXPLAINED, f"ticket:{ticket.pk}", actor, content)


def is_explaining(seq: int) -> bool:
    """Whether somebody asked and no worker has answered yet."""
    return Job.objects.filter(kind=JobKind.EXPLAIN, state=JobState.OPEN, subject=f"decision:{seq}").exists()


def seq_of(job: Job) -> int:
    return int(job.subject.removeprefix("decision:"))


def explained_by(decision: Decision) -> dict[str, Any] | None:
    """The body of the latest explanation of a decision."""
    later = Decision.objects.filter(ticket_id=decision.ticket_id, kind=Kind.EXPLAINED, entry__gt=decision.seq)
    told = bodies(later.values_list("entry", flat=True))
    return next((body for body in reversed(told.values()) if body["explains"] == decision.seq), None)
