"""The facets of a search as links: each narrows it to a value, or widens it again where that value is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tickets.audit.search_query import Found
from tickets.models import Cause, Queue
from tickets.models.entry import DECISIONS
from tickets.web.decision_search import DecisionSearch

_LABELS: dict[str, dict[str, str]] = {
    "queue": {queue.value: str(queue.label) for queue in Queue},
    "kind": {kind.value: str(kind.label) for kind in DECISIONS},
    "cause": {cause.value: str(cause.label) for cause in Cause},
}


@dataclass(frozen=True, slots=True)
class FacetValue:
    """address: of the search with this value, or without it where it is chosen."""

    label: str
    count: int
    address: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class FacetLinks:
    """others: decisions under values that are not named here."""

    title: str
    values: Sequence[FacetValue]
    others: int
    is_exact: bool


def facet_links(search: DecisionSearch, found: Found, names: Mapping[str, str]) -> list[FacetLinks]:
    """names: of actors. A chosen value is named even where no decision or too few have it."""
    chosen = search.query().chosen
    links = []
    for facet in found.facets:
        counts, others = dict(facet.counts), facet.others
        value = chosen.get(facet.name)
        if value is not None and value not in counts:
            # Without this facet's own condition as many have the value as the whole search finds.
            counts[value] = found.total
            others -= found.total
        labels = names if facet.name == "actor" else _LABELS.get(facet.name, {})
        values = [
            FacetValue(
                label=labels.get(str(key), str(key)),
                count=count,
                address=search.address(**{facet.name: None if key == value else key}, before=None),
                is_chosen=key == value,
            )
            for key, count in counts.items()
        ]
        links.append(FacetLinks(facet.name.capitalize(), values, others, facet.is_exact))
    return links
