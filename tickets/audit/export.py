"""The log, or a part of it, as files that somebody verifies elsewhere; and the proof of a single entry.

docs/log-format.md describes them; verify_export.py, which goes along, checks them without this system.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from django.conf import settings
from django.db.models import QuerySet

from tickets.audit import merkle, notes, verify_export
from tickets.audit.checkpoints import leaves, tiles_of
from tickets.audit.keys import Signer
from tickets.flow.canonical import encode
from tickets.models import Checkpoint, Entry, SigningKey

FORMAT = "triage-export-1"
_CHUNK = 2_000


class NothingToExport(Exception):
    """No entry is wanted."""


class NotSignedYet(Exception):
    """No checkpoint covers the entry."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: seq from `first` to `last` (0: the end), and of one kind or one subject where they are given."""

    first: int = 1
    last: int = 0
    kind: str = ""
    subject: str = ""

    @property
    def is_contiguous(self) -> bool:
        return not (self.kind or self.subject)

    @property
    def filter(self) -> dict[str, str]:
        """As the manifest and the log tell it."""
        return {name: str(value) for name, value in asdict(self).items() if value}

    def entries(self) -> QuerySet[Entry]:
        found = Entry.objects.filter(seq__gte=self.first, seq__lte=self.last)
        named = {name: value for name in ("kind", "subject") if (value := getattr(self, name))}
        return found.filter(**named).order_by("seq")


def make_folder(folder: Path) -> None:
    """Makes sure that it can be written to, before the log says what is in it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass


def export(
    folder: Path,
    wanted: Wanted,
    checkpoint: Checkpoint,
    signer: Signer,
    exported: Entry,
    progress: Callable[[int], object] = int,
) -> dict[str, Any]:
    """Writes log.ndjson, manifest.json, manifest.sig and verify_export.py into an empty folder; returns the manifest.

    exported: the entry that says so. Raises NothingToExport, OSError.
    """
    # The end is the entry that says so: the checkpoint is of that size, so its root covers the whole file.
    wanted = wanted if wanted.last else replace(wanted, last=checkpoint.size)
    digest, first, last, count = hashlib.sha256(), 0, 0, 0
    with (folder / "log.ndjson").open("wb") as file:
        for line in _lines(wanted, checkpoint):
            raw = json.dumps(line, ensure_ascii=False, sort_keys=True).encode() + b"\n"
            file.write(raw)
            digest.update(raw)
            first, last, count = first or line["seq"], line["seq"], count + 1
            progress(count)
        _to_disk(file)
    if not count:
        raise NothingToExport("No entry matches.")
    manifest = {
        "format": FORMAT,
        "origin": settings.LOG_ORIGIN,
        "filter": wanted.filter,
        "contiguous": int(wanted.is_contiguous),
        "first": first,
        "last": last,
        "count": count,
        "sha256": digest.hexdigest(),
        "exported_at": exported.at,
        "actor": exported.actor,
        "checkpoint": checkpoint.note,
        "keys": _keys(),
    }
    _sign(folder, encode(manifest), signer)
    shutil.copyfile(verify_export.__file__, folder / "verify_export.py")
    _names_to_disk(folder)
    return manifest


def proof(seq: int) -> dict[str, Any]:
    """An entry, its path, and the first checkpoint with it in it. Raises NotSignedYet, Entry.DoesNotExist."""
    entry = Entry.objects.get(seq=seq)
    checkpoint = Checkpoint.objects.filter(size__gte=seq).order_by("size").first()
    if checkpoint is None:
        raise NotSignedYet(f"Entry {seq} is not signed yet; it will be within a minute or so.")
    path = merkle.inclusion_with_tiles(seq - 1, checkpoint.size, tiles_of(checkpoint.size), leaves)
    return {"entry": _line(entry), "proof": _written(path), "checkpoint": checkpoint.note, "keys": _keys()}


def _lines(wanted: Wanted, checkpoint: Checkpoint) -> Iterator[dict[str, Any]]:
    """Entries in order, each with its path; the last one's alone vouches for all that follow each other."""
    tiles = tiles_of(checkpoint.size)
    leaves_of = lru_cache(maxsize=2)(leaves)
    for entry in wanted.entries().iterator(_CHUNK):
        line = _line(entry)
        if not wanted.is_contiguous or entry.seq == wanted.last:
            line["proof"] = _written(merkle.inclusion_with_tiles(entry.seq - 1, checkpoint.size, tiles, leaves_of))
        yield line


def _line(entry: Entry) -> dict[str, Any]:
    body = bytes(entry.body).decode()
    return {"seq": entry.seq, "prev_hash": entry.prev_hash, "hash": entry.hash, "body": body}


def _written(path: list[bytes]) -> list[str]:
    return [base64.b64encode(node).decode() for node in path]


def _keys() -> list[str]:
    return list(SigningKey.objects.order_by("since").values_list("verifier_key", flat=True))


def _sign(folder: Path, manifest: bytes, signer: Signer) -> None:
    text = f"{FORMAT}\n{hashlib.sha256(manifest).hexdigest()}\n"
    note = notes.sign_text(text, signer.name, signer.private_key)
    for name, content in (("manifest.json", manifest), ("manifest.sig", note.encode())):
        with (folder / name).open("wb") as file:
            file.write(content)
            _to_disk(file)


def _to_disk(file: BinaryIO) -> None:
    """What is exported may be about to leave the database."""
    file.flush()
    os.fsync(file.fileno())


def _names_to_disk(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
