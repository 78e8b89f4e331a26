"""A log with times, models and words of people as a test wants them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from tests.audit.generated_log import append
from tickets.flow.record import Draft
from tickets.models import Cause, Decision, Kind, LogHead, Queue
from tickets.models.clock import microseconds, moment

_tickets = count(10**6)
_WHOLE_DAY = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}


def tomorrow() -> datetime:
    """Midnight in UTC. The log takes no time but the clock's, or one ahead of it."""
    ahead = max(timezone.now(), moment(LogHead.objects.get(pk=1).at)) + timedelta(days=1)
    return ahead.astimezone(UTC).replace(**_WHOLE_DAY)  # type: ignore[arg-type]


def decided(
    at: datetime,
    verdict: Queue = Queue.URGENT,
    model: str = "compact-1",
    kind: Kind = Kind.SCORED,
    cause: Cause = Cause.NEW,
    **milliseconds: int,
) -> Decision:
    """An automatic decision about a ticket of its own."""
    content = {
        "cause": cause.value,
        "score": 900_000 if verdict == Queue.URGENT else 100_000,
        "threshold": 700_000,
        "confidence": 900_000,
        "verdict": verdict.value,
        "model": {"name": model, "digest": "0" * 64},
        "milliseconds": milliseconds,
    }
    return _told(kind, at, next(_tickets), verdict, content)


def fell_back(at: datetime, cause: Cause = Cause.DEADLINE, **milliseconds: int) -> Decision:
    return decided(at, Queue.URGENT, "keyword-1", Kind.FALLBACK, cause, **milliseconds)


def said(at: datetime, judged: Decision, queue: Queue, previous: Queue, kind: Kind = Kind.OVERRIDE) -> Decision:
    """A person's word about the decision: into `queue`, from `previous`."""
    judges = {
        "seq": judged.seq,
        "at": microseconds(judged.at),
        "model": judged.model_name,
        "verdict": judged.verdict,
    }
    return _told(kind, at, judged.ticket_id, queue, {"judges": judges, "previous_queue": previous.value})


def overridden(at: datetime, judged: Decision) -> Decision:
    verdict = Queue(judged.verdict)
    return said(at, judged, verdict.other, verdict)


def taken_back(at: datetime, judged: Decision) -> Decision:
    verdict = Queue(judged.verdict)
    return said(at, judged, verdict, verdict.other, Kind.UNDONE)


def _told(kind: Kind, at: datetime, ticket: int, queue: Queue, content: dict[str, Any]) -> Decision:
    LogHead.objects.filter(at__lt=microseconds(at)).update(at=microseconds(at))
    about = {"ticket": ticket, "policy": 1, "queue": queue.value, "needs_check": 0}
    return append([Draft(kind, f"ticket:{ticket}", "worker:test", about | content)])[-1]
