"""The figures of the day for ops, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, F, Min, Q
from django.utils import timezone

from tickets import presence
from tickets.audit import ship
from tickets.models import DecidedBy, Decision, Kind, Process, ProcessKind, Queue, ShippingFailure, Ticket, Waiting

_HOUR = timedelta(hours=1)
_RATE_MINUTES = 10
_TIMED_TICKETS = 1_000


@dataclass(frozen=True, slots=True)
class Bar:
    """What came in during the hour after `since`; height and top on a chart 100 high."""

    since: datetime
    count: int
    height: float
    top: float


@dataclass(frozen=True, slots=True)
class Figures:
    """midnight: today's in the reader's zone. Shares are 0..1, or None where nothing was decided."""

    now: datetime
    midnight: datetime
    inflow_hour: int
    inflow_today: int
    inflow_by_hour: Sequence[tuple[datetime, int]]
    per_minute: float
    decided_today: int
    urgent_share: float | None
    fallback_share: float | None
    overrides: dict[str, int]
    median: timedelta | None
    p95: timedelta | None
    waiting: int
    undecided: int
    oldest: datetime | None
    processes: Sequence[Process]
    unshipped: int | None
    refused: int

    @property
    def an_hour_ago(self) -> datetime:
        return self.now - _HOUR

    @property
    def ten_minutes_ago(self) -> datetime:
        return self.now - timedelta(minutes=_RATE_MINUTES)

    @property
    def workers(self) -> list[Process]:
        return [process for process in self.processes if process.kind == ProcessKind.WORKER]

    @property
    def able_workers(self) -> int:
        return sum(not worker.problem for worker in self.workers)

    @property
    def is_swept(self) -> bool:
        return any(process.kind == ProcessKind.SWEEP for process in self.processes)

    @property
    def peak(self) -> int:
        return max(count for _, count in self.inflow_by_hour)

    @property
    def bars(self) -> list[Bar]:
        heights = [(since, count, 100 * count / max(1, self.peak)) for since, count in self.inflow_by_hour]
        return [Bar(since, count, height, 100 - height) for since, count, height in heights]


def figures() -> Figures:
    now = timezone.now()
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    kinds = _decided_since(midnight)
    automatic = {key: count for key, count in kinds.items() if key[0] in (Kind.SCORED, Kind.FALLBACK)}
    decided = sum(automatic.values())
    urgent = sum(count for (_, queue), count in automatic.items() if queue == Queue.URGENT)
    fallback = sum(count for (kind, _), count in automatic.items() if kind == Kind.FALLBACK)
    recent = Decision.objects.filter(
        at__gte=now - timedelta(minutes=_RATE_MINUTES), kind__in=(Kind.SCORED, Kind.FALLBACK)
    )
    waiting = Waiting.objects.aggregate(count=Count("pk"), oldest=Min("accepted_at"))
    by_hour = _inflow_by_hour(now)
    times = _times_to_decision()
    return Figures(
        now=now,
        midnight=midnight,
        inflow_hour=Ticket.objects.filter(accepted_at__gte=now - _HOUR).count(),
        inflow_today=Ticket.objects.filter(accepted_at__gte=midnight).count(),
        inflow_by_hour=by_hour,
        per_minute=recent.count() / _RATE_MINUTES,
        decided_today=decided,
        urgent_share=urgent / decided if decided else None,
        fallback_share=fallback / decided if decided else None,
        overrides={queue: kinds.get((Kind.OVERRIDE, queue), 0) for queue in Queue.values},
        median=_quantile(times, 0.5),
        p95=_quantile(times, 0.95),
        waiting=waiting["count"],
        undecided=Ticket.objects.filter(queue="").count(),
        oldest=waiting["oldest"],
        processes=presence.alive(),
        unshipped=ship.unshipped() if settings.ELASTICSEARCH_URL else None,
        refused=ShippingFailure.objects.count(),
    )


def _decided_since(since: datetime) -> dict[tuple[str, str], int]:
    rows = Decision.objects.filter(at__gte=since).values_list("kind", "queue").annotate(Count("pk"))
    return {(kind, queue): count for kind, queue, count in rows}


def _inflow_by_hour(now: datetime) -> list[tuple[datetime, int]]:
    """The last 24 hours, oldest first; an hour here ends now, 1 h ago, 2 h ago ... Counted by the database."""
    starts = [now - hours * _HOUR for hours in range(24, 0, -1)]
    counted = Ticket.objects.filter(accepted_at__gt=starts[0]).aggregate(
        **{
            f"from_{number}": Count("pk", filter=Q(accepted_at__gt=start, accepted_at__lte=start + _HOUR))
            for number, start in enumerate(starts)
        }
    )
    return [(start, counted[f"from_{number}"]) for number, start in enumerate(starts)]


def _times_to_decision() -> list[timedelta]:
    """From acceptance to the queue, of the latest tickets whose queue no person chose."""
    tickets = Ticket.objects.exclude(queue="").exclude(decided_by=DecidedBy.PERSON).order_by("-pk")
    return sorted(tickets.values_list(F("routed_at") - F("accepted_at"), flat=True)[:_TIMED_TICKETS])


def _quantile(ordered: Sequence[timedelta], share: float) -> timedelta | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
