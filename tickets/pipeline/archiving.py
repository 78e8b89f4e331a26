"""The beginning of the log goes to an archive: written and verified first, told in the log and signed, then removed.

A row is removed only where verified files at hand hold it. Whatever ends the removal midway, the archive's own row says
what may go, and running again with the same files goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from django.db import connection, transaction

from tickets.audit import archive_files, archived, holds, keys
from tickets.audit.archive import ArchivingRefused, Leaving, leaving
from tickets.audit.archive_files import Files
from tickets.audit.checkpoints import root_of
from tickets.audit.export import Wanted
from tickets.audit.verify import verify
from tickets.flow.record import Draft, record
from tickets.models import Archive, Decision, Entry, Kind, LogHead, Reason, SigningKey
from tickets.models.clock import database_now
from tickets.pipeline.acting import Actor
from tickets.pipeline.log import export_log, sign_log

_CHUNK = 5_000
_TABLES = "tickets_entry, tickets_decision"
_OWNS = "SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class WHERE oid IN (%s::regclass, %s::regclass)"


def write_archive(folder: Path, wanted: Leaving, by: Actor, progress: Callable[[int], object] = int) -> Files:
    """Steps 1 and 2: signed files of what is to leave, verified as written, and the log up to there verified, too.

    Raises ArchivingRefused, FilesWrong, OSError, and what `sign_log` raises.
    """
    _refuse_other_roles()
    export_log(folder, Wanted(wanted.first, wanted.through), by, progress)
    files = archive_files.read(folder, [keys.signer().verifier_key])
    report = verify(wanted.first, wanted.through)
    if report.fault:
        raise ArchivingRefused(f"entry {report.fault.seq}: {report.fault.what}")
    if (files.head, files.through) != (report.head, wanted.through):
        raise ArchivingRefused(f"{folder} ends with hash {files.head}, and the log with {report.head}")
    if (tiles := root_of(wanted.through).hex()) != report.root:
        raise ArchivingRefused(
            f"the tiles have the Merkle root {tiles}, but the entries {report.root}: one was changed"
        )
    return files


def record_archive(files: Files, before: datetime, by: Actor, reason: str) -> Archive:
    """Steps 3 and 4: from here on the log says that it begins later.

    Raises NothingLeaves, ArchivingRefused, and what `sign_log` raises.
    """
    keys.known_signer()
    with transaction.atomic():
        LogHead.objects.select_for_update().get(pk=1)
        # A hold may have come since, or another archive.
        now = leaving(before)
        if now.first != files.first or now.through < files.through:
            raise ArchivingRefused("Meanwhile something was held or archived: look again.")
        archive = Archive(
            through=files.through, head=files.head, root=root_of(files.through).hex(), sha256=files.sha256
        )
        content = archived.content(files.first, archive, files.at, files.count)
        archive.seq = record([Draft(Kind.ARCHIVED, "log", by.name, content, reason)])[0].seq
        archive.at = database_now()
        archive.save(force_insert=True)
    sign_log()
    return archive


def unfinished() -> Archive | None:
    """The archive some of whose entries are still here."""
    latest = Archive.latest()
    return latest if latest and Entry.objects.filter(seq__lte=latest.through).exists() else None


def resume_archive(archive: Archive, folder: Path) -> Files:
    """Its files, verified as at first, by whichever key they were signed. Raises as `write_archive` does."""
    _refuse_other_roles()
    keys.known_signer()
    report = verify(last=archive.seq)
    if report.fault:
        raise ArchivingRefused(f"entry {report.fault.seq}: {report.fault.what}")
    files = archive_files.read(folder, list(SigningKey.objects.values_list("verifier_key", flat=True)))
    sign_log()
    return files


def remove_archived(archive: Archive, files: Files, progress: Callable[[int], object] = int) -> int:
    """Step 5: removes what the files hold, chunk after chunk; returns how many entries. Raises ArchivingRefused."""
    if (files.sha256, files.through, files.head) != (archive.sha256, archive.through, archive.head):
        raise ArchivingRefused(
            f"{files.folder} is not the archive of entry {archive.seq}, which is still being removed: "
            f"run it again with the folder whose log.ndjson has the SHA-256 {archive.sha256}."
        )
    removed = 0
    here = Entry.objects.filter(seq__lte=archive.through).order_by("seq")
    while (first := here.values_list("seq", flat=True).first()) is not None:
        _refuse_held(archive)
        removed += _remove(first, min(first + _CHUNK - 1, archive.through))
        progress(removed)
    return removed


def _refuse_held(archive: Archive) -> None:
    """A hold that came after the archive keeps what is still here."""
    kept = holds.earliest_entry()
    if kept and kept[0] <= archive.through:
        raise ArchivingRefused(f"Entry {kept[0]:,} is kept by the legal hold of {kept[1]}: the rest stays until then.")


def _remove(first: int, last: int) -> int:
    with transaction.atomic(), _may_delete():
        Reason.objects.filter(seq__gte=first, seq__lte=last).delete()
        Decision.objects.filter(entry__gte=first, entry__lte=last).delete()
        return Entry.objects.filter(seq__gte=first, seq__lte=last).delete()[0]


@contextmanager
def _may_delete() -> Iterator[None]:
    """The owner of the tables gave up the right to delete, and takes it for this transaction alone."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT DELETE ON {_TABLES} TO CURRENT_USER")
        yield
        cursor.execute(f"REVOKE DELETE ON {_TABLES} FROM CURRENT_USER")


def _refuse_other_roles() -> None:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(_OWNS, _TABLES.split(", "))
        if not cursor.fetchone()[0]:
            raise ArchivingRefused("This database role may not remove entries: run it with the role that migrates.")
