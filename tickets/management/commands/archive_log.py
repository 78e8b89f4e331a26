"""manage.py archive_log --keep-months N --to FOLDER --reason "..." """

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from elasticsearch import ApiError, TransportError

from tickets import pipeline
from tickets.audit import ship
from tickets.audit.archive import ArchivingRefused, Leaving, NothingLeaves, beginning_of, leaving, months_before
from tickets.audit.archive_files import Files, FilesWrong
from tickets.audit.checkpoints import LogContradicted
from tickets.audit.export import NothingToExport
from tickets.audit.month_indices import drop_archived
from tickets.audit.notes import NoteRefused
from tickets.management import reasons
from tickets.models import Archive
from tickets.models.clock import database_now

_REFUSALS = (ArchivingRefused, FilesWrong, LogContradicted, NoteRefused, NothingLeaves, NothingToExport, OSError)
_MOST_MONTHS = 1_200


class Command(BaseCommand):
    help = (
        "Moves the oldest months of the log into signed, verified files and removes them from the database; what stays "
        "still verifies. What was begun and broken off goes on when it is run again with the same folder."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        older = parser.add_mutually_exclusive_group(required=True)
        older.add_argument("--keep-months", type=int, metavar="N", help="keep the running month and N before it")
        older.add_argument("--before", metavar="MONTH", help="what is older than this month leaves: 2026-01")
        parser.add_argument("--to", type=Path, metavar="FOLDER", help="a new or empty folder for the files")
        parser.add_argument("--reason", default="", help="why, for the log")
        parser.add_argument("--dry-run", action="store_true", help="say what would leave")

    def handle(self, *args: Any, **options: Any) -> None:
        before = _before(options["keep_months"], options["before"])
        if options["dry_run"]:
            self._tell(_leaving(before))
            return
        reason, folder = reasons.checked(options["reason"]), options["to"]
        if folder is None:
            raise CommandError("Say where the files go: --to FOLDER")
        try:
            if begun := pipeline.unfinished():
                self._finish(begun, folder)
            else:
                self._archive(folder, before, reason)
        except _REFUSALS as error:
            raise CommandError(str(error)) from error
        self._drop_indices()

    def _archive(self, folder: Path, before: datetime, reason: str) -> None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CommandError(f"{folder} is not empty: name a new folder.")
        wanted, by = _leaving(before), pipeline.Actor("command")
        self._tell(wanted)
        files = pipeline.write_archive(folder, wanted, by, self._show)
        self.stdout.write(f"Written and verified: {files.count:,} entries in {folder}, SHA-256 {files.sha256}")
        archive = pipeline.record_archive(files, before, by, reason)
        self.stdout.write(f"Recorded in entry {archive.seq:,}, and signed")
        self._remove(archive, files)

    def _finish(self, begun: Archive, folder: Path) -> None:
        self.stdout.write(f"Going on with the archive of entry {begun.seq:,}, through entry {begun.through:,}")
        self._remove(begun, pipeline.resume_archive(begun, folder))

    def _remove(self, archive: Archive, files: Files) -> None:
        removed = pipeline.remove_archived(archive, files, self._show)
        self.stdout.write(f"Removed {removed:,} entries; the log begins with entry {archive.through + 1:,}")

    def _drop_indices(self) -> None:
        if not settings.ELASTICSEARCH_ADMIN_URL:
            return
        try:
            with ship.client(settings.ELASTICSEARCH_ADMIN_URL) as admin:
                for name in drop_archived(admin):
                    self.stdout.write(f"Dropped the index {name}")
        except (ApiError, TransportError) as error:
            raise CommandError(f"The archive is done; Elasticsearch's indices of these months stay: {error}") from error

    def _tell(self, wanted: Leaving) -> None:
        self.stdout.write(
            f"{wanted.count:,} entries leave, {wanted.first:,} to {wanted.through:,}, "
            f"the last of {wanted.until:%Y-%m-%d %H:%M} UTC{'; ' * bool(wanted.kept_by)}{wanted.kept_by}"
        )

    def _show(self, count: int) -> None:
        if count % 1_000 == 0 and self.stderr.isatty():
            self.stderr.write(f"\r{count:,} entries", style_func=str, ending="")


def _before(keep_months: int | None, month: str | None) -> datetime:
    if keep_months is not None:
        if not 0 <= keep_months <= _MOST_MONTHS:
            raise CommandError(f"--keep-months: write a number from 0 to {_MOST_MONTHS:,}.")
        return months_before(database_now(), keep_months)
    try:
        return beginning_of(month or "")
    except ValueError as error:
        raise CommandError(f"--before: {error}") from error


def _leaving(before: datetime) -> Leaving:
    try:
        return leaving(before)
    except (NothingLeaves, ArchivingRefused) as error:
        raise CommandError(str(error)) from error
