"""What the page of a search shows: rows, facets, and who answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tickets.audit.highlight import Stretch, stretches
from tickets.audit.search import Answer
from tickets.audit.search_query import Row
from tickets.models import Reason
from tickets.web.decision_facets import facet_links
from tickets.web.decision_search import DecisionSearch
from tickets.web.names import names_of


@dataclass(frozen=True, slots=True)
class Beside:
    """What a row says beside its decision. reason: cut at the searched letters; empty where none were searched."""

    who: str
    row: Row
    reason: Sequence[Stretch] = ()


def results(search: DecisionSearch, answer: Answer) -> dict[str, Any]:
    """The context of the page, in as many queries for many rows as for few."""
    found, wanted = answer.found, search.cleaned_data["reason"]
    names = names_of(_actors(answer))
    reasons = _reasons(found.rows) if wanted else {}
    return {
        "search": search,
        "answer": answer,
        "found": found,
        "rows": [
            (row.decision, Beside(names[row.decision.actor], row, stretches(reasons.get(row.decision.seq, ""), wanted)))
            for row in found.rows
        ],
        "only_in_copy": sum(row.is_only_in_copy for row in found.rows),
        "differing": sum(bool(row.differs) for row in found.rows),
        "facets": facet_links(search, found, names),
        "older": search.address(before=found.rows[-1].decision.seq) if found.has_older else "",
        "newest": search.address(before=None) if search.cleaned_data["before"] else "",
        "is_filtered": search.address(before=None) != "?",
    }


def _actors(answer: Answer) -> list[str]:
    counted = next(facet.counts for facet in answer.found.facets if facet.name == "actor")
    return [row.decision.actor for row in answer.found.rows] + [str(value) for value, _ in counted]


def _reasons(rows: Sequence[Row]) -> Mapping[int, str]:
    return dict(Reason.objects.filter(pk__in=[row.decision.seq for row in rows]).values_list("seq", "text"))
