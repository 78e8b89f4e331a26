"""Where the lines and bars of an evaluation's plots lie, for SVG: x to the right, y downwards."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tickets.policy.evaluating import Outcome

SIDE = 300
"""Width and height of a plot; all positions are 0 to SIDE."""
_BARS = 20
_STEPS = 100
_MOST_POINTS = 300

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Bar:
    """Tickets with a score in one twentieth of the scale. Urgent ones stand above the middle, standard ones below."""

    x: float
    urgent: int
    standard: int
    urgent_height: float
    standard_height: float
    since: float
    until: float

    @property
    def urgent_top(self) -> float:
        return SIDE / 2 - self.urgent_height


def plots(outcomes: Sequence[Outcome], calibration: Sequence[dict[str, Any]], threshold: float) -> dict[str, Any]:
    """calibration: the table of the report; threshold: 0 to 1. Lines are the `points` of an SVG polyline."""
    scores, labels = [one.score for one in outcomes], [one.case.urgent for one in outcomes]
    precision, recall = precision_and_recall(scores, labels)
    return {
        "side": SIDE,
        "threshold": round(SIDE * threshold, 1),
        "calibration": [_mark(row) for row in calibration],
        "roc": _line(roc(scores, labels)),
        "roc_rules": _line(roc([one.rules for one in outcomes], labels)),
        "histogram": histogram(scores, labels),
        "precision": _line(precision),
        "recall": _line(recall),
    }


def roc(scores: Sequence[float], labels: Sequence[bool]) -> Points:
    """Share of standard tickets taken for urgent, and of urgent ones found, for each threshold; equal scores at once.

    Where there are tickets of one kind only there is no curve, but the ends of it.
    """
    urgent, standard = max(1, sum(labels)), max(1, len(labels) - sum(labels))
    points, found, wrong = [(0.0, 0.0)], 0, 0
    order = sorted(zip(scores, labels, strict=True), reverse=True)
    for place, (score, label) in enumerate(order, start=1):
        found, wrong = found + label, wrong + (not label)
        if place == len(order) or order[place][0] != score:
            points.append((wrong / standard, found / urgent))
    return _thinned([*points, (1.0, 1.0)])


def precision_and_recall(scores: Sequence[float], labels: Sequence[bool]) -> tuple[Points, Points]:
    """Over the threshold from 0 to 1. Precision ends where nothing scores above it."""
    everything = sorted(scores)
    urgent = sorted(score for score, label in zip(scores, labels, strict=True) if label)
    precision, recall = [], []
    for step in range(_STEPS + 1):
        threshold = step / _STEPS
        said, right = (len(rows) - bisect_right(rows, threshold) for rows in (everything, urgent))
        recall.append((threshold, right / max(1, len(urgent))))
        if said:
            precision.append((threshold, right / said))
    return precision, recall


def histogram(scores: Sequence[float], labels: Sequence[bool]) -> list[Bar]:
    counts = [[0, 0] for _ in range(_BARS)]
    for score, label in zip(scores, labels, strict=True):
        counts[min(_BARS - 1, int(score * _BARS))][not label] += 1
    unit = SIDE / 2 / max(1, *(count for pair in counts for count in pair))
    return [
        Bar(
            x=place * SIDE / _BARS,
            urgent=urgent,
            standard=standard,
            urgent_height=round(urgent * unit, 1),
            standard_height=round(standard * unit, 1),
            since=place / _BARS,
            until=(place + 1) / _BARS,
        )
        for place, (urgent, standard) in enumerate(counts)
    ]


def _mark(row: dict[str, Any]) -> dict[str, float]:
    heights = {name: round(SIDE - SIDE * row["urgent"][n], 1) for n, name in enumerate(("y", "low", "high"))}
    return {"x": round(SIDE * row["score"], 1), **heights}


def _line(points: Points) -> str:
    return " ".join(f"{SIDE * x:.1f},{SIDE * (1 - y):.1f}" for x, y in points)


def _thinned(points: Points) -> Points:
    """So many that a line of SIDE pixels looks the same; both ends stay."""
    step = -(-len(points) // _MOST_POINTS)
    return [*points[:-1:step], points[-1]]
