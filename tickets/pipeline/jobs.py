"""Verifying as a job: asked for, done by a housekeeping worker, its result an entry of the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, QuerySet

from tickets import presence, wake
from tickets.audit import ship
from tickets.audit.verifying import Range, verification
from tickets.flow import jobs
from tickets.flow.jobs import Held
from tickets.flow.record import Draft, record
from tickets.models import Job, JobKind, JobState, Kind, LogHead, ProcessKind
from tickets.models.clock import database_now
from tickets.pipeline.acting import Actor
from tickets.pipeline.shipping import ship_on_commit

LEASE = timedelta(minutes=1)
"""Longer than one step may take: Elasticsearch has half a minute for an answer."""

MOST_OPEN = 20
_TELL_EVERY_SECONDS = 1.0


class TooManyJobs(Exception):
    """So many verifications wait that another one would not be done soon; says what to do."""


class _NotHeld(Exception):
    """The job was cancelled, or its lease ended and another worker has it."""


class _Stopping(Exception):
    """This worker was told to stop."""


def ask_for_verification(wanted: Range, by: Actor) -> tuple[Job, bool]:
    """The job that verifies the range, and whether it is new: the same range is verified once. Raises TooManyJobs."""
    asked, now = Job.objects.filter(kind=JobKind.VERIFY), database_now()
    given = {"actor": by.name, "created_at": now, "available_at": now, "total": wanted.steps(LogHead.objects.get().seq)}
    with transaction.atomic():
        is_open = asked.filter(state=JobState.OPEN)
        if is_open.exclude(subject=wanted.subject).count() >= MOST_OPEN:
            raise TooManyJobs(f"{MOST_OPEN} verifications wait already: cancel one, or ask when they are done.")
        job, is_new = is_open.get_or_create(
            kind=JobKind.VERIFY, state=JobState.OPEN, subject=wanted.subject, defaults=given
        )
        if is_new:
            asked.filter(state=JobState.FAILED, subject=wanted.subject).delete()
            wake.on_commit(wake.JOBS)
    return job, is_new


def cancel_job(job: Job) -> bool:
    """Takes it away, running or failed; its worker finds no row and stops. False where it had ended before."""
    deleted, _ = Job.objects.filter(pk=job.pk, kind=job.kind).delete()
    return bool(deleted)


def startable_jobs() -> QuerySet[Job]:
    """Verifications that a worker may start on: one runs at a time, however many workers there are."""
    now = database_now()
    return jobs.waiting(JobKind.VERIFY, now).filter(~Exists(jobs.running(JobKind.VERIFY, now)))


def run_job(worker: str, is_stopping: Callable[[], bool] = lambda: False) -> bool:
    """Does one job to its end, its failure, or until it is not held any more; False when there is none to start on."""
    presence.note(worker, ProcessKind.HOUSEKEEPING)
    with transaction.atomic():
        held = jobs.claim(startable_jobs(), database_now(), LEASE)
    if held is None:
        return False
    try:
        content = verification(Range.of(held.job.subject), _telling(held, worker, is_stopping))
    except _NotHeld:
        return True
    except _Stopping:
        jobs.hand_back(held, database_now())
    except Exception as error:
        jobs.try_again(held, f"{type(error).__name__}: {error}", database_now())
    else:
        _conclude(held, content, f"worker:{worker}")
    return True


def _telling(held: Held, worker: str, is_stopping: Callable[[], bool]) -> Callable[[int, int], None]:
    """Writes the progress at most once a second, which holds the job and notices when it is not held any more."""
    told_at = float("-inf")

    def tell(progress: int, total: int) -> None:
        nonlocal told_at
        if is_stopping():
            raise _Stopping
        if time.monotonic() - told_at < _TELL_EVERY_SECONDS:
            return
        told_at = time.monotonic()
        presence.note(worker, ProcessKind.HOUSEKEEPING)
        if not jobs.keep(held, progress, total, database_now(), LEASE):
            raise _NotHeld
        # The same worker ships: what is recorded meanwhile does not wait for the end of a long job.
        ship.ship_waiting()

    return tell


def _conclude(held: Held, content: dict[str, Any], actor: str) -> None:
    """A log that goes on behind its head refuses one more entry; what was found is told on the job then."""
    try:
        with transaction.atomic():
            if jobs.finish(held):
                record([Draft(Kind.VERIFIED, "log", actor, content | {"asked_by": held.job.actor})])
                ship_on_commit()
    except IntegrityError as error:
        fault = content.get("fault")
        found = f"Entry {fault['seq']}: {fault['what'][:300]}" if fault else f"{content['entries']} entries are right"
        jobs.fail(held, f"{found}. The log took no entry about it: {error}", database_now())
