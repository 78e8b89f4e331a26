"""The bytes of a log entry: canonical JSON of integers, strings, lists and objects. docs/log-format.md describes it."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from tickets.flow.decide import millionths

SCHEMA = 1


def encode(body: dict[str, Any]) -> bytes:
    """UTF-8, keys sorted, no blanks. Raises TypeError for floats, booleans and null: languages write them unalike.

    And for integers of more than 64 bits and halves of surrogate pairs, which not every language can read.
    """
    _refuse_inexact(body)
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


def chain_hash(prev_hash: str, body: bytes) -> str:
    """SHA-256 in hex over the 32 bytes of the previous hash and the body."""
    return hashlib.sha256(bytes.fromhex(prev_hash) + body).hexdigest()


def _refuse_inexact(value: Any) -> None:
    if type(value) is dict:
        for member in value.values():
            _refuse_inexact(member)
    elif type(value) in (list, tuple):
        for member in value:
            _refuse_inexact(member)
    elif not (type(value) is int or isinstance(value, str)):
        raise TypeError(f"{value!r} has no canonical form; write an integer or a string")
