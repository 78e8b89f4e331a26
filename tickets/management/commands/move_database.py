"""manage.py move_database --from sqlite:///..."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from tickets import pipeline
from tickets.audit.moving import MoveRefused, SourceStillOpen, opened


class Command(BaseCommand):
    help = (
        "Moves everything from an SQLite file into the new, migrated PostgreSQL database that DATABASE_URL names: all "
        "or nothing. The log arrives as it is, verified; afterwards the SQLite file refuses to be written."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="source", required=True, metavar="URL", help="sqlite:////path/of/the/file")

    def handle(self, *args: Any, **options: Any) -> None:
        copied: dict[str, int] = {}

        def show(table: str, rows: int) -> None:
            copied[table] = rows
            if self.stderr.isatty():
                self.stderr.write(f"\r{table}: {rows:,} rows ", style_func=str, ending="")

        try:
            with opened(options["source"]):
                entry = pipeline.move_database(pipeline.Actor("command"), show)
        except SourceStillOpen as error:
            raise CommandError(f"{error}. Stop what uses it and run this again.") from error
        except (MoveRefused, Error) as error:
            raise CommandError(f"Nothing was moved. {error}") from error
        if copied:
            self.stdout.write(f"{sum(copied.values()):,} rows of {len(copied)} tables moved; the log verifies.")
        else:
            self.stdout.write("It was moved before.")
        self.stdout.write(f"Entry {entry.seq} says so, after {entry.prev_hash}. The SQLite file takes nothing more.")
