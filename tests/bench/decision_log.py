"""A log of decisions as long as wanted, made without a database: what a copy of it would hold."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

from tickets.flow.canonical import chain_hash, encode
from tickets.models import Cause, Entry, Kind, Queue
from tickets.models.entry import GENESIS

START, APART = 1_767_225_600_000_000, 2_000_000
"""The first entry's microseconds since 1970, and those between two: a million decisions in 23 days."""

KINDS = {Kind.SCORED: 80, Kind.RESCORED: 8, Kind.FALLBACK: 4, Kind.OVERRIDE: 4, Kind.CONFIRMED: 3, Kind.UNDONE: 1}
MODELS = ["compact-1", "compact-2", "worldpm-72b"]
POLICIES, PEOPLE = 12, 200
_THRESHOLD = 700_000
_BY_PERSON = (Kind.OVERRIDE, Kind.CONFIRMED, Kind.UNDONE)


def entries(number: int) -> Iterator[Entry]:
    """Of one log with one policy after another; seeded, so that every run asks the same."""
    dice, previous = random.Random(1), GENESIS
    kinds = dice.choices([*KINDS], [*KINDS.values()], k=number)
    for seq, kind in enumerate(kinds, 1):
        body = _body(dice, seq, kind, number)
        encoded = encode(body)
        entry = Entry(
            seq=seq, at=body["at"], kind=kind.value, subject=body["subject"], actor=body["actor"], body=encoded
        )
        entry.prev_hash, entry.hash = previous, chain_hash(previous, encoded)
        previous = entry.hash
        yield entry


def _body(dice: random.Random, seq: int, kind: Kind, number: int) -> dict[str, object]:
    ticket, score = max(1, seq - dice.randrange(50)), round(1_000_000 * dice.betavariate(0.8, 2))
    queue = Queue.of(score, _THRESHOLD)
    body = {
        "schema": 1,
        "seq": seq,
        "at": START + seq * APART,
        "kind": kind.value,
        "subject": f"ticket:{ticket}",
        "actor": f"user:{dice.randrange(1, PEOPLE)}" if kind in _BY_PERSON else f"worker:gpu-{dice.randrange(4)}",
        "ticket": ticket,
        "input": {"version": 1, "digest": _digest(seq), "normaliser": 1, "characters": dice.randrange(20, 4_000)},
        "policy": 1 + POLICIES * seq // (number + 1),
        "queue": queue.value,
        "needs_check": int(abs(score - _THRESHOLD) < 50_000),
        "decided_by": "person" if kind in _BY_PERSON else "model",
    }
    return body if kind in _BY_PERSON else body | _automatic(dice, seq, score, queue)


def _automatic(dice: random.Random, seq: int, score: int, queue: Queue) -> dict[str, object]:
    return {
        "cause": dice.choice(Cause.values),
        "score": score,
        "margin": score - 500_000,
        "threshold": _THRESHOLD,
        "confidence": max(score, 1_000_000 - score),
        "verdict": queue.value,
        "model": {"name": dice.choice(MODELS), "digest": _digest(0)},
        "calibration": {"version": "1", "a": 1_000_000, "b": 0},
        "rubric_digest": _digest(1),
        "evidence": [[at, at + 8, dice.randrange(-900_000, 900_000)] for at in range(0, 80, 10)],
        "milliseconds": {"wait": dice.randrange(900), "score": dice.randrange(90)},
        "tokens": dice.randrange(20, 900),
    }


def _digest(seq: int) -> str:
    return hashlib.sha256(str(seq).encode()).hexdigest()
