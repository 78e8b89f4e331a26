"""The database answers a search: the embedded default, and whenever the copy cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.db.models import Count
from django.utils import timezone

from tickets.audit.search_query import FACETS, Facet, Found, Query, Row
from tickets.models import Decision, Reason
from tickets.models.decision import Decisions

_COLUMNS = {name: name for name in FACETS} | {"policy": "policy_number", "model": "model_name"}
_Group = tuple[dict[str, str | int], int]


def find(query: Query, size: int) -> Found:
    """In two queries: the page, and one count by all facets at once, of which each facet is a margin."""
    counted_at, within = timezone.now(), _within(query)
    page = within.filter(**{_COLUMNS[name]: value for name, value in query.chosen.items()})
    if query.before is not None:
        page = page.filter(entry__lt=query.before)
    rows = [Row(decision) for decision in page.with_calibration().order_by("-entry")[: size + 1]]
    groups = _groups(within)
    return Found(
        rows=rows[:size],
        has_older=len(rows) > size,
        total=sum(count for values, count in groups if _matches(values, query.chosen)),
        facets=[_facet(name, groups, query) for name in FACETS],
        counted_at=counted_at,
    )


def _within(query: Query) -> Decisions:
    """Under every condition but those of facets, which each facet sets aside for itself."""
    conditions = {
        "ticket_id": query.ticket,
        "at__gte": query.since,
        "at__lt": query.until,
        "verdict": query.verdict or None,
        "score__gte": query.score_min,
        "score__lte": query.score_max,
        "needs_check": query.needs_check or None,
    }
    found = Decision.objects.filter(**{name: value for name, value in conditions.items() if value is not None})
    if query.reason:
        found = found.filter(pk__in=Reason.objects.filter(text__icontains=query.reason).values("seq"))
    return found


def _groups(within: Decisions) -> list[_Group]:
    rows = within.order_by().values_list(*(_COLUMNS[name] for name in FACETS)).annotate(Count("pk"))
    return [(dict(zip(FACETS, row[:-1], strict=True)), row[-1]) for row in rows]


def _facet(name: str, groups: Sequence[_Group], query: Query) -> Facet:
    elsewhere = {other: value for other, value in query.chosen.items() if other != name}
    counted: Counter[str | int] = Counter()
    for values, count in groups:
        if values[name] != "" and _matches(values, elsewhere):
            counted[values[name]] += count
    return Facet.of(name, counted)


def _matches(values: dict[str, str | int], chosen: dict[str, str | int]) -> bool:
    return all(values[name] == value for name, value in chosen.items())
