"""What may be asked about decisions, and what is found: the same words for whichever store answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tickets.models import Decision

FACETS = ("queue", "kind", "cause", "policy", "model", "actor")
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Query:
    """Every given condition must hold; empty and None ask for nothing.

    since is included, until is not. score_min, score_max: millionths, both included; they leave out what has no score.
    reason: letters in the free text of the reason, in any case. before: rows continue below this seq; counts do not.
    """

    ticket: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    queue: str = ""
    verdict: str = ""
    kind: str = ""
    cause: str = ""
    policy: int | None = None
    model: str = ""
    actor: str = ""
    score_min: int | None = None
    score_max: int | None = None
    needs_check: bool = False
    reason: str = ""
    before: int | None = None

    @property
    def chosen(self) -> dict[str, str | int]:
        """Facet -> its value, of the facets that have one."""
        return {name: value for name in FACETS if (value := getattr(self, name))}


@dataclass(frozen=True, slots=True)
class Row:
    """One decision, as the database has it. differs: the fields for which the copy has another value.

    is_only_in_copy: the database lacks it, so it is shown as the copy has it.
    """

    decision: Decision
    differs: tuple[str, ...] = ()
    is_only_in_copy: bool = False


@dataclass(frozen=True, slots=True)
class Facet:
    """How many decisions each value has under the conditions of all other facets: the most frequent, ties by value.

    others: decisions whose value is not among them. Decisions without a value, such as a person's without a model, are
    in neither. is_exact: False where there were too many values to count each in every shard.
    """

    name: str
    counts: tuple[tuple[str | int, int], ...]
    others: int = 0
    is_exact: bool = True

    @classmethod
    def of(cls, name: str, counted: Mapping[str | int, int]) -> Facet:
        ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        return cls(name, tuple(ordered[:SHOWN]), sum(count for _, count in ordered[SHOWN:]))


@dataclass(frozen=True, slots=True)
class Found:
    """One page of rows, latest first; total and facets count the whole search, as it was at counted_at."""

    rows: Sequence[Row]
    has_older: bool
    total: int
    facets: Sequence[Facet]
    counted_at: datetime
