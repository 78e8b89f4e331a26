"""Walks the chain and says where it is broken first. Reads alone; trusts nothing but the bytes and the signatures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.forms.models import model_to_dict

from tickets.audit import merkle, notes
from tickets.audit.frontier import Frontier
from tickets.audit.keys import public_keys
from tickets.flow.canonical import chain_hash
from tickets.flow.record import decision_of
from tickets.models import Checkpoint, Decision, Entry, Kind, LogHead
from tickets.models.clock import moment
from tickets.models.entry import DECISIONS, GENESIS

_CHUNK = 2_000
_COLUMNS = ("seq", "at", "kind", "subject", "actor")


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry that is wrong, and what differs."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """entries: how many were right before the fault, or in all; head: the hash of the last right one.

    checkpoints: how many signed ones agreed. forks: what the log says of itself: a backup that was gone on from.
    """

    entries: int
    head: str
    fault: Fault | None = None
    checkpoints: int = 0
    forks: tuple[str, ...] = ()


@dataclass
class _Walk:
    """seq, at, hash: of the last right entry. tree: from entry 1 on, or not at all."""

    seq: int
    at: int
    hash: str
    tree: Frontier | None
    agreed: int = 0
    forks: list[str] = field(default_factory=list)


class _Wrong(Exception):
    """What is wrong with an entry."""


def verify(
    first: int = 1,
    last: int | None = None,
    progress: Callable[[int], object] = int,
    against: Iterable[str] = (),
    keys: Iterable[str] = (),
) -> Report:
    """Checks chain, order, columns, derived decisions and checkpoints of entries `first` to `last` (None: the end).

    against: signed notes that were kept elsewhere. keys: whose signatures count; else all that the database knows.
    """
    walk = _start(first)
    try:
        known = public_keys(keys)
        signed = _checkpoints(first, last, against, known)
        for entries in _chunks(first, last):
            numbers = [entry.seq for entry in entries if entry.kind in DECISIONS]
            decisions = Decision.objects.in_bulk(numbers)
            for entry in entries:
                _step(walk, entry, decisions.get(entry.seq), signed.get(entry.seq, ()))
            progress(walk.seq)
        _check_end(walk, last, signed)
    except _Wrong as wrong:
        return _report(walk, first, Fault(walk.seq + 1, str(wrong)))
    except notes.NoteRefused as refused:
        return _report(walk, first, Fault(walk.seq, str(refused)))
    return _report(walk, first, _wrong_head(walk) if last is None else None)


def _start(first: int) -> _Walk:
    if first <= 1:
        return _Walk(0, 0, GENESIS, Frontier())
    before = Entry.objects.get(seq=first - 1)
    return _Walk(before.seq, before.at, before.hash, None)


def _report(walk: _Walk, first: int, fault: Fault | None) -> Report:
    return Report(walk.seq - max(0, first - 1), walk.hash, fault, walk.agreed, tuple(walk.forks))


def _checkpoints(
    first: int, last: int | None, against: Iterable[str], known: Mapping[str, Ed25519PublicKey]
) -> dict[int, list[notes.Checkpoint]]:
    """Every signed checkpoint from `first` on, by size. Raises notes.NoteRefused."""
    rows = Checkpoint.objects.filter(size__gte=first).order_by("size")
    stored = rows.filter(size__lte=last) if last is not None else rows
    found: dict[int, list[notes.Checkpoint]] = {}
    for note in [*stored.values_list("note", flat=True), *against]:
        checkpoint = notes.verify(note, known)
        if checkpoint.size >= first and (last is None or checkpoint.size <= last):
            found.setdefault(checkpoint.size, []).append(checkpoint)
    return found


def _chunks(first: int, last: int | None) -> Iterator[list[Entry]]:
    after = first - 1
    while True:
        rows = Entry.objects.filter(seq__gt=after).order_by("seq")
        entries = list(rows.filter(seq__lte=last)[:_CHUNK] if last is not None else rows[:_CHUNK])
        if not entries:
            return
        yield entries
        after = entries[-1].seq


def _step(walk: _Walk, entry: Entry, decision: Decision | None, signed: Iterable[notes.Checkpoint]) -> None:
    """One entry further. Raises _Wrong."""
    if entry.seq != walk.seq + 1:
        raise _Wrong(f"entry {walk.seq + 1} is missing; the next one is {entry.seq}")
    if entry.prev_hash != walk.hash:
        raise _Wrong(f"prev_hash is {entry.prev_hash}, but the entry before it has {walk.hash}")
    raw = bytes(entry.body)
    if (computed := chain_hash(walk.hash, raw)) != entry.hash:
        raise _Wrong(f"hash is {entry.hash}, but its bytes give {computed}")
    body = _body(raw)
    for name in _COLUMNS:
        if getattr(entry, name) != body.get(name):
            raise _Wrong(f"column {name} is {getattr(entry, name)!r}, but the bytes say {body.get(name)!r}")
    if entry.at < walk.at:
        raise _Wrong(f"its time {moment(entry.at)} is before that of the entry before it, {moment(walk.at)}")
    if entry.kind in DECISIONS:
        _check_decision(body, decision)
    if walk.tree:
        walk.tree.append(merkle.leaf(bytes.fromhex(entry.hash)))
    for checkpoint in signed:
        _compare(checkpoint, entry, walk)
    if entry.kind == Kind.FORKED:
        walk.forks.append(f"{body['name']} after entry {body['after']}")
    walk.seq, walk.at, walk.hash = entry.seq, entry.at, entry.hash


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise _Wrong(f"its bytes are no JSON: {error}") from error
    if not isinstance(body, dict):
        raise _Wrong("its bytes are no JSON object")
    return body


def _check_decision(body: dict[str, Any], decision: Decision | None) -> None:
    if decision is None:
        raise _Wrong("its row in the table of decisions is missing")
    derived, stored = model_to_dict(decision_of(body)), model_to_dict(decision)
    for name, value in derived.items():
        if stored[name] != value:
            raise _Wrong(f"decision column {name} is {stored[name]!r}, but the bytes say {value!r}")


def _compare(checkpoint: notes.Checkpoint, entry: Entry, walk: _Walk) -> None:
    """The log parted from what was signed at this entry or before it, after the last checkpoint that agreed."""
    signed = f"the checkpoint of {checkpoint.size} entries, signed for {moment(checkpoint.at)},"
    if checkpoint.head != entry.hash:
        raise _Wrong(
            f"{signed} has the head {checkpoint.head}, and the log has {entry.hash}: it was rewritten or split"
        )
    if walk.tree and checkpoint.root != walk.tree.root():
        raise _Wrong(f"{signed} has the Merkle root {checkpoint.root.hex()}, and the log has {walk.tree.root().hex()}")
    walk.agreed += 1


def _check_end(walk: _Walk, last: int | None, signed: Iterable[int]) -> None:
    if last is not None and walk.seq < last:
        raise _Wrong(f"entry {walk.seq + 1} is missing; the log ends at {walk.seq}")
    if longer := [size for size in signed if size > walk.seq]:
        raise _Wrong(f"a checkpoint of {max(longer)} entries was signed; the log ends at {walk.seq}: its tail is gone")


def _wrong_head(walk: _Walk) -> Fault | None:
    head = LogHead.objects.get(pk=1)
    # Entries written while this walk went on lie behind it, with a head to match.
    if head.seq < walk.seq or (head.seq == walk.seq and head.hash != walk.hash):
        return Fault(walk.seq, f"the head says entry {head.seq} with hash {head.hash}")
    if head.seq > walk.seq and not Entry.objects.filter(seq=walk.seq + 1).exists():
        return Fault(walk.seq + 1, f"entry {walk.seq + 1} is missing; the head says the log ends at {head.seq}")
    return None
