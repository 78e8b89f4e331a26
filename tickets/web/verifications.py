"""Verifications as their page shows them: those that go on, those that failed, and what the log says of the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from tickets.audit.verifying import Range
from tickets.flow import jobs
from tickets.models import Entry, Job, JobKind, JobState, Kind, Role, User
from tickets.models.clock import database_now, moment
from tickets.web.names import names_of

_RESULTS_SHOWN, _FAILED_SHOWN = 10, 5


@dataclass(frozen=True, slots=True)
class Progress:
    """rest: how long it will still take at the pace so far; None while there is none."""

    job: Job
    wanted: Range
    is_running: bool
    rest: timedelta | None

    @property
    def percent(self) -> int:
        return self.job.progress * 100 // self.job.total if self.job.total else 0


@dataclass(frozen=True, slots=True)
class JobLine:
    progress: Progress
    who: str
    may_cancel: bool


@dataclass(frozen=True, slots=True)
class Wrong:
    """An entry that is wrong or differs. is_there: whether it has a page."""

    seq: int
    what: str
    is_there: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What one entry says. fault, differing: None where all is right; is_read: whether its bytes are a result."""

    entry: Entry
    body: dict[str, Any]
    who: str
    fault: Wrong | None
    differing: Wrong | None
    is_read: bool

    @property
    def at(self) -> datetime:
        return moment(self.entry.at)

    @property
    def copy(self) -> dict[str, Any] | None:
        """What was found about the copy. A template that asked the body for it would get a copy of the body."""
        return self.body.get("copy")

    @property
    def is_right(self) -> bool:
        return self.is_read and not self.fault and not self.differing


def verifications(reader: User) -> dict[str, Any]:
    """The context of the page, in as many queries for many as for few."""
    latest, now = _latest(_RESULTS_SHOWN), database_now()
    found = [*jobs.open_jobs(JobKind.VERIFY).order_by("id"), *_failed()]
    bodies = {entry.seq: _body(entry) for entry in latest}
    names = names_of([*(job.actor for job in found), *(body.get("asked_by", "") for body in bodies.values())])
    lines = [_line(job, latest, now, names, reader) for job in found]
    return {
        "lines": [line for line in lines if line.progress.job.state == JobState.OPEN],
        "failed": [line for line in lines if line.progress.job.state == JobState.FAILED],
        "results": _results(latest, bodies, names),
    }


def progress_of(job: Job) -> Progress:
    """Of an open one."""
    return _progress(job, _latest(1), database_now())


def _failed() -> QuerySet[Job]:
    return Job.objects.filter(kind=JobKind.VERIFY, state=JobState.FAILED).order_by("-id")[:_FAILED_SHOWN]


def _line(job: Job, latest: Sequence[Entry], now: datetime, names: dict[str, str], reader: User) -> JobLine:
    may_cancel = job.actor == f"user:{reader.pk}" or reader.has_role(Role.AUDITOR)
    return JobLine(_progress(job, latest, now), names[job.actor], may_cancel)


def _progress(job: Job, latest: Sequence[Entry], now: datetime) -> Progress:
    """One runs at a time, so this one began when it was asked for, or when the one before it was done."""
    since = max([job.created_at, *(moment(entry.at) for entry in latest[:1])])
    is_running = job.claim > 0 and job.available_at > now
    passed, left = max(now - since, timedelta()), max(job.total - job.progress, 0)
    rest = passed * left / job.progress if is_running and job.progress else None
    return Progress(job, Range.of(job.subject), is_running, rest)


def _latest(number: int) -> list[Entry]:
    return list(Entry.objects.filter(subject="log", kind=Kind.VERIFIED).order_by("-seq")[:number])


def _results(latest: Sequence[Entry], bodies: dict[int, dict[str, Any]], names: dict[str, str]) -> list[Result]:
    wrong = [one["seq"] for body in bodies.values() for one in (_fault(body), _differing(body)) if one]
    there = set(Entry.objects.filter(seq__in=wrong).values_list("seq", flat=True)) if wrong else set()

    def named(one: dict[str, Any] | None) -> Wrong | None:
        return Wrong(one["seq"], one["what"], one["seq"] in there) if one else None

    results = []
    for entry in latest:
        body = bodies[entry.seq]
        who = names[body.get("asked_by", "")]
        results.append(Result(entry, body, who, named(_fault(body)), named(_differing(body)), bool(body)))
    return results


def _body(entry: Entry) -> dict[str, Any]:
    """Empty where the bytes are no result: a log that is verified may be broken anywhere."""
    try:
        body = json.loads(bytes(entry.body))
        numbers = [body["first"], body["last"], body["entries"], *(one["seq"] for one in _wrong(body))]
        texts = [body["asked_by"], *(one["what"] for one in _wrong(body))]
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    is_result = all(type(number) is int for number in numbers) and all(type(text) is str for text in texts)
    return body if is_result else {}


def _wrong(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in (_fault(body), _differing(body)) if one]


def _fault(body: dict[str, Any]) -> dict[str, Any] | None:
    return body.get("fault")


def _differing(body: dict[str, Any]) -> dict[str, Any] | None:
    return body.get("copy", {}).get("first")
