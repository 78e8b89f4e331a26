"""The log's copy answers for the log as a whole: the saved aggregations, and reading what they give.

The dashboards in deploy/grafana and deploy/kibana hold the same aggregations; a test holds them to these.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch

from tickets.audit.analysis_figures import (
    PERCENTS,
    SHOWN,
    Counts,
    Figures,
    Latency,
    Overrides,
    Percentiles,
    Window,
)
from tickets.audit.ship import ALIAS
from tickets.models import Kind, Queue
from tickets.models.entry import AUTOMATIC, DECISIONS

# Below it Elasticsearch counts distinct values nearly exactly; its largest setting.
_DISTINCT_EXACTLY = 40_000
# More than there will be: of those that are shown none may be missing for having been overridden seldom.
_EVERY_MODEL = 1_000
_AUTOMATIC = {"terms": {"kind": [kind.value for kind in AUTOMATIC]}}
_MOST = [{"_count": "desc"}, {"_key": "asc"}]
_DISTINCT_JUDGED = {"judged": {"cardinality": {"field": "judged_seq", "precision_threshold": _DISTINCT_EXACTLY}}}


def urgent_share(interval: Any) -> dict[str, Any]:
    """Automatic decisions by time: all, urgent, fallback."""
    counts = {
        "urgent": {"filter": {"term": {"verdict": Queue.URGENT.value}}},
        "fallback": {"filter": {"term": {"kind": Kind.FALLBACK.value}}},
    }
    by_time = {"date_histogram": {"field": "at", "calendar_interval": interval, "min_doc_count": 1}, "aggs": counts}
    return {"filter": _AUTOMATIC, "aggs": {"by_time": by_time}}


def overrides(since: Any) -> dict[str, Any]:
    """Distinct decisions, made since then, that people moved against the verdict, by model and direction."""
    directions = {
        "to_standard": _moved(Kind.OVERRIDE, {"judged_verdict": Queue.URGENT, "queue": Queue.STANDARD}),
        "to_urgent": _moved(Kind.OVERRIDE, {"judged_verdict": Queue.STANDARD, "queue": Queue.URGENT}),
        "back_to_urgent": _moved(Kind.UNDONE, _back(Queue.URGENT)),
        "back_to_standard": _moved(Kind.UNDONE, _back(Queue.STANDARD)),
    }
    by_model = {"terms": {"field": "judged_model", "size": _EVERY_MODEL}, "aggs": directions}
    return {"filter": {"range": {"judged_at": {"gte": since}}}, "aggs": {"by_model": by_model}}


def latency() -> dict[str, Any]:
    """By model, in milliseconds; how many decisions each made comes with it."""
    timed = {
        stage: {"percentiles": {"field": f"milliseconds_{stage}", "percents": list(PERCENTS)}}
        for stage in ("total", "score")
    }
    return {
        "filter": _AUTOMATIC,
        "aggs": {"by_model": {"terms": {"field": "model", "size": SHOWN, "order": _MOST}, "aggs": timed}},
    }


def fallback_reasons() -> dict[str, Any]:
    return {
        "filter": {"term": {"kind": Kind.FALLBACK.value}},
        "aggs": {"by_cause": {"terms": {"field": "cause"}}},
    }


def volume() -> dict[str, Any]:
    """What was done about tickets, by kind."""
    return {
        "filter": {"terms": {"kind": [kind.value for kind in DECISIONS]}},
        "aggs": {"by_kind": {"terms": {"field": "kind", "size": len(DECISIONS)}}},
    }


def aggregations(interval: Any, since: Any) -> dict[str, dict[str, Any]]:
    """All of them by name. interval: of the calendar; since: where the window begins."""
    return {
        "urgent_share": urgent_share(interval),
        "overrides": overrides(since),
        "latency": latency(),
        "fallback_reasons": fallback_reasons(),
        "volume": volume(),
    }


def figures(window: Window, elasticsearch: Elasticsearch, index: str = ALIAS) -> Figures:
    """In one search. Raises ApiError and TransportError.

    Percentiles are exact up to 2,000 decisions of a model, and those of a t-digest beyond: a quantile is then off by
    less than one percent in rank. Distinct decisions are exact up to some 40,000 overrides of a model.
    """
    since, until = _written(window.since), _written(window.until)
    answer = elasticsearch.search(
        index=index,
        query={"bool": {"filter": [{"range": {"at": {"gte": since, "lt": until}}}]}},
        aggregations=aggregations(window.interval.value, since),
        size=0,
        track_total_hits=False,
        allow_partial_search_results=False,
    )["aggregations"]
    models = answer["latency"]["by_model"]["buckets"]
    moved = {bucket["key"]: bucket for bucket in answer["overrides"]["by_model"]["buckets"]}
    return Figures(
        series=dict(_series(answer["urgent_share"]["by_time"]["buckets"])),
        overrides=[_overrides(bucket["key"], bucket["doc_count"], moved.get(bucket["key"])) for bucket in models],
        latency=[Latency(one["key"], _percentiles(one["total"]), _percentiles(one["score"])) for one in models],
        causes=_counts(answer["fallback_reasons"]["by_cause"]),
        kinds=_counts(answer["volume"]["by_kind"]),
    )


def _moved(kind: Kind, values: dict[str, Queue]) -> dict[str, Any]:
    terms = [{"term": {"kind": kind.value}}, *({"term": {name: value.value}} for name, value in values.items())]
    return {"filter": {"bool": {"filter": terms}}, "aggs": _DISTINCT_JUDGED}


def _back(verdict: Queue) -> dict[str, Queue]:
    return {"judged_verdict": verdict, "queue": verdict, "previous_queue": verdict.other}


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _series(buckets: list[dict[str, Any]]) -> Iterator[tuple[datetime, Counts]]:
    for bucket in buckets:
        start = datetime.fromtimestamp(bucket["key"] / 1000, UTC)
        yield start, Counts(bucket["doc_count"], bucket["urgent"]["doc_count"], bucket["fallback"]["doc_count"])


def _overrides(model: str, decided: int, moved: dict[str, Any] | None) -> Overrides:
    if moved is None:
        return Overrides(model, decided)

    def count(direction: str) -> int:
        return int(moved[direction]["judged"]["value"])

    undone = count("back_to_urgent") + count("back_to_standard")
    return Overrides(model, decided, count("to_standard"), count("to_urgent"), undone)


def _percentiles(answer: dict[str, Any]) -> Percentiles | None:
    values = [answer["values"][f"{percent:.1f}"] for percent in PERCENTS]
    if None in values:
        return None
    p50, p95, p99 = map(round, values)
    return (p50, p95, p99)


def _counts(answer: dict[str, Any]) -> dict[str, int]:
    return {bucket["key"]: bucket["doc_count"] for bucket in answer["buckets"]}
