"""What is asked of the log as a whole, and what it says: the same figures from whichever store answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from scoring.measures import wilson

SHOWN = 20
"""So many models, those that decided most."""
PERCENTS = (50, 95, 99)
_BY_HOUR, _BY_DAY = timedelta(days=31), timedelta(days=1_100)

Percentiles = tuple[int, int, int]
"""p50, p95 and p99 in milliseconds, rounded; between two values straight (Hyndman and Fan 1996, definition 7)."""


class Interval(StrEnum):
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Window:
    """since is included, until is not; since is never later. Hours, days and months are those of UTC."""

    since: datetime
    until: datetime

    @property
    def interval(self) -> Interval:
        """As fine as can be looked at: at most about a thousand points."""
        length = self.until - self.since
        if length <= _BY_HOUR:
            return Interval.HOUR
        return Interval.DAY if length <= _BY_DAY else Interval.MONTH

    def starts(self) -> Iterator[datetime]:
        """Of every interval of which the window has a part, in order."""
        start = start_of(self.interval, self.since)
        while start < self.until:
            yield start
            start = _next(self.interval, start)


def start_of(interval: Interval, at: datetime) -> datetime:
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if interval == Interval.HOUR:
        return hour
    day = hour.replace(hour=0)
    return day if interval == Interval.DAY else day.replace(day=1)


def _next(interval: Interval, start: datetime) -> datetime:
    if interval == Interval.MONTH:
        return start_of(interval, start + timedelta(days=31))
    return start + (timedelta(hours=1) if interval == Interval.HOUR else timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Counts:
    """Automatic decisions: all, those whose verdict was urgent, and those of the fallback."""

    decided: int = 0
    urgent: int = 0
    fallback: int = 0

    @property
    def urgent_share(self) -> float | None:
        return self.urgent / self.decided if self.decided else None


@dataclass(frozen=True, slots=True)
class Overrides:
    """What people said against one model's verdicts, of its decisions in the window.

    decided: the model's automatic decisions. to_standard, to_urgent: how many of them a person moved against the
    verdict before the end of the window, each counted once. undone: of how many of those moves were taken back.
    """

    model: str
    decided: int
    to_standard: int = 0
    to_urgent: int = 0
    undone: int = 0

    @property
    def share(self) -> tuple[float, float, float]:
        """Moved of decided, with its 95 % interval. A decision has one verdict, so it was moved one way at most."""
        return wilson(min(self.to_standard + self.to_urgent, self.decided), self.decided)


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one model's automatic decisions. total: from accepted to decided; score: of the model alone.

    None where nothing was timed: the keyword rules as fallback have no time of their own.
    """

    model: str
    total: Percentiles | None
    score: Percentiles | None


@dataclass(frozen=True, slots=True)
class Figures:
    """series: by the start of each interval that has any. overrides, latency: by model, most decisions first.

    causes: of fallback decisions. kinds: every decision. counted_from: where the store could not count the whole
    window, from when on it did; timed: how many decisions latency was read from, where it was not all.
    """

    series: Mapping[datetime, Counts]
    overrides: Sequence[Overrides]
    latency: Sequence[Latency]
    causes: Mapping[str, int]
    kinds: Mapping[str, int]
    counted_from: datetime | None = None
    timed: int | None = None

    @property
    def total(self) -> int:
        return sum(self.kinds.values())

    @property
    def decided(self) -> Counts:
        """Of the whole window."""
        every = self.series.values()
        return Counts(*(sum(getattr(one, name) for one in every) for name in ("decided", "urgent", "fallback")))


def percentiles(values: Sequence[int]) -> Percentiles | None:
    if not values:
        return None
    ordered = sorted(values)
    p50, p95, p99 = (round(_percentile(ordered, percent)) for percent in PERCENTS)
    return (p50, p95, p99)


def _percentile(ordered: Sequence[int], percent: int) -> float:
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
