"""Figures as places on a chart: lines, bars and intervals, in the units of the SVG that shows them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from django.utils import timezone

from scoring.measures import wilson
from tickets.audit.analysis_figures import Counts, Figures, Interval, Latency, Overrides, Window
from tickets.models import Cause, Kind

WIDTH, HEIGHT = 1_000, 100
_FORMATS = {Interval.HOUR: "%Y-%m-%d %H:%M", Interval.DAY: "%Y-%m-%d", Interval.MONTH: "%Y-%m"}
_GAP = 0.15
"""Of a bar's place, left free beside it."""


@dataclass(frozen=True, slots=True)
class Point:
    """One interval. share: of urgent among the automatic decisions, with its 95 % interval."""

    label: str
    counts: Counts
    share: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """points: of intervals in which something was decided. Paths are those of SVG, empty where there is nothing.

    share_top: the share at the top of its chart; volume_top: the decisions at the top of theirs. ends: labels of the
    first, the middle and the last interval.
    """

    interval: Interval
    zone: str
    points: Sequence[Point]
    ends: tuple[str, str, str]
    share_top: float
    share_line: str
    share_band: str
    volume_top: int
    volume_bars: str
    fallback_bars: str


@dataclass(frozen=True, slots=True)
class Bar:
    """value: the word of the log for it. width: of a hundred."""

    value: str
    label: str
    count: int
    share: float
    width: float


@dataclass(frozen=True, slots=True)
class Overridden:
    """One model's, with its share on a line a hundred long; the line ends at `Charts.overridden_top`."""

    of: Overrides
    at: float
    start: float
    length: float


@dataclass(frozen=True, slots=True)
class Timed:
    """One model's time from accepted to decided: three places on a line a hundred long, logarithmic."""

    of: Latency
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Charts:
    series: Series
    overridden: Sequence[Overridden]
    overridden_top: float
    timed: Sequence[Timed]
    timed_top: int
    causes: Sequence[Bar]
    kinds: Sequence[Bar]


def charts(window: Window, figures: Figures) -> Charts:
    overridden_top = _nice_share(max((one.share[2] for one in figures.overrides), default=1))
    timed_top = _nice(max((10, *(one.total[2] for one in figures.latency if one.total))))
    return Charts(
        series=_series(window, figures.series),
        overridden=[_overridden(one, overridden_top) for one in figures.overrides],
        overridden_top=overridden_top,
        timed=[_timed(one, timed_top) for one in figures.latency],
        timed_top=timed_top,
        causes=list(_bars(figures.causes, dict(Cause.choices))),
        kinds=list(_bars(figures.kinds, dict(Kind.choices))),
    )


def _series(window: Window, counted: Mapping[datetime, Counts]) -> Series:
    starts = list(window.starts())
    label = _labels(window.interval)
    every = [counted.get(start, Counts()) for start in starts]
    share_top = _nice_share(max((one.urgent_share or 0 for one in every), default=0))
    volume_top = _nice(max((one.decided for one in every), default=0))
    return Series(
        interval=window.interval,
        zone=timezone.get_current_timezone_name() if window.interval == Interval.HOUR else "UTC",
        points=[
            Point(label(start), counts, wilson(counts.urgent, counts.decided))
            for start, counts in zip(starts, every, strict=True)
            if counts.decided
        ],
        ends=(label(starts[0]), label(starts[len(starts) // 2]), label(starts[-1])) if starts else ("", "", ""),
        share_top=share_top,
        share_line=" ".join(_line(run, len(every), share_top) for run in _runs(every)),
        share_band=" ".join(_band(run, len(every), share_top) for run in _runs(every)),
        volume_top=volume_top,
        volume_bars=_columns([one.decided for one in every], volume_top),
        fallback_bars=_columns([one.fallback for one in every], volume_top),
    )


def _labels(interval: Interval) -> Callable[[datetime], str]:
    """Hours in the reader's zone; a day or a month is one of UTC, so that the figures are the same for every reader."""
    zone = timezone.get_current_timezone() if interval == Interval.HOUR else UTC
    return lambda start: f"{start.astimezone(zone):{_FORMATS[interval]}}"


_Placed = tuple[int, Counts]


def _runs(every: Sequence[Counts]) -> Iterator[list[_Placed]]:
    """Neighbours in which something was decided: a line has a gap where nothing was."""
    for is_decided, run in groupby(enumerate(every), key=lambda placed: placed[1].decided > 0):
        if is_decided:
            yield list(run)


def _line(run: Sequence[_Placed], places: int, top: float) -> str:
    ends = [f"{_x(place, places)} {_y(counts.urgent / counts.decided, top)}" for place, counts in run]
    # A line of no length is drawn as a dot by its round ends.
    return f"M{' L'.join(ends if len(ends) > 1 else ends * 2)}"


def _band(run: Sequence[_Placed], places: int, top: float) -> str:
    """As wide as its interval, even where it stands alone."""
    half = WIDTH / places / 2
    shares = [(place, wilson(counts.urgent, counts.decided)) for place, counts in run]
    edges = [(x, share) for place, share in shares for x in (_at(place, places) - half, _at(place, places) + half)]
    upper = [f"{x:.1f} {_y(share[2], top)}" for x, share in edges]
    lower = [f"{x:.1f} {_y(share[1], top)}" for x, share in reversed(edges)]
    return f"M{' L'.join(upper + lower)}Z"


def _columns(values: Sequence[int], top: int) -> str:
    width = WIDTH / max(1, len(values))
    return "".join(
        f"M{(place + _GAP / 2) * width:.2f} {HEIGHT}V{_y(value, top)}h{(1 - _GAP) * width:.2f}V{HEIGHT}Z"
        for place, value in enumerate(values)
        if value
    )


def _at(place: int, places: int) -> float:
    return (place + 0.5) * WIDTH / places


def _x(place: int, places: int) -> str:
    return f"{_at(place, places):.1f}"


def _y(value: float, top: float) -> str:
    return f"{HEIGHT - HEIGHT * min(1, value / top):.2f}"


def _nice(largest: float) -> int:
    """The first of 1, 2, 5, 10, 20, 50 ... that is not below it."""
    power = 10 ** max(0, math.floor(math.log10(max(1, largest))))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= largest)


def _nice_share(largest: float) -> float:
    return next(step for step in (0.05, 0.1, 0.2, 0.5, 1) if step >= min(1, largest))


def _overridden(one: Overrides, top: float) -> Overridden:
    share, low, high = (100 * value / top for value in one.share)
    return Overridden(one, share, low, high - low)


def _timed(one: Latency, top: int) -> Timed:
    places = [100 * math.log10(max(1, value)) / math.log10(top) for value in one.total or (1, 1, 1)]
    return Timed(one, *places)


def _bars(counts: Mapping[str, int], labels: Mapping[str, str]) -> Iterator[Bar]:
    """The largest first."""
    total, largest = sum(counts.values()), max(counts.values(), default=1)
    for value, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        yield Bar(value, labels.get(value, value), count, count / total, 100 * count / largest)
