"""Step 2: claim tickets that wait, and score them in one call."""

from __future__ import annotations

import functools
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import F, Q
from django.utils.module_loading import import_string

from scoring.types import Model, Request, Score, Scorer, Unavailable
from tickets.models import Cause, Input, Waiting

MAX_FAILED_CLAIMS = 3
"""After so many failed claims of one text the fallback decides."""
MAX_CLAIMS = 10
"""After so many the model is not asked again: the text itself must be what breaks it."""


class ScoringFailed(Exception):
    """The scorer raised, or said something that is no score."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch of tickets held until the lease runs out. token: what settling must still find on their rows."""

    token: int
    at: datetime
    ticket_ids: tuple[int, ...]
    texts: tuple[str, ...]
    rubric: str


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of a claim, in its order, and how long the scorer took for all of them."""

    scores: tuple[Score, ...]
    milliseconds: int


@functools.cache
def scorer() -> Scorer:
    """This process's scorer, loaded once. Only score workers and commands may call this."""
    return scorer_class()()


def scorer_class() -> type[Scorer]:
    """The class SCORER names; reading its identity loads no weights."""
    return import_string(settings.SCORER)


def identity() -> Model:
    return scorer_class().identity()


def claim(now: datetime, rubric: str, limit: int) -> Claim | None:
    """Holds up to `limit` tickets that are in turn, or None. Call inside a transaction."""
    rows = _in_turn(now, limit)
    if not rows:
        return None
    token = secrets.randbits(62) + 1
    ticket_ids = tuple(row.ticket_id for row in rows)
    Waiting.objects.filter(pk__in=ticket_ids).update(
        claim=token, available_at=now + settings.LEASE, attempts=F("attempts") + 1
    )
    texts = {row.ticket_id: row.text for row in _inputs(token)}
    return Claim(token, now, ticket_ids, tuple(texts[ticket_id] for ticket_id in ticket_ids), rubric)


def score(held: Claim) -> Scored:
    """One call of the scorer for the whole claim, outside any transaction. Raises ScoringFailed, Unavailable."""
    started = time.monotonic()
    requests = [Request(text, held.rubric) for text in held.texts]
    try:
        scores = scorer().score(requests)
    except Unavailable:
        raise
    except Exception as error:
        raise ScoringFailed(f"{type(error).__name__}: {error}"[:500]) from error
    _refuse_nonsense(scores, len(requests))
    return Scored(tuple(scores), round((time.monotonic() - started) * 1000))


def _in_turn(now: datetime, limit: int) -> list[Waiting]:
    """Rows in turn, locked. A row that failed before goes alone, so that it can spoil no batch again."""
    may_be_claimed = Q(attempts__lt=MAX_FAILED_CLAIMS) | Q(cause=Cause.LATE, attempts__lt=MAX_CLAIMS)
    rows = list(
        Waiting.objects.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        .filter(may_be_claimed, available_at__lte=now)
        .order_by("lane", "ticket_id")[:limit]
    )
    if rows and rows[0].attempts:
        return rows[:1]
    return [row for row in rows if not row.attempts]


def _inputs(token: int) -> list[Input]:
    return list(Input.objects.filter(ticket__waiting__claim=token, version=F("ticket__waiting__input_version")))


def _refuse_nonsense(scores: Sequence[Score], expected: int) -> None:
    if len(scores) != expected:
        raise ScoringFailed(f"{len(scores)} scores for {expected} texts")
    for given in scores:
        if not math.isfinite(given.margin):
            raise ScoringFailed(f"the margin is {given.margin}")
