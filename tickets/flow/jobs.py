"""Work that was asked for, as workers hold it: claimed by a lease and a token, kept while it goes on, done or failed.

A job is done when its row is deleted in the transaction that records the result; whoever finds no row with its token
any more was too slow, or the job was cancelled, and says nothing.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from django.db import connection
from django.db.models import F, QuerySet

from tickets.models import Job, JobKind, JobState

MOST_ATTEMPTS = 3
_PROBLEM_MAX = Job._meta.get_field("problem").max_length  # noqa: SLF001

log = structlog.get_logger(__name__)


class Held(NamedTuple):
    """token: what must still be on the job whenever its worker writes."""

    job: Job
    token: int


def open_jobs(kind: JobKind) -> QuerySet[Job]:
    return Job.objects.filter(kind=kind, state=JobState.OPEN)


def waiting(kind: JobKind, now: datetime) -> QuerySet[Job]:
    """What was asked and may be worked at."""
    return open_jobs(kind).filter(available_at__lte=now)


def running(kind: JobKind, now: datetime) -> QuerySet[Job]:
    """What a worker holds."""
    return open_jobs(kind).filter(claim__gt=0, available_at__gt=now)


def claim(candidates: QuerySet[Job], now: datetime, lease: timedelta) -> Held | None:
    """The oldest of them, held until the lease runs out. Call inside a transaction.

    One that took its workers down with it each time is not tried again.
    """
    _give_up(candidates, now)
    skip = connection.features.has_select_for_update_skip_locked
    job = candidates.select_for_update(skip_locked=skip).order_by("id").first()
    if job is None:
        return None
    job.claim, job.available_at, job.attempts = secrets.randbits(62) + 1, now + lease, job.attempts + 1
    job.save(update_fields=["claim", "available_at", "attempts"])
    return Held(job, job.claim)


def keep(held: Held, progress: int, total: int, now: datetime, lease: timedelta) -> bool:
    """Says how far it is and holds it for another lease; False where it is not held any more."""
    return bool(_row(held).update(progress=progress, total=total, available_at=now + lease))


def finish(held: Held) -> bool:
    """Takes the job away; False where it is not held any more. Call where the result is recorded."""
    done, _ = _row(held).delete()
    return bool(done)


def hand_back(held: Held, now: datetime) -> None:
    """It waits as if nobody had claimed it."""
    _row(held).update(claim=0, available_at=now, attempts=F("attempts") - 1)


def try_again(held: Held, problem: str, now: datetime) -> None:
    """After a failure: when the lease is over, or never where it was tried often enough."""
    if held.job.attempts >= MOST_ATTEMPTS:
        fail(held, problem, now)
    else:
        _row(held).update(claim=0, problem=problem[:_PROBLEM_MAX])


def fail(held: Held, problem: str, now: datetime) -> None:
    _row(held).update(state=JobState.FAILED, problem=problem[:_PROBLEM_MAX], finished_at=now)
    log.warning("job_failed", kind=held.job.kind, subject=held.job.subject, error=problem[:_PROBLEM_MAX])


def _give_up(candidates: QuerySet[Job], now: datetime) -> None:
    problem = f"Its workers ended {MOST_ATTEMPTS} times before it was done."
    candidates.filter(attempts__gte=MOST_ATTEMPTS).update(state=JobState.FAILED, problem=problem, finished_at=now)


def _row(held: Held) -> QuerySet[Job]:
    return Job.objects.filter(pk=held.job.pk, claim=held.token, state=JobState.OPEN)
