"""Files of tickets: CSV with a mapping of columns, or JSON lines. Read as a stream; each row stands alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tickets.api.serializers import TicketIn
from tickets.flow.ingest import NewTicket
from tickets.intake.cells import UNDECODABLE, Cells, header_of, read_cells
from tickets.intake.lines import TOO_LONG, bounded_lines, is_too_long, why_not_json

FIELDS = ("subject", "body", "email", "name", "region", "locale", "source", "external_id", "received_at")
_NEEDED = ("subject", "body", "email")
_REQUESTER = ("email", "name", "region", "locale")
_OTHERWISE = "--map FIELD=COLUMN names another column, --set FIELD=VALUE one value for all rows, "


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a valid ticket, or the reasons why it is none. line: where it begins in the file, from 1."""

    line: int
    ticket: NewTicket | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Mapped:
    """How columns become fields. columns: field -> column; constants: field -> value where the column is empty."""

    columns: Mapping[str, str]
    constants: Mapping[str, str]
    source: str

    def column(self, field: str) -> str:
        return self.columns.get(field, field)


def read_csv(path: Path, mapped: Mapped, encoding: str = "utf-8-sig") -> Iterator[Row]:
    """Raises FileRefused when the first line does not name each column that is needed, once."""
    rows = read_cells(path, encoding)
    needed = [*mapped.columns.values(), *(mapped.column(name) for name in _NEEDED if name not in mapped.constants)]
    header = header_of(next(rows, None), needed, [*map(mapped.column, FIELDS)], _OTHERWISE)
    for row in rows:
        if row.problem or any(row.cells):
            yield _csv_row(row, header, mapped)


def read_jsonl(path: Path, mapped: Mapped) -> Iterator[Row]:
    with path.open("rb") as file:
        for line, raw in enumerate(bounded_lines(file), start=1):
            if raw.strip():
                yield _json_row(line, raw, mapped)


def _csv_row(row: Cells, header: list[str], mapped: Mapped) -> Row:
    if row.problem:
        return Row(row.line, None, row.problem)
    if any(row.cells[len(header) :]):
        return Row(
            row.line,
            None,
            f"{len(row.cells)} cells, the first line names {len(header)}; a cell that holds a comma must be quoted",
        )
    cells = dict(zip(header, row.cells, strict=False))
    values = {name: cells.get(mapped.column(name), "") for name in FIELDS}
    if undecodable := [name for name, value in values.items() if UNDECODABLE in value]:
        return Row(row.line, None, f"{undecodable[0]}: bytes in another encoding; --encoding names it, such as cp1252")
    return _row(row.line, values, mapped)


def _json_row(line: int, raw: bytes, mapped: Mapped) -> Row:
    if is_too_long(raw):
        return Row(line, None, TOO_LONG)
    try:
        values = json.loads(raw.decode("utf-8-sig"))
    except ValueError as error:
        return Row(line, None, why_not_json(error))
    except RecursionError:
        return Row(line, None, "nested too deeply")
    if not isinstance(values, dict):
        return Row(line, None, "not a JSON object")
    requester = values.get("requester")
    flat = values | (requester if isinstance(requester, dict) else {})
    given = {name: flat.get(mapped.column(name), "") for name in FIELDS}
    if nested := [name for name, value in given.items() if isinstance(value, dict | list)]:
        return Row(line, None, f"{nested[0]}: Not a string.")
    return _row(line, given, mapped)


def _row(line: int, values: dict[str, Any], mapped: Mapped) -> Row:
    given = {name: value for name, value in values.items() if value not in ("", None)}
    given = dict(mapped.constants) | given
    given.setdefault("source", mapped.source)
    # Without an id of its own, a row is known again by its place and content: that is what makes importing resumable.
    given.setdefault("external_id", f"row-{line}-{_digest(given)}")
    requester = {name: given.pop(name) for name in _REQUESTER if name in given}
    ticket = TicketIn(data=given | {"requester": requester})
    if ticket.is_valid():
        return Row(line, ticket.to_submission(live=False))
    return Row(line, None, "; ".join(_problems(ticket.errors)))


def _digest(values: dict[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _problems(errors: Any) -> Iterator[str]:
    """The requester's fields are named as the columns are: email, not requester.email."""
    for field, messages in errors.items():
        if isinstance(messages, dict):
            yield from _problems(messages)
        else:
            yield f"{field}: {' '.join(map(str, messages))}"
