"""manage.py verify_log"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from elasticsearch import ApiError, Elasticsearch, TransportError

from tickets.audit import archive_files, ship
from tickets.audit.archive_files import FilesWrong
from tickets.audit.checkpoints import read_notes
from tickets.audit.compare import compare, published_notes
from tickets.audit.notes import NoteRefused
from tickets.audit.verify import Report, verify
from tickets.models import Shipping, SigningKey

_DIFFERENCES_SHOWN = 20


@contextmanager
def _copy() -> Iterator[Elasticsearch]:
    """The log's copy, by the reader's credential. Raises CommandError."""
    if not settings.ELASTICSEARCH_READER_URL:
        raise CommandError("Set ELASTICSEARCH_READER_URL to the copy's reader.", returncode=2)
    try:
        with ship.client(settings.ELASTICSEARCH_READER_URL) as elasticsearch:
            yield elasticsearch
    except (ApiError, TransportError) as error:
        raise CommandError(f"Elasticsearch cannot be asked: {error}", returncode=2) from error


def _published() -> list[str]:
    """Checkpoints that went to the copy. Raises CommandError."""
    with _copy() as elasticsearch:
        return list(published_notes(elasticsearch))


class Command(BaseCommand):
    help = (
        "Walks the decision log and names the first entry that is wrong: chain, gaps, times, derived decisions, signed "
        "checkpoints. Exit status 1 if there is one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="first", type=int, default=1, metavar="SEQ")
        parser.add_argument("--to", dest="last", type=int, metavar="SEQ")
        parser.add_argument("--against", type=Path, metavar="CHECKPOINTS", help="checkpoints that were kept elsewhere")
        parser.add_argument("--elasticsearch", action="store_true", help="compare the copy, too")
        parser.add_argument(
            "--archive",
            action="append",
            default=[],
            type=Path,
            metavar="FOLDER",
            help="what left this log for an archive; may be repeated",
        )
        parser.add_argument("--key", action="append", default=[], help="a public key you trust; may be repeated")

    def _compare(self, first: int, last: int | None, show: Callable[[int], object]) -> None:
        with _copy() as elasticsearch:
            found = list(islice(compare(elasticsearch, first, last, show), _DIFFERENCES_SHOWN))
        for one in found[1:]:
            self.stderr.write(f"entry {one.seq}: {one.what}")
        if found:
            raise CommandError(f"entry {found[0].seq}: {found[0].what}", returncode=1)
        self.stdout.write(f"The copy agrees through entry {Shipping.objects.get(pk=1).shipped_through:,}.")

    def _tell_archived(self, report: Report, folders: list[Path], kept: list[str], keys: list[str]) -> None:
        known = keys or list(SigningKey.objects.values_list("verifier_key", flat=True))
        try:
            read = [archive_files.read(folder, known, kept) for folder in folders]
            archive_files.compare(read)
        except FilesWrong as error:
            raise CommandError(f"--archive: {error}", returncode=1) from error
        for files in read:
            self.stdout.write(
                f"Archive {files.folder}: {files.count:,} entries verified, {files.first:,} to {files.through:,}; "
                f"{files.checkpoints:,} signed checkpoints agree"
            )
        if report.archived and not folders:
            passed = f", as are {report.passed:,} of the kept checkpoints" if report.passed else ""
            self.stdout.write(
                f"Entries 1 to {report.archived:,} are in the archive{passed}: verify them with --archive FOLDER"
            )

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()

        def show(seq: int) -> None:
            if self.stderr.isatty():
                self.stderr.write(f"\r{seq:,} entries", style_func=str, ending="")

        try:
            kept = list(read_notes(options["against"])) if options["against"] else []
        except (NoteRefused, OSError) as error:
            raise CommandError(f"--against: {error}", returncode=2) from error
        published = _published() if options["elasticsearch"] else []
        report = verify(options["first"], options["last"], show, [*kept, *published], options["key"])
        for fork in report.forks:
            self.stdout.write(f"The log was gone on with from a backup: fork {fork}.")
        if report.fault:
            raise CommandError(f"entry {report.fault.seq}: {report.fault.what}", returncode=1)
        self._tell_archived(report, options["archive"], kept, options["key"])
        if options["elasticsearch"]:
            self._compare(options["first"], options["last"], show)
        if kept and not options["key"]:
            self.stdout.write("The keys are those the database knows; name yours with --key to trust nobody.")
        seconds = time.monotonic() - started
        self.stdout.write(
            f"{report.entries:,} entries verified in {seconds:.1f} s; head {report.head}; "
            f"{report.checkpoints:,} signed checkpoints agree"
        )
