"""Tickets whose queue somebody knows already: to calibrate, evaluate and train with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scoring.text import compose
from tickets.api.fields import printable
from tickets.intake.cells import UNDECODABLE, Cells, header_of, read_cells
from tickets.intake.lines import TOO_LONG, bounded_lines, is_too_long, why_not_json


class BadLabel(ValueError):
    """Names the line and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class LabelledTicket:
    """text: as it is scored. row: the whole line, for groups such as language or channel. line: where it is, from 1."""

    text: str
    urgent: bool
    row: dict[str, object]
    line: int


@dataclass(frozen=True, slots=True)
class Columns:
    """How a CSV file says what a ticket is. text: the subject's column and those of the messages.

    urgent: the values of `label` that mean urgent; drop: those that say neither, whose rows are left out; each other
    value means standard. time: the column that says when, or none.
    """

    text: tuple[str, ...]
    label: str
    urgent: frozenset[str]
    drop: frozenset[str] = frozenset()
    time: str = ""

    def named(self) -> tuple[str, ...]:
        return (*self.text, self.label, *filter(None, [self.time]))


def labelled_tickets(file: Path) -> Iterator[LabelledTicket]:
    """Of JSON lines with subject, body and urgent (true or false). Raises BadLabel, OSError."""
    with file.open("rb") as lines:
        for number, line in enumerate(bounded_lines(lines), start=1):
            if line.strip():
                yield _ticket(line, number)


def labelled_rows(file: Path, columns: Columns, encoding: str = "utf-8-sig") -> Iterator[LabelledTicket]:
    """Of a CSV file whose first line names its columns. Raises BadLabel, FileRefused, OSError."""
    rows = read_cells(file, encoding)
    header, said = header_of(next(rows, None), columns.named()), set()
    for row in rows:
        if row.problem or any(row.cells):
            ticket = _row(row, header, columns)
            label = str(ticket.row[columns.label])
            if not label and "" not in columns.drop | columns.urgent:
                raise BadLabel(f"line {row.line}: {columns.label}: empty. --drop '' leaves such rows out.")
            said.add(label)
            if label not in columns.drop:
                yield ticket
    if said and not said & columns.urgent:
        raise BadLabel(f"{columns.label}: no row says {_some(columns.urgent)}; the rows say {_some(said)}.")


def time_of(ticket: LabelledTicket, name: str) -> datetime:
    """What the column or member `name` says: ISO 8601, in UTC where it names no zone. Raises BadLabel."""
    written = ticket.row.get(name)
    try:
        at = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        at = None
    if at is None:
        raise BadLabel(f"line {ticket.line}: {name}: {str(written)[:40]!r} is no time as in 2026-11-25T14:32:00Z.")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _some(values: Iterable[str], most: int = 10) -> str:
    """Of a column that nobody expected, there may be as many as rows."""
    first = sorted(values)[: most + 1]
    return ", ".join(printable(value) if value else "''" for value in first[:most]) + (
        " ..." if len(first) > most else ""
    )


def _row(row: Cells, header: list[str], columns: Columns) -> LabelledTicket:
    if row.problem:
        raise BadLabel(f"line {row.line}: {row.problem}.")
    if len(row.cells) != len(header):
        raise BadLabel(f"line {row.line}: {len(row.cells)} cells, and the first line names {len(header)} columns.")
    if any(UNDECODABLE in cell for cell in row.cells):
        raise BadLabel(f"line {row.line}: not in the file's encoding; --encoding names another, such as cp1252.")
    cells: Mapping[str, str] = dict(zip(header, row.cells, strict=True))
    label = cells[columns.label].strip()
    subject, *messages = (cells[name] for name in columns.text)
    text = compose(subject, messages)
    return LabelledTicket(text, label in columns.urgent, {**cells, columns.label: label}, row.line)


def _ticket(line: bytes, number: int) -> LabelledTicket:
    if is_too_long(line):
        raise BadLabel(f"line {number}: {TOO_LONG}")
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadLabel(f"line {number}: {why_not_json(error)}") from error
    except RecursionError:
        raise BadLabel(f"line {number}: nested too deeply.") from None
    if not isinstance(row, dict) or not isinstance(row.get("body"), str):
        raise BadLabel(f"line {number}: body: a text is required.")
    if not isinstance(row.get("subject", ""), str):
        raise BadLabel(f"line {number}: subject: not a text.")
    if not isinstance(row.get("urgent"), bool):
        raise BadLabel(f"line {number}: urgent: true or false is required.")
    return LabelledTicket(compose(row.get("subject", ""), [row["body"]]), row["urgent"], row, number)
