"""An archive's files: checked as verify_export.py checks them, and held against what the log says of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tickets.audit import verify_export
from tickets.audit.archived import difference
from tickets.models import Archive, Entry, Kind


class FilesWrong(Exception):
    """An archive's files are not what was archived; says which and why."""


@dataclass(frozen=True, slots=True)
class Files:
    """Entries `first` to `through`. prev_hash: before the first; head, at: of the last; root: of all, where first is 1.

    archived: what they say of earlier archives, by entry. checkpoints: how many agreed.
    """

    folder: Path
    first: int
    through: int
    count: int
    sha256: str
    prev_hash: str
    head: str
    at: int
    root: str
    archived: Mapping[int, dict[str, Any]]
    checkpoints: int


def read(folder: Path, keys: Sequence[str] = (), against: Iterable[str] = ()) -> Files:
    """Checks all that the files show by themselves and what signed notes kept elsewhere say. Raises FilesWrong.

    keys: whose signatures count; else the files' own.
    """
    try:
        return _read(folder, keys, against)
    except (verify_export.Bad, verify_export.Unreadable, OSError, ValueError) as error:
        raise FilesWrong(f"{folder}: {error}") from error


def _read(folder: Path, given: Sequence[str], against: Iterable[str]) -> Files:
    manifest, keys = verify_export.read_signed(folder, given)
    kept = [verify_export.open_checkpoint(note, keys) for note in against]
    checkpoints = verify_export.by_size([manifest.checkpoint, *kept], manifest.origin)
    walk = verify_export.walk_log(folder / "log.ndjson", manifest, checkpoints)
    if walk.last is None or walk.loose or not manifest.is_contiguous:
        raise FilesWrong(f"{folder}: it is no archive, since no checkpoint vouches for all of its entries")
    prev_hash, archived = _noted(folder / "log.ndjson")
    return Files(
        folder=folder,
        first=manifest.first,
        through=manifest.last,
        count=manifest.count,
        sha256=manifest.sha256,
        prev_hash=prev_hash,
        head=walk.last.hash,
        at=walk.last.at,
        root=walk.tree.root().hex() if walk.tree.size == manifest.last else "",
        archived=archived,
        checkpoints=len(walk.compared),
    )


def _noted(log: Path) -> tuple[str, dict[int, dict[str, Any]]]:
    """What the first entry follows, and the entries about archives. Call after the lines were checked."""
    first = ""
    archived: dict[int, dict[str, Any]] = {}
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            first = first or json.loads(line)["prev_hash"]
            if Kind.ARCHIVED.value in line:
                body = json.loads(json.loads(line)["body"])
                archived |= {body["seq"]: body} if body["kind"] == Kind.ARCHIVED else {}
    return first, archived


def compare(given: Sequence[Files]) -> None:
    """Each is what an entry of the log says it is, and follows the one before it. Raises FilesWrong."""
    rows = Entry.objects.filter(kind=Kind.ARCHIVED).values_list("seq", "body")
    said = {seq: json.loads(bytes(body)) for seq, body in rows}
    for files in given:
        said |= files.archived
    for files in given:
        archive = Archive.objects.filter(sha256=files.sha256).first()
        if archive is None:
            raise FilesWrong(f"{files.folder}: no archive of this log has a log.ndjson with SHA-256 {files.sha256}")
        _compare(files, archive, said.get(archive.seq))


def _compare(files: Files, archive: Archive, said: dict[str, Any] | None) -> None:
    if said is None:
        raise FilesWrong(
            f"{files.folder}: entry {archive.seq}, which names it, was archived itself: give that archive, too"
        )
    here = {"first": files.first, "through": files.through, "count": files.count, "head": files.head, "until": files.at}
    here |= {"root": files.root} if files.root else {}
    for name, value in here.items():
        if said.get(name) != value:
            raise FilesWrong(f"{files.folder}: {name} is {value}, but entry {archive.seq} says {said.get(name)}")
    if differing := difference(archive, said):
        raise FilesWrong(f"{files.folder}: entry {archive.seq}: {differing}")
    before = Archive.objects.filter(through=files.first - 1).values_list("head", flat=True).first()
    if before is not None and before != files.prev_hash:
        raise FilesWrong(f"{files.folder}: it follows {files.prev_hash}, but the archive before it ends with {before}")
