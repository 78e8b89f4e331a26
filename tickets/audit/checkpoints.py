"""Signs what the log is, every minute and every thousand entries, and keeps the notes where they can be had.

A checkpoint holds only where somebody else keeps a copy of it: whoever owns the key and every copy can sign anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction

from tickets.audit import merkle, notes
from tickets.audit.archive import archive_of
from tickets.audit.keys import Signer
from tickets.models import Checkpoint, Entry, LogHead, Tile
from tickets.models.clock import microseconds

EVERY_ENTRIES, EVERY = 1_000, timedelta(minutes=1)
_TAIL_BYTES = 16_384


class LogContradicted(Exception):
    """The file of checkpoints knows a log that this database is not; says at which entry they part."""


def is_due(now: datetime) -> bool:
    """Whether a thousand entries, or one that is a minute old, are not signed yet."""
    signed = _signed_size()
    return LogHead.objects.get(pk=1).seq - signed >= EVERY_ENTRIES or _is_older(signed + 1, now - EVERY)


def waits_since(at: datetime) -> bool:
    """Whether an entry from before that moment is not signed yet."""
    return _is_older(_signed_size() + 1, at)


def _is_older(seq: int, at: datetime) -> bool:
    return Entry.objects.filter(seq=seq, at__lte=microseconds(at)).exists()


def sign(signer: Signer, now: datetime) -> Checkpoint:
    """Signs the whole log as it is committed now. Raises LogContradicted, OSError."""
    head = LogHead.objects.get(pk=1)
    if note := contradiction():
        raise LogContradicted(
            f"{settings.CHECKPOINTS_FILE} holds a checkpoint of {notes.parse(note)[0].size} entries that the log is "
            "not: the database was restored or rewritten. See docs/operations.md, Backup."
        )
    checkpoint = notes.Checkpoint(settings.LOG_ORIGIN, head.seq, root_of(head.seq), head.hash, head.at)
    note = notes.sign(checkpoint, signer.name, signer.private_key)
    with transaction.atomic():
        made, is_new = Checkpoint.objects.get_or_create(size=head.seq, defaults={"note": note, "made_at": now})
        if is_new:
            _append(settings.CHECKPOINTS_FILE, note)
    return made


def root_of(size: int) -> bytes:
    """The Merkle root of the first `size` entries."""
    return merkle.root_with_tiles(tiles_of(size), leaves(size // merkle.TILE)[: size % merkle.TILE])


def tiles_of(size: int) -> list[bytes]:
    """The roots of the complete tiles among the first `size` entries; those that became complete are kept.

    Raises LogContradicted.
    """
    complete = size // merkle.TILE
    tiles = dict(Tile.objects.filter(number__lt=complete).values_list("number", "root"))
    for number in range(complete):
        if number not in tiles:
            tiles[number] = _new_tile(number)
    return [bytes.fromhex(tiles[number]) for number in range(complete)]


def _new_tile(number: int) -> str:
    nodes = leaves(number)
    if len(nodes) < merkle.TILE:
        raise LogContradicted(f"Entries of tile {number} are not in the log any more, and its root was not kept.")
    tile, _ = Tile.objects.get_or_create(number=number, defaults={"root": merkle.root(nodes).hex()})
    return tile.root


def leaves(tile: int) -> list[bytes]:
    """The leaves of a tile as they stand in the log, up to 1,024."""
    first = tile * merkle.TILE + 1
    entries = Entry.objects.filter(seq__gte=first, seq__lt=first + merkle.TILE).order_by("seq")
    return [merkle.leaf(bytes.fromhex(one)) for one in entries.values_list("hash", flat=True)]


def read_notes(file: Path) -> Iterator[str]:
    """The notes of a file with one JSON object {"note": ...} a line. Raises notes.NoteRefused, OSError."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _note(line, number)


def _note(line: str, number: int) -> str:
    try:
        note = json.loads(line)["note"]
    except (ValueError, KeyError, TypeError) as error:
        raise notes.NoteRefused(f'line {number} is not {{"note": ...}}') from error
    if not isinstance(note, str):
        raise notes.NoteRefused(f"line {number}: note is not a text")
    return note


def _signed_size() -> int:
    return Checkpoint.objects.order_by("-size").values_list("size", flat=True).first() or 0


def contradiction() -> str | None:
    """The last note this host signed, where the log is not what it says: after a restored backup, for one."""
    for note in _latest_in_file(settings.CHECKPOINTS_FILE):
        kept, _ = notes.parse(note)
        if kept.origin == settings.LOG_ORIGIN and kept.size and not _agrees(kept):
            return note
    return None


def _agrees(kept: notes.Checkpoint) -> bool:
    """Within an archive there is nothing to hold it against: verify_log --archive does that."""
    archive = archive_of(kept.size)
    if archive is None:
        return kept.head == Entry.objects.filter(seq=kept.size).values_list("hash", flat=True).first()
    return kept.size < archive.through or kept.head == archive.head


def _latest_in_file(file: Path) -> Sequence[str]:
    """The last note of the file, read from its end: it grows for years."""
    if not file.exists():
        return ()
    with file.open("rb") as content:
        content.seek(max(0, file.stat().st_size - _TAIL_BYTES))
        lines = content.read().decode(errors="replace").splitlines()
    return [_note(line, 0) for line in lines[-1:] if line.strip()]


def _append(file: Path, note: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"note": note}, ensure_ascii=False) + "\n")
        lines.flush()
        os.fsync(lines.fileno())
