"""Strategies for logs and for what may be asked about them, and a reading of the same query in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count

from hypothesis import strategies as st

from tickets.audit.search_query import FACETS, SHOWN, Facet, Query
from tickets.flow.record import Draft, record
from tickets.models import Cause, Decision, Kind, Queue
from tickets.models.entry import AUTOMATIC, BY_PERSON, DECISIONS

# More than a facet shows, and in an order that UTF-8 and UTF-16 disagree about.
ACTORS = ["sweep", "Sweep", "user:1", "user:10", "user:é", "user:\ufffd", "user:\U0001f600", *map(str, range(8))]
MODELS = ["compact-1", "keyword-1", "Compact-1"]
SCORES = [0, 1, 499_999, 500_000, 700_000, 700_001, 1_000_000]
REASONS = ["", "no outage", "100 % sure", "NO_OUTAGE", "<b>no</b>"]
_versions = count(1)


@st.composite
def automatic(draw: st.DrawFn) -> Draft:
    score = draw(st.sampled_from(SCORES))
    content = {
        "cause": draw(st.sampled_from(Cause.values)),
        "score": score,
        "threshold": 700_000,
        "confidence": max(score, 1_000_000 - score),
        "verdict": Queue.of(score, 700_000).value,
        "model": {"name": draw(st.sampled_from(MODELS)), "digest": "0" * 64},
        "milliseconds": {"score": 3},
    }
    return draw(about(st.sampled_from(AUTOMATIC), content, st.just("")))


@st.composite
def about(
    draw: st.DrawFn, kinds: st.SearchStrategy[Kind], more: dict[str, object], reasons: st.SearchStrategy[str]
) -> Draft:
    ticket = draw(st.integers(1, 4))
    content = {
        "ticket": ticket,
        "policy": draw(st.integers(1, 3)),
        "queue": draw(st.sampled_from(Queue.values)),
        "needs_check": draw(st.integers(0, 1)),
    }
    actor, reason = draw(st.sampled_from(ACTORS)), draw(reasons)
    return Draft(draw(kinds), f"ticket:{ticket}", actor, content | more, reason)


def by_person() -> st.SearchStrategy[Draft]:
    return about(st.sampled_from((*BY_PERSON, Kind.UNDONE)), {}, st.sampled_from(REASONS))


def about_no_ticket() -> st.SearchStrategy[Draft]:
    return st.builds(
        Draft, st.just(Kind.POLICY_CREATED), st.just("policy:9"), st.just("user:1"), st.just({"policy": 1})
    )


def logs() -> st.SearchStrategy[list[Draft]]:
    return st.lists(st.one_of(automatic(), automatic(), by_person(), about_no_ticket()), min_size=1, max_size=12)


def append(log: Sequence[Draft]) -> list[Decision]:
    """Records the drafts, each about a version of its own; returns all decisions so far."""
    record([_with_version(draft) if draft.kind in DECISIONS else draft for draft in log])
    return list(Decision.objects.order_by("pk"))


def _with_version(draft: Draft) -> Draft:
    version = {"version": next(_versions), "digest": "0" * 64, "normaliser": 1, "characters": 1}
    return replace(draft, content=draft.content | {"input": version})


def queries() -> st.SearchStrategy[Callable[[Sequence[Decision]], Query]]:
    """Queries whose bounds of time are those of some decisions in the log they are asked of."""
    numbers = st.none() | st.integers(0, 200)
    return st.builds(
        lambda query, since, until: lambda rows: replace(query, since=_at(rows, since), until=_at(rows, until)),
        _timeless(),
        numbers,
        numbers,
    )


def _at(rows: Sequence[Decision], number: int | None) -> datetime | None:
    return rows[number % len(rows)].at if rows and number is not None else None


def _timeless() -> st.SearchStrategy[Query]:
    def perhaps(values: Sequence[object], nothing: object = None) -> st.SearchStrategy[object]:
        return st.one_of(st.just(nothing), st.just(nothing), st.just(nothing), st.sampled_from(values))

    return st.builds(
        Query,
        ticket=perhaps([1, 2, 3, 4, 5]),
        queue=perhaps(Queue.values, ""),
        verdict=perhaps(Queue.values, ""),
        kind=perhaps([*AUTOMATIC, *BY_PERSON, Kind.UNDONE], ""),
        cause=perhaps(Cause.values, ""),
        policy=perhaps([1, 2, 3, 4]),
        model=perhaps(MODELS, ""),
        actor=perhaps(ACTORS, ""),
        score_min=perhaps(SCORES),
        score_max=perhaps(SCORES),
        needs_check=st.booleans(),
        before=perhaps(range(1, 100)),
    )


def matching(query: Query, decisions: Sequence[Decision], without: str = "") -> list[Decision]:
    """Latest first, below `before` or not; `without` the condition of one facet."""

    def holds(row: Decision) -> bool:
        facets = all(value_of(row, name) == value for name, value in query.chosen.items() if name != without)
        return (
            facets
            and query.ticket in (None, row.ticket_id)
            and query.verdict in ("", row.verdict)
            and (query.since is None or row.at >= query.since)
            and (query.until is None or row.at < query.until)
            and (query.score_min is None or (row.score is not None and row.score >= query.score_min))
            and (query.score_max is None or (row.score is not None and row.score <= query.score_max))
            and (row.needs_check or not query.needs_check)
        )

    return sorted(filter(holds, decisions), key=lambda row: -row.seq)


def facets(query: Query, decisions: Sequence[Decision]) -> list[Facet]:
    found = []
    for name in FACETS:
        values = [value_of(row, name) for row in matching(query, decisions, without=name)]
        counted = Counter(value for value in values if value != "")
        ordered = sorted(counted, key=lambda value: (-counted[value], value))
        counts = tuple((value, counted[value]) for value in ordered[:SHOWN])
        found.append(Facet(name, counts, sum(counted[value] for value in ordered[SHOWN:])))
    return found


def value_of(row: Decision, facet: str) -> str | int:
    return getattr(row, {"policy": "policy_number", "model": "model_name"}.get(facet, facet))
