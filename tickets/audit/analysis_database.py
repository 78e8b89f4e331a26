"""The database answers for the log as a whole: the embedded default, and whenever the copy cannot.

Bounded, since it reads rows where the copy has an index for each column: of the latest decisions in the window.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import BigIntegerField, Count, F, Func, Q
from django.db.models.functions import TruncDay, TruncHour, TruncMonth

from tickets.audit.analysis_figures import SHOWN, Counts, Figures, Interval, Latency, Overrides, Window, percentiles
from tickets.models import Decision, Kind, Queue
from tickets.models.clock import microseconds
from tickets.models.decision import Decisions
from tickets.models.entry import AUTOMATIC

MOST_COUNTED, MOST_TIMED = 100_000, 20_000
_TRUNCATED = {Interval.HOUR: TruncHour, Interval.DAY: TruncDay, Interval.MONTH: TruncMonth}
_FALLBACK = Q(kind=Kind.FALLBACK)
_Timed = tuple[str, int | None, int | None]


class _Milliseconds(Func):
    """Out of the bytes of an entry, in the database: thousands of bodies would be long on the way."""

    output_field = BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "(convert_from(%(expressions)s, 'UTF8')::json #>> '{milliseconds,%(stage)s}')::bigint"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "json_extract(CAST(%(expressions)s AS TEXT), '$.milliseconds.%(stage)s')"
        return self.as_sql(compiler, connection, template=template, **context)


def figures(window: Window) -> Figures:
    """In seven queries, however much there is."""
    asked = Decision.objects.filter(at__gte=window.since, at__lt=window.until)
    counted_from = _cut(asked)
    within = asked if counted_from is None else asked.filter(at__gte=counted_from)
    automatic = within.filter(kind__in=AUTOMATIC)
    decided = _by_model(automatic)
    timed = _timed(automatic)
    return Figures(
        series=_series(automatic, window.interval),
        overrides=_overrides(within, decided, counted_from or window.since),
        latency=[_latency(model, timed) for model in decided],
        causes=_counts(within.filter(_FALLBACK), "cause"),
        kinds=_counts(within, "kind"),
        counted_from=counted_from,
        timed=len(timed) if len(timed) < sum(decided.values()) else None,
    )


def _cut(asked: Decisions) -> datetime | None:
    """From when on there are as many as are counted; None where that is all. Those of the same moment stay together."""
    around = list(asked.order_by("-at").values_list("at", flat=True)[MOST_COUNTED - 1 : MOST_COUNTED + 1])
    return around[0] if len(around) > 1 else None


def _series(automatic: Decisions, interval: Interval) -> dict[datetime, Counts]:
    counted = (
        automatic.order_by()
        .values_list(_TRUNCATED[interval]("at", tzinfo=UTC))
        .annotate(
            decided=Count("pk"),
            urgent=Count("pk", filter=Q(verdict=Queue.URGENT)),
            fallback=Count("pk", filter=_FALLBACK),
        )
    )
    return {start: Counts(*counts) for start, *counts in counted}


def _counts(decisions: Decisions, column: str) -> dict[str, int]:
    return dict(decisions.order_by().values_list(column).annotate(Count("pk")))


def _by_model(automatic: Decisions) -> dict[str, int]:
    counted = _counts(automatic, "model_name")
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return dict(ordered[:SHOWN])


def _timed(automatic: Decisions) -> list[_Timed]:
    """Model, total and score of the latest."""
    stages = (_Milliseconds(F("entry__body"), stage=stage) for stage in ("total", "score"))
    return list(automatic.order_by("-at", "-entry").values_list("model_name", *stages)[:MOST_TIMED])


def _latency(model: str, timed: Sequence[_Timed]) -> Latency:
    totals = [total for name, total, _ in timed if name == model and total is not None]
    scores = [score for name, _, score in timed if name == model and score is not None]
    return Latency(model, percentiles(totals), percentiles(scores))


def _overrides(within: Decisions, decided: dict[str, int], since: datetime) -> list[Overrides]:
    moved: dict[tuple[str, str], set[int]] = defaultdict(set)
    for direction, judged in _against_the_verdict(within, microseconds(since)):
        moved[judged["model"], direction].add(judged["seq"])
    return [
        Overrides(
            model,
            count,
            to_standard=len(moved[model, "to_standard"]),
            to_urgent=len(moved[model, "to_urgent"]),
            undone=len(moved[model, "undone"]),
        )
        for model, count in decided.items()
    ]


def _against_the_verdict(within: Decisions, since: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Directions, and the decisions people moved that way or moved back. The bytes tell which decision was meant."""
    reviews = within.filter(kind__in=(Kind.OVERRIDE, Kind.UNDONE)).values_list("entry__body", flat=True)
    for body in map(json.loads, map(bytes, reviews.iterator())):
        judged = body.get("judges")
        if judged is None or judged["at"] < since:
            continue
        if body["kind"] == Kind.OVERRIDE and body["queue"] != judged["verdict"]:
            yield f"to_{body['queue']}", judged
        if body["kind"] == Kind.UNDONE and body["previous_queue"] != judged["verdict"] == body["queue"]:
            yield "undone", judged
