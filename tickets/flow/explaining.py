"""After a decision: which sentences moved its margin, asked of the model again and told in an entry of its own.

A ticket is never kept waiting for it: a worker explains when nothing waits for a score.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scoring.evidence import left_out
from scoring.types import Evidence, Model, Request, Score
from tickets.flow import jobs
from tickets.flow.decide import MILLION, millionths
from tickets.flow.jobs import Held
from tickets.flow.origin import about
from tickets.flow.record import Draft
from tickets.flow.score import scorer
from tickets.models import Decision, Input, Job, JobKind, Kind, Policy, Ticket
from tickets.models.entry import bodies


class CannotExplain(Exception):
    """What the decision came from is not here any more; says what."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A decision to explain."""

    held: Held
    body: dict[str, Any]
    text: Input
    policy: Policy


def ask(seqs: Sequence[int], actor: str, now: datetime) -> None:
    """Wants the decisions explained; what is wanted already is wanted once."""
    wanted = [
        Job(kind=JobKind.EXPLAIN, subject=f"decision:{seq}", actor=actor, created_at=now, available_at=now)
        for seq in seqs
    ]
    Job.objects.bulk_create(wanted, ignore_conflicts=True)


def read(job: Job, token: int, model: Model) -> Asked:
    """What the decision came from. Raises CannotExplain."""
    body = bodies([seq_of(job)]).get(seq_of(job))
    if body is None:
        raise CannotExplain("The decision is in an archive.")
    text = Input.objects.filter(ticket=body["ticket"], version=body["input"]["version"]).first()
    if text is None:
        raise CannotExplain("The text is no longer stored.")
    if (body["model"]["name"], body["model"]["digest"]) != (model.id, model.digest):
        raise CannotExplain(f"{body['model']['name']} decided, and this worker carries {model.id}.")
    return Asked(Held(job, token), body, text, Policy.objects.get(number=body["policy"]))


def explain(asked: Asked) -> tuple[tuple[Evidence, ...], int]:
    """Sentences, strongest first, and the milliseconds it took; outside any transaction."""
    started = time.monotonic()
    request = Request(asked.text.text, asked.policy.rubric)
    found = left_out(scorer(), [request], [Score(asked.body["margin"] / MILLION)])[0]
    return found, round((time.monotonic() - started) * 1000)


def draft(ticket: Ticket, asked: Asked, found: Sequence[Evidence], milliseconds: int, actor: str) -> Draft:
    content = about(ticket, asked.text, asked.policy) | {
        "explains": asked.body["seq"],
        "asked_by": asked.held.job.actor,
        "model": asked.body["model"],
        "sentences": [[one.start, one.end, millionths(one.weight)] for one in found],
        "milliseconds": {"score": milliseconds},
    }
    return Draft(Kind.EXPLAINED, f"ticket:{ticket.pk}", actor, content)


def is_explaining(seq: int) -> bool:
    """Whether somebody asked and no worker has answered yet."""
    return jobs.open_jobs(JobKind.EXPLAIN).filter(subject=f"decision:{seq}").exists()


def seq_of(job: Job) -> int:
    return int(job.subject.removeprefix("decision:"))


def explained_by(decision: Decision) -> dict[str, Any] | None:
    """The body of the latest explanation of a decision."""
    later = Decision.objects.filter(ticket_id=decision.ticket_id, kind=Kind.EXPLAINED, entry__gt=decision.seq)
    told = bodies(later.values_list("entry", flat=True))
    return next((body for body in reversed(told.values()) if body["explains"] == decision.seq), None)
