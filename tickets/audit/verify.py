"""Walks the chain and says where it is broken first. Reads alone; trusts nothing but the bytes and the signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db.models import Exists, OuterRef, Q

from tickets.audit import merkle, notes
from tickets.audit.archived import ArchiveWrong, archived
from tickets.audit.beside import Beside, beside
from tickets.audit.frontier import Frontier
from tickets.audit.keys import public_keys
from tickets.flow.canonical import chain_hash, decode
from tickets.flow.record import decision_of
from tickets.models import Checkpoint, Decision, Entry, Evaluation, Kind, LogHead
from tickets.models.clock import moment
from tickets.models.entry import DECISIONS, GENESIS

_CHUNK = 2_000
_DECISIONS = {kind.value for kind in DECISIONS}
_IN_BODY = ("seq", "at", "kind", "subject", "actor")


class _Row(NamedTuple):
    """An entry as the database has it."""

    seq: int
    at: int
    kind: str
    subject: str
    actor: str
    body: bytes
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry that is wrong, and what differs."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """entries: how many were right before the fault, or in all; head: the hash of the last right one.

    checkpoints: how many signed ones agreed. forks: what the log says of itself: a backup that was gone on from.
    archived: entries up to there are in archives and were passed over, as were so many checkpoints in `passed`.
    root: of the tree up to the last right entry, in hex; empty where the walk began within the log.
    """

    entries: int
    head: str
    fault: Fault | None = None
    checkpoints: int = 0
    forks: tuple[str, ...] = ()
    archived: int = 0
    passed: int = 0
    root: str = ""


@dataclass
class _Walk:
    """seq, at, hash: of the last right entry. tree: from entry 1 on, or not at all. archived: passed over."""

    seq: int
    at: int
    hash: str
    tree: Frontier | None
    agreed: int = 0
    archived: int = 0
    passed: int = 0
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
    """Checks chain, order, columns, derived decisions, evaluations and checkpoints of entries `first` to `last` (None:
    the end), and those reasons and texts that are still stored.

    Begins behind what was archived. against: signed notes that were kept elsewhere. keys: whose signatures count; else
    all that the database knows.
    """
    try:
        walk = _start(first)
    except ArchiveWrong as wrong:
        return Report(0, GENESIS, Fault(wrong.seq, str(wrong)))
    except Entry.DoesNotExist:
        before = first - 1
        return Report(0, "", Fault(before, f"entry {before} is missing, so there is nothing to link entry {first} to"))
    first = walk.seq + 1
    try:
        known = public_keys(keys)
        signed = _checkpoints(walk, last, against, known)
        for rows in _chunks(first, last):
            stored = beside(rows[0].seq, rows[-1].seq)
            for row in rows:
                _step(walk, row, stored, signed.get(row.seq, ()))
            progress(walk.seq)
        _check_end(walk, last, signed)
    except _Wrong as wrong:
        return _report(walk, first, Fault(walk.seq + 1, str(wrong)))
    except notes.NoteRefused as refused:
        return _report(walk, first, Fault(walk.seq, str(refused)))
    return _report(walk, first, _wrong_head(walk) or _lone_row(walk) if last is None else None)


def _start(first: int) -> _Walk:
    """Raises ArchiveWrong, Entry.DoesNotExist."""
    behind = archived()
    if behind and first <= behind.through + 1:
        return _Walk(behind.through, behind.at, behind.head, behind.tree, archived=behind.through)
    if first <= 1:
        return _Walk(0, 0, GENESIS, Frontier())
    before = Entry.objects.get(seq=first - 1)
    return _Walk(before.seq, before.at, before.hash, None)


def _report(walk: _Walk, first: int, fault: Fault | None) -> Report:
    root = walk.tree.root().hex() if walk.tree else ""
    entries = walk.seq - first + 1
    return Report(entries, walk.hash, fault, walk.agreed, tuple(walk.forks), walk.archived, walk.passed, root)


def _checkpoints(
    walk: _Walk, last: int | None, against: Iterable[str], known: Mapping[str, Ed25519PublicKey]
) -> dict[int, list[notes.Checkpoint]]:
    """Every signed checkpoint of more than the walk begins with, by size. Raises notes.NoteRefused."""
    rows = Checkpoint.objects.filter(size__gt=walk.seq).order_by("size")
    stored = rows.filter(size__lte=last) if last is not None else rows
    found: dict[int, list[notes.Checkpoint]] = {}
    for note in [*stored.values_list("note", flat=True), *against]:
        checkpoint = notes.verify(note, known)
        walk.passed += checkpoint.size <= walk.archived
        if checkpoint.size > walk.seq and (last is None or checkpoint.size <= last):
            found.setdefault(checkpoint.size, []).append(checkpoint)
    return found


def _chunks(first: int, last: int | None) -> Iterator[list[_Row]]:
    after = first - 1
    while True:
        rows = Entry.objects.filter(seq__gt=after).order_by("seq")
        chosen = rows.filter(seq__lte=last) if last is not None else rows
        found = list(map(_Row._make, chosen.values_list(*_Row._fields)[:_CHUNK]))
        if not found:
            return
        yield found
        after = found[-1].seq


def _step(walk: _Walk, row: _Row, stored: Beside, signed: Iterable[notes.Checkpoint]) -> None:
    """One entry further. Raises _Wrong."""
    raw = bytes(row.body)
    _check_place(walk, row, raw)
    body = _body(raw)
    _check_columns(row, body)
    decision = stored.decisions.get(row.seq)
    if row.kind in _DECISIONS:
        _check_decision(body, decision)
        _check_text(body, stored.texts)
    elif decision is not None:
        raise _Wrong("it is no decision, but the table of decisions has a row for it")
    _check_figures(body, stored.figures.get(row.seq))
    _check_reason(body, stored.reasons.get(row.seq))
    if walk.tree:
        walk.tree.append(merkle.leaf(bytes.fromhex(row.hash)))
    if row.kind == Kind.FORKED.value:  # told before what was signed in the lost log is held against this one
        walk.forks.append(f"{body['name']} after entry {body['after']}")
    for checkpoint in signed:
        _compare(checkpoint, row.hash, walk)
    walk.seq, walk.at, walk.hash = row.seq, row.at, row.hash


def _check_place(walk: _Walk, row: _Row, raw: bytes) -> None:
    if row.seq != walk.seq + 1:
        raise _Wrong(f"entry {walk.seq + 1} is missing; the next one is {row.seq}")
    if row.prev_hash != walk.hash:
        raise _Wrong(f"prev_hash is {row.prev_hash}, but the entry before it has {walk.hash}")
    if (computed := chain_hash(walk.hash, raw)) != row.hash:
        raise _Wrong(f"hash is {row.hash}, but its bytes give {computed}")
    if row.at < walk.at:
        raise _Wrong(f"its time {_time(row.at)} is before that of the entry before it, {_time(walk.at)}")


def _time(at: int) -> str:
    """A forged one may lie beyond all calendars."""
    try:
        return str(moment(at))
    except OverflowError:
        return f"{at} microseconds"


def _check_columns(row: _Row, body: dict[str, Any]) -> None:
    if row[: len(_IN_BODY)] == tuple(map(body.get, _IN_BODY)):
        return
    for name, column in zip(_IN_BODY, row, strict=False):
        if column != body.get(name):
            raise _Wrong(f"column {name} is {column!r}, but the bytes say {body.get(name)!r}")


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = decode(raw)
    except ValueError as error:
        raise _Wrong(f"its bytes are no JSON: {error}") from error
    if not isinstance(body, dict):
        raise _Wrong("its bytes are no JSON object")
    return body


def _check_decision(body: dict[str, Any], decision: tuple[Any, ...] | None) -> None:
    if decision is None:
        raise _Wrong("its row in the table of decisions is missing")
    try:
        derived = decision_of(body)
    except (KeyError, TypeError) as error:
        raise _Wrong(f"its bytes are no decision: {error!r}") from error
    if tuple(derived.values()) == decision:
        return
    for (name, value), stored in zip(derived.items(), decision, strict=True):
        if stored != value:
            raise _Wrong(f"decision column {name} is {stored!r}, but the bytes say {value!r}")


def _check_text(body: dict[str, Any], texts: Mapping[tuple[int, int], str]) -> None:
    """A text that was erased is no fault."""
    version, digest = body["input"]["version"], body["input"].get("digest")
    stored = texts.get((body["ticket"], version), digest)
    if stored != digest:
        raise _Wrong(f"the stored text, version {version}, has the digest {stored}, but the bytes say {digest!r}")


def _check_figures(body: dict[str, Any], stored: str | None) -> None:
    """Of an evaluation, which alone has any."""
    digest = body.get("figures_digest")
    if stored != digest:
        raise _Wrong(f"the stored figures have the digest {stored}, but the bytes say {digest!r}")


def _check_reason(body: dict[str, Any], stored: str | None) -> None:
    """A reason that was erased is no fault."""
    digest = body.get("reason_digest")
    if stored not in (None, digest):
        raise _Wrong(f"the stored reason has the digest {stored}, but the bytes say {digest!r}")


def _compare(checkpoint: notes.Checkpoint, head: str, walk: _Walk) -> None:
    """The log parted from what was signed at this entry or before it, after the last checkpoint that agreed."""
    signed = f"the checkpoint of {checkpoint.size} entries, signed for {_time(checkpoint.at)},"
    if checkpoint.head != head:
        raise _Wrong(f"{signed} has the head {checkpoint.head}, and the log has {head}: it was rewritten or split")
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


def _lone_row(walk: _Walk) -> Fault | None:
    """A row of a number that no entry has: the walk met all others. In one query a table, so of one moment."""
    for name, table, number in (("decisions", Decision, "pk"), ("evaluations", Evaluation, "seq")):
        beyond = table.objects.filter(Q(**{f"{number}__lt": 1}) | Q(**{f"{number}__gt": walk.seq}))
        alone = beyond.exclude(Exists(Entry.objects.filter(seq=OuterRef(number)))).order_by(number).first()
        if alone:
            return Fault(alone.seq, f"the table of {name} has a row for it, but the log has no such entry")
    return None
