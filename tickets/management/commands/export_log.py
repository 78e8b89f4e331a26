"""manage.py export_log FOLDER"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tickets import pipeline
from tickets.audit.checkpoints import LogContradicted
from tickets.audit.export import NothingToExport, Wanted
from tickets.audit.notes import NoteRefused
from tickets.models import Kind


class Command(BaseCommand):
    help = "Writes entries of the log, a signed manifest, and a program that verifies both without this system."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a new or empty folder")
        parser.add_argument("--from", dest="first", type=int, default=1, metavar="SEQ")
        parser.add_argument("--to", dest="last", type=int, metavar="SEQ")
        parser.add_argument("--kind", choices=Kind.values, default="", help="entries of one kind, each with its proof")
        parser.add_argument("--ticket", type=int, help="entries about one ticket, each with its proof")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CommandError(f"{folder} is not empty: name a new folder.")
        subject = f"ticket:{options['ticket']}" if options["ticket"] else ""
        wanted = Wanted(options["first"], options["last"] or 0, options["kind"], subject)
        try:
            manifest = pipeline.export_log(folder, wanted, pipeline.Actor("command"), self._show)
        except (NothingToExport, LogContradicted, NoteRefused, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{manifest['count']:,} entries in {folder}; verify elsewhere: python verify_export.py .")

    def _show(self, count: int) -> None:
        if count % 1_000 == 0 and self.stderr.isatty():
            self.stderr.write(f"\r{count:,} entries", style_func=str, ending="")
