"""The log's copy answers a search: which decisions match, and how many. What they hold is read from the database.

Pages continue with search_after on seq alone, without a point in time: seq is unique and the log only grows, at its
upper end, so what lies below a seq stays as it is. A point in time would freeze the moment in which entries are still
becoming searchable, would hold segments open in the server, and expires, so that no link could carry it. Only the
counts would stand still with it; they say when they were counted instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from elasticsearch import Elasticsearch

from tickets.audit.archive import archived_through
from tickets.audit.search_query import FACETS, SHOWN, Facet, Found, Query, Row
from tickets.audit.ship import ALIAS
from tickets.models import Decision
from tickets.models.entry import DECISIONS

# A shard names so many values of a facet, so that the sums over all shards are exact up to there.
_VALUES_A_SHARD = 10_000
# What date_nanos can hold; a condition beyond it is an error.
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 4, 11, tzinfo=UTC)
_COLUMNS = {
    "at": "at",
    "ticket_id": "ticket",
    "input_version": "input_version",
    "kind": "kind",
    "cause": "cause",
    "actor": "actor",
    "score": "score",
    "threshold": "threshold",
    "confidence": "confidence",
    "verdict": "verdict",
    "queue": "queue",
    "needs_check": "needs_check",
    "policy_number": "policy",
    "model_name": "model",
}
_AT = {"field": "at", "format": "strict_date_optional_time_nanos"}
_ABSENT = {"cause": "", "verdict": "", "model_name": "", "needs_check": False}


def find(query: Query, size: int, elasticsearch: Elasticsearch, index: str = ALIAS) -> Found:
    """Two searches and one query. Raises ApiError and TransportError."""
    hits = latest(query, size + 1, elasticsearch, index)
    counted_at, counted = timezone.now(), count(query, elasticsearch, index)
    return Found(
        rows=_rows(hits[:size]),
        has_older=len(hits) > size,
        total=counted["hits"]["total"]["value"],
        facets=[_facet(name, counted["aggregations"][name]["values"]) for name in FACETS],
        counted_at=counted_at,
    )


def latest(query: Query, size: int, elasticsearch: Elasticsearch, index: str) -> list[dict[str, Any]]:
    """Hits below query.before. Apart from counting, so that Elasticsearch reads no further than the page."""
    answer = elasticsearch.search(
        index=index,
        query=_all_of(_within(query) + _terms(query.chosen)),
        sort=[{"seq": "desc"}],
        search_after=None if query.before is None else [query.before],
        size=size,
        source=False,
        docvalue_fields=["seq", *(name for name in _COLUMNS.values() if name != "at"), _AT],
        track_total_hits=False,
        allow_partial_search_results=False,
    )
    return answer["hits"]["hits"]


def count(query: Query, elasticsearch: Elasticsearch, index: str) -> Any:
    """The total and the facets. Without hits each shard keeps its answer until it changes, for the next pages too."""
    return elasticsearch.search(
        index=index,
        query=_all_of(_within(query)),
        post_filter=_all_of(_terms(query.chosen)),
        aggregations={name: _aggregation(name, query) for name in FACETS},
        size=0,
        track_total_hits=True,
        allow_partial_search_results=False,
    )


def _within(query: Query) -> list[dict[str, Any]]:
    """Every condition but those of facets, which each facet sets aside for itself. Entries about no ticket stay out."""
    exact = {"ticket": query.ticket, "verdict": query.verdict, "needs_check": query.needs_check}
    return [
        {"terms": {"kind": [kind.value for kind in DECISIONS]}},
        # What was archived is not read from here any more, though its index may stay for the rest of the month.
        *_range("seq", gt=archived_through() or None),
        *_terms({name: value for name, value in exact.items() if value}),
        *_range("score", gte=query.score_min, lte=query.score_max),
        *_range("at", gte=_bounded(query.since), lt=_bounded(query.until)),
    ]


def _terms(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"term": {name: value}} for name, value in values.items()]


def _range(name: str, **bounds: str | int | None) -> list[dict[str, Any]]:
    given = {bound: value for bound, value in bounds.items() if value is not None}
    return [{"range": {name: given}}] if given else []


def _bounded(at: datetime | None) -> str | None:
    return None if at is None else min(max(at, _FIRST), _LAST).astimezone(UTC).isoformat(timespec="microseconds")


def _all_of(conditions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """In filter context: nothing is ranked, and what recurs is cached."""
    return {"bool": {"filter": conditions}}


def _aggregation(name: str, query: Query) -> dict[str, Any]:
    elsewhere = {other: value for other, value in query.chosen.items() if other != name}
    terms = {
        "field": name,
        "size": SHOWN,
        "shard_size": _VALUES_A_SHARD,
        "order": [{"_count": "desc"}, {"_key": "asc"}],
    }
    return {"filter": _all_of(_terms(elsewhere)), "aggregations": {"values": {"terms": terms}}}


def _facet(name: str, values: dict[str, Any]) -> Facet:
    counts = tuple((bucket["key"], bucket["doc_count"]) for bucket in values["buckets"])
    return Facet(name, counts, values["sum_other_doc_count"], values["doc_count_error_upper_bound"] == 0)


def _rows(hits: Iterable[dict[str, Any]]) -> list[Row]:
    copies = [_copy(hit["fields"]) for hit in hits]
    stored = Decision.objects.with_calibration().in_bulk([copy.seq for copy in copies])
    return [_row(copy, stored.get(copy.seq)) for copy in copies]


def _row(copy: Decision, stored: Decision | None) -> Row:
    if stored is None:
        return Row(copy, is_only_in_copy=True)
    return Row(stored, tuple(name for name in _COLUMNS if getattr(stored, name) != getattr(copy, name)))


def _copy(fields: dict[str, list[Any]]) -> Decision:
    """The decision as the copy tells it; never saved."""
    values = {column: fields[name][0] if name in fields else _ABSENT.get(column) for column, name in _COLUMNS.items()}
    values["at"] = datetime.fromisoformat(str(values["at"])) if values["at"] else None
    copy = Decision(entry_id=fields["seq"][0], **values)
    copy.calibration = ""
    return copy
