"""The bytes of a log entry: canonical JSON of integers, strings, lists and objects. docs/log-format.md describes it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson

from tickets.flow.decide import millionths

SCHEMA = 1


def encode(body: dict[str, Any]) -> bytes:
    """UTF-8, keys sorted, no blanks. Raises TypeError for floats, booleans and null: languages write them unalike.

    And for integers of more than 64 bits and halves of surrogate pairs, which not every language can read.
    """
    _refuse_inexact(body.values())
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def decode(body: bytes) -> Any:
    """What the bytes of an entry say. Raises ValueError where they are no JSON."""
    return orjson.loads(body)


def without_floats(value: Any) -> Any:
    """Figures as an entry holds them: each float an integer of millionths, tuples as lists."""
    if isinstance(value, dict):
        return {name: without_floats(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [without_floats(member) for member in value]
    return millionths(value) if isinstance(value, float) else value


def figures_digest(figures: dict[str, Any]) -> str:
    """SHA-256 in hex over the canonical JSON of the figures, with millionths in the place of fractions."""
    return hashlib.sha256(encode(without_floats(figures))).hexdigest()


def chain_hash(prev_hash: str, body: bytes) -> str:
    """SHA-256 in hex over the 32 bytes of the previous hash and the body."""
    return hashlib.sha256(bytes.fromhex(prev_hash) + body).hexdigest()


def _refuse_inexact(members: Iterable[Any]) -> None:
    for member in members:
        kind = type(member)
        if kind is int or kind is str:
            continue
        if kind is dict:
            _refuse_inexact(member.values())
        elif kind is list or kind is tuple:
            _refuse_inexact(member)
        elif not isinstance(member, str):
            raise TypeError(f"{member!r} has no canonical form; write an integer or a string")
