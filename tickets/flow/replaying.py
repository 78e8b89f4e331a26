"""A decision is asked to be made once more by the model that made it: a job, and an entry that tells what came of it.

As with explaining, a worker takes it up when nothing waits for a score. Nothing about the ticket changes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from tickets.flow.jobs import Held
from tickets.flow.record import Draft
from tickets.models import Job, JobKind, JobState, Kind


def ask(seq: int, actor: str, now: datetime) -> None:
    """Wants the decision made again; what is wanted already is wanted once. An older failure is forgotten."""
    _asked(seq).filter(state=JobState.FAILED).delete()
    wanted = Job(kind=JobKind.REPLAY, subject=_subject(seq), actor=actor, created_at=now, available_at=now)
    Job.objects.bulk_create([wanted], ignore_conflicts=True)


def draft(held: Held, content: dict[str, Any], actor: str) -> Draft:
    """content: what came of it (see tickets.audit.replay.content_of)."""
    seq = seq_of(held.job)
    return Draft(Kind.REPLAYED, f"entry:{seq}", actor, {"replays": seq, "asked_by": held.job.actor} | content)


def asked_last(seq: int) -> Job | None:
    """The job that waits for its answer or failed; None where nobody asked or the answer is in the log."""
    return _asked(seq).order_by("-id").first()


def seq_of(job: Job) -> int:
    return int(job.subject.removeprefix("decision:"))


def _asked(seq: int) -> QuerySet[Job]:
    return Job.objects.filter(kind=JobKind.REPLAY, subject=_subject(seq))


def _subject(seq: int) -> str:
    """The decision, so that the job goes with its person when they are erased."""
    return f"decision:{seq}"
