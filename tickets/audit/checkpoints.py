"""Signs what the log is, every minute and every thousand entries, and keeps the notes where they can be had.

A checkpoint holds only where somebody else keeps a copy of it: whoever owns the key and every copy can sign anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

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
    """The notes of a file with one JSON object {"note": ...} a line, but for a torn last one.

    Raises notes.NoteRefused, OSError.
    """
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip() and not _is_torn(line):
                yield _note(line, number)


def _is_torn(line: bytes) -> bool:
    """Whether it is the end of a file whose writing ended midway: by a power loss, or on a full disk."""
    if line.endswith(b"\n"):
        return False
    try:
        _note(line, 0)
    except notes.NoteRefused:
        return True
    return False


def _note(line: bytes, number: int) -> str:
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
    """The last whole note of the file."""
    if not file.exists():
        return ()
    with file.open("rb") as content:
        whole = [line for line in _last_lines(content) if line.strip() and not _is_torn(line)]
    return [_note(line, 0) for line in whole[-1:]]


def _last_lines(content: BinaryIO) -> list[bytes]:
    """With their ends. Leaves the file at its end: it grows for years, and is not read from its beginning."""
    size = content.seek(0, os.SEEK_END)
    content.seek(max(0, size - _TAIL_BYTES))
    return content.read().splitlines(keepends=True)


def _append(file: Path, note: str) -> None:
    """A torn last line is cut off: its checkpoint was never stored."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as content:
        last = [b"\n", *_last_lines(content)][-1]
        if _is_torn(last):
            content.truncate(content.tell() - len(last))
        elif not last.endswith(b"\n"):
            content.write(b"\n")
        content.write(json.dumps({"note": note}, ensure_ascii=False).encode() + b"\n")
        content.flush()
        os.fsync(content.fileno())
