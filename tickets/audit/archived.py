"""The part of the log that is in archives, as far as the database still vouches for it.

What stays here is enough to go on from: a row that names the last archived entry and the Merkle root up to it, an
entry of the log that says the same, and the roots of the tiles.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef

from tickets.audit import merkle
from tickets.audit.frontier import Frontier
from tickets.flow.canonical import chain_hash
from tickets.models import Archive, Decision, Entry, Kind, Tile

_CHUNK = 2_000
_IN_BOTH = ("through", "head", "root", "sha256")


class ArchiveWrong(Exception):
    """The database contradicts itself about what was archived. seq: the first entry this is about."""

    def __init__(self, seq: int, what: str) -> None:
        super().__init__(what)
        self.seq = seq


@dataclass(frozen=True, slots=True)
class Archived:
    """Entries 1 to `through`. head, at: of the last one; tree: of them all."""

    through: int
    head: str
    at: int
    tree: Frontier


def archived() -> Archived | None:
    """Where the rest of the log begins; None where nothing left it. Raises ArchiveWrong."""
    rows = list(Archive.objects.order_by("through"))
    if not rows:
        return None
    tree = _tree(rows)
    latest = rows[-1]
    for row in rows[:-1]:
        if row.seq > latest.through:
            _body_of(row)
    body = _body_of(latest)
    _check_remains(latest)
    return Archived(latest.through, latest.head, body["until"], tree)


def content(first: int, archive: Archive, until: int, count: int) -> dict[str, Any]:
    """What the log says of an archive."""
    return {"first": first, "until": until, "count": count} | {name: getattr(archive, name) for name in _IN_BOTH}


def _tree(rows: Sequence[Archive]) -> Frontier:
    """From the tiles, compared with the root that each row has. Raises ArchiveWrong."""
    tree = Frontier()
    tiles = dict(Tile.objects.filter(number__lt=rows[-1].through // merkle.TILE).values_list("number", "root"))
    for row in rows:
        begun = tree.size
        for number in range(begun // merkle.TILE, row.through // merkle.TILE):
            tree.append_tile(_root(number, tiles.get(number, "")))
        if tree.size != row.through or row.through == 0:
            raise ArchiveWrong(row.through, f"an archive row goes through {row.through}, which is no end of a tile")
        if (computed := tree.root().hex()) != row.root:
            raise ArchiveWrong(
                row.through,
                f"the archive through entry {row.through} has the Merkle root {row.root}, but the tiles have {computed}"
                f": that row, or a tile of entries {begun + 1} to {row.through}, was changed",
            )
    return tree


def _root(number: int, written: str) -> bytes:
    try:
        root = bytes.fromhex(written)
    except ValueError:
        root = b""
    if len(root) != len(merkle.EMPTY):
        first = number * merkle.TILE + 1
        raise ArchiveWrong(first, f"tile {number}, entries {first} to {first + merkle.TILE - 1}, is missing or broken")
    return root


def _body_of(row: Archive) -> dict[str, Any]:
    """What the log says of an archive, which is what the row says. Raises ArchiveWrong."""
    entry = Entry.objects.filter(seq=row.seq, kind=Kind.ARCHIVED).first()
    if entry is None or row.seq <= row.through:
        raise ArchiveWrong(
            row.seq,
            f"an archive row says that entry {row.seq} archived the log through {row.through}; there is no such entry",
        )
    raw = bytes(entry.body)
    if not is_linked(entry.prev_hash, raw, entry.hash):
        raise ArchiveWrong(row.seq, f"hash is {entry.hash}, but its bytes give another")
    body = json.loads(raw)
    if differing := difference(row, body):
        raise ArchiveWrong(row.seq, differing)
    return body


def difference(row: Archive, body: dict[str, Any]) -> str:
    """In what an archive row differs from the entry it names; empty where in nothing."""
    for name in _IN_BOTH:
        if body.get(name) != getattr(row, name):
            return f"the archive row has {name} {getattr(row, name)!r}, but the entry says {body.get(name)!r}"
    return ""


def is_linked(prev_hash: str, body: bytes, own_hash: str) -> bool:
    try:
        return chain_hash(prev_hash, body) == own_hash
    except ValueError:
        return False


def _check_remains(row: Archive) -> None:
    """What was archived and is not removed yet is the end of what was archived. One query, so of one moment."""
    rows = Entry.objects.filter(seq__lte=row.through).order_by("seq")
    before: tuple[int, str] | None = None
    for seq, prev_hash, own_hash, body in rows.values_list("seq", "prev_hash", "hash", "body").iterator(_CHUNK):
        is_next = before is None or (seq - 1, prev_hash) == before
        if not is_next or not is_linked(prev_hash, bytes(body), own_hash):
            raise ArchiveWrong(seq, f"it was archived, and what the database has as entry {seq} is not linked to it")
        before = (seq, own_hash)
    if before and before != (row.through, row.head):
        raise ArchiveWrong(
            before[0], f"it was archived, and the database has it with hash {before[1]}, but not what follows it"
        )
    _check_remaining_decisions(row)


def _check_remaining_decisions(row: Archive) -> None:
    alone = Decision.objects.filter(entry__lte=row.through).exclude(Exists(Entry.objects.filter(seq=OuterRef("pk"))))
    if decision := alone.order_by("pk").first():
        raise ArchiveWrong(decision.seq, "it was archived, and a decision of that number is in the database without it")
