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
from tickets.intake.cells import FileRefused
from tickets.intake.rows import FIELDS, Mapped, Row, read_csv, read_jsonl

_CHUNK = 500
_FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
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
        _refuse_constants(mapped)
        if not path.exists() or path.is_dir():
            raise CommandError(f"{path} is no file.")
        rows = _rows(path, mapped, options["format"] or _format_of(path), options["encoding"])
        _clear(report, path)
        started = time.monotonic()
        try:
            counts = self._import(rows, report)
        except FileRefused as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Run it again to go on: what is in already is recognised.") from None
        seconds = max(time.monotonic() - started, 0.001)
        self.stdout.write(
            f"{counts.new:,} new, {counts.known:,} known already, {counts.refused:,} refused in {seconds:.1f} s"
            + (f"; see {report}" if counts.refused else "")
        )

    def _import(self, rows: Iterator[Row], report: Path) -> Counts:
        counts, said_at = Counts(), 0.0
        try:
            while chunk := list(islice(rows, _CHUNK)):
                _submit(chunk, report, counts)
                if sys.stderr.isatty() and time.monotonic() - said_at > _SAY_EVERY_SECONDS:
                    said_at = time.monotonic()
                    self.stderr.write(f"\r{_progress(chunk[-1].line, counts)}", style_func=str, ending="")
        finally:
            if said_at:
                self.stderr.write("", style_func=str)
        return counts


def _submit(chunk: list[Row], report: Path, counts: Counts) -> None:
    bad = [row for row in chunk if row.ticket is None]
    if bad:
        _append(report, bad, mode="a" if counts.refused else "w")
    accepted = pipeline.submit([row.ticket for row in chunk if row.ticket])
    counts.new += sum(result.created for result in accepted)
    counts.known += sum(not result.created for result in accepted)
    counts.refused += len(bad)


def _progress(line: int, counts: Counts) -> str:
    return f"line {line:,}: {counts.new:,} new, {counts.known:,} known already, {counts.refused:,} refused"


def _format_of(path: Path) -> str:
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        raise CommandError(f"{path.name} ends in none of {', '.join(_FORMATS)}; add --format csv or jsonl.") from None


def _rows(path: Path, mapped: Mapped, file_format: str, encoding: str) -> Iterator[Row]:
    try:
        yield from read_csv(path, mapped, encoding) if file_format == "csv" else read_jsonl(path, mapped)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error


def _refuse_constants(mapped: Mapped) -> None:
    """What would spoil every row is refused before the first one is read."""
    if "external_id" in mapped.constants:
        raise CommandError("--set external_id would make one ticket of all rows; name its column with --map.")
    for option, source in (("--source", mapped.source), ("--set source", mapped.constants.get("source", "import"))):
        try:
            TicketIn().fields["source"].run_validation(source)
        except ValidationError as error:
            raise CommandError(f"{option} {source!r}: write a short word in lower case, such as old-desk.") from error


def _clear(report: Path, path: Path) -> None:
    """Removes the report of an earlier run; finds out now, not at the first bad row, that none can be written."""
    try:
        if report.exists() and path.exists() and report.samefile(path):
            raise CommandError("--report names the file that is imported.")
        report.write_bytes(b"")
        if report.is_file():
            report.unlink()
    except OSError as error:
        raise CommandError(f"{report} cannot be written: {error.strerror}; --report names another.") from error


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
