"""manage.py import_tickets FILE"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rest_framework.exceptions import ValidationError

from tickets import pipeline
from tickets.api.serializers import TicketIn
from tickets.intake.rows import FIELDS, FileRefused, Mapped, Row, read_csv, read_jsonl

_CHUNK = 500
_SAY_EVERY_SECONDS = 0.5


@dataclass(slots=True)
class Counts:
    new: int = 0
    known: int = 0
    refused: int = 0


class Command(BaseCommand):
    help = (
        "Imports tickets from CSV (first line names the columns) or JSON lines. Can be stopped and run again: rows "
        "that are in already are recognised. Rows that are no tickets go to a report with line and reason."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--map", action="append", default=[], metavar="FIELD=COLUMN", help=f"of {', '.join(FIELDS)}"
        )
        parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="where the cell is empty")
        parser.add_argument("--source", default="import", help="source of rows that name none (default: import)")
        parser.add_argument("--format", choices=["csv", "jsonl"], help="default: by the file's ending")
        parser.add_argument("--encoding", default="utf-8-sig", help="of a CSV file (default UTF-8)")
        parser.add_argument("--report", type=Path, help="refused rows (default: FILE.refused.csv)")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        mapped = Mapped(_pairs(options["map"]), _pairs(options["set"]), options["source"])
        report: Path = options["report"] or path.with_name(path.name + ".refused.csv")
        _refuse_source(mapped.source)
        report.unlink(missing_ok=True)
        started = time.monotonic()
        try:
            counts = self._import(_rows(path, mapped, options), report)
        except FileRefused as error:
            raise CommandError(str(error)) from error
        except (OSError, LookupError) as error:
            raise CommandError(f"{path} cannot be read: {error}") from error
        seconds = max(time.monotonic() - started, 0.001)
        self.stdout.write(
            f"{counts.new:,} new, {counts.known:,} known already, {counts.refused:,} refused in {seconds:.1f} s"
            + (f"; see {report}" if counts.refused else "")
        )

    def _import(self, rows: Iterator[Row], report: Path) -> Counts:
        counts, said_at = Counts(), 0.0
        while chunk := list(islice(rows, _CHUNK)):
            bad = [row for row in chunk if row.ticket is None]
            if bad:
                _append(report, bad, mode="a" if counts.refused else "w")
            accepted = pipeline.submit([row.ticket for row in chunk if row.ticket])
            counts.new += sum(result.created for result in accepted)
            counts.known += sum(not result.created for result in accepted)
            counts.refused += len(bad)
            if sys.stderr.isatty() and time.monotonic() - said_at > _SAY_EVERY_SECONDS:
                said_at = time.monotonic()
                self.stderr.write(
                    f"\rline {chunk[-1].line:,}: {counts.new:,} new, {counts.refused:,} refused", ending=""
                )
        return counts


def _rows(path: Path, mapped: Mapped, options: dict[str, Any]) -> Iterator[Row]:
    is_csv = (options["format"] or path.suffix.lstrip(".").lower()) == "csv"
    return read_csv(path, mapped, options["encoding"]) if is_csv else read_jsonl(path, mapped)


def _refuse_source(source: str) -> None:
    try:
        TicketIn().fields["source"].run_validation(source)
    except ValidationError as error:
        raise CommandError(f"--source {source!r}: write a short word in lower case, such as old-desk.") from error


def _pairs(arguments: Iterable[str]) -> dict[str, str]:
    if wrong := [argument for argument in arguments if "=" not in argument]:
        raise CommandError(f"{wrong[0]!r} is no pair; write FIELD=COLUMN or FIELD=VALUE.")
    pairs = dict(argument.partition("=")[::2] for argument in arguments)
    unknown = set(pairs) - set(FIELDS)
    if unknown:
        raise CommandError(f"Unknown field {', '.join(sorted(unknown))}; the fields are {', '.join(FIELDS)}.")
    return pairs


def _append(report: Path, rows: Iterable[Row], mode: str) -> None:
    with report.open(mode, encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if mode == "w":
            writer.writerow(["line", "reason"])
        writer.writerows([row.line, row.problem.encode("utf-8", "replace").decode()] for row in rows)
