"""Walks the chain and says where it is broken first. Reads alone; trusts nothing but the bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.forms.models import model_to_dict

from tickets.flow.canonical import chain_hash
from tickets.flow.record import decision_of
from tickets.models import Decision, Entry, LogHead
from tickets.models.entry import DECISIONS, GENESIS

_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry that is wrong, and what differs."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """entries: how many were right before the fault, or in all; head: the hash of the last right one."""

    entries: int
    head: str
    fault: Fault | None = None


def verify(first: int = 1, last: int | None = None, progress: Callable[[int], object] = int) -> Report:
    """Checks hash, link, order, columns and derived decisions of entries `first` to `last` (None: the end)."""
    previous = _hash_before(first)
    seq = first - 1
    for entries in _chunks(first, last):
        decisions = Decision.objects.in_bulk([entry.seq for entry in entries if entry.kind in DECISIONS])
        for entry in entries:
            if wrong := _what_is_wrong(entry, seq, previous, decisions.get(entry.seq)):
                return Report(seq - first + 1, previous, Fault(seq + 1, wrong))
            seq, previous = entry.seq, entry.hash
        progress(seq)
    return Report(seq - first + 1, previous, _missing_end(seq, previous, last))


def _hash_before(first: int) -> str:
    if first <= 1:
        return GENESIS
    return Entry.objects.values_list("hash", flat=True).get(seq=first - 1)


def _chunks(first: int, last: int | None) -> Iterator[list[Entry]]:
    after = first - 1
    while True:
        rows = Entry.objects.filter(seq__gt=after).order_by("seq")
        entries = list(rows.filter(seq__lte=last)[:_CHUNK] if last is not None else rows[:_CHUNK])
        if not entries:
            return
        yield entries
        after = entries[-1].seq


def _what_is_wrong(entry: Entry, seq: int, previous: str, decision: Decision | None) -> str:
    if entry.seq != seq + 1:
        return f"entry {seq + 1} is missing; the next one is {entry.seq}"
    if entry.prev_hash != previous:
        return f"prev_hash is {entry.prev_hash}, but the entry before it has {previous}"
    raw = bytes(entry.body)
    if (computed := chain_hash(previous, raw)) != entry.hash:
        return f"hash is {entry.hash}, but its bytes give {computed}"
    try:
        body = json.loads(raw)
    except ValueError as error:
        return f"its bytes are no JSON: {error}"
    for name in ("seq", "at", "kind", "subject", "actor"):
        if getattr(entry, name) != body[name]:
            return f"column {name} is {getattr(entry, name)!r}, but the bytes say {body[name]!r}"
    return _wrong_decision(body, decision) if entry.kind in DECISIONS else ""


def _wrong_decision(body: dict[str, object], decision: Decision | None) -> str:
    if decision is None:
        return "its row in the table of decisions is missing"
    derived, stored = model_to_dict(decision_of(body)), model_to_dict(decision)
    for name, value in derived.items():
        if stored[name] != value:
            return f"decision column {name} is {stored[name]!r}, but the bytes say {value!r}"
    return ""


def _missing_end(seq: int, previous: str, last: int | None) -> Fault | None:
    if last is not None:
        return None if seq >= last else Fault(seq + 1, f"entry {seq + 1} is missing; the log ends at {seq}")
    head = LogHead.objects.get(pk=1)
    # Entries written while this walk went on lie behind it, with a head to match.
    if head.seq < seq or (head.seq == seq and head.hash != previous):
        return Fault(seq, f"the head says entry {head.seq} with hash {head.hash}")
    if head.seq > seq and not Entry.objects.filter(seq=seq + 1).exists():
        return Fault(seq + 1, f"entry {seq + 1} is missing; the head says the log ends at {head.seq}")
    return None
