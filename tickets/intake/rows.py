"""Files of tickets: CSV with a mapping of columns, or JSON lines. Read as a stream; each row stands alone."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tickets.api.serializers import TicketIn
from tickets.flow.ingest import NewTicket

FIELDS = ("subject", "body", "email", "name", "region", "locale", "source", "external_id", "received_at")
_REQUESTER = ("email", "name", "region", "locale")
# A quote that is never closed would else swallow the rest of the file.
_LONGEST_CELL = 1024 * 1024


class FileRefused(Exception):
    """The file as a whole cannot be read; says what to do."""


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


def read_csv(path: Path, mapped: Mapped, encoding: str = "utf-8-sig") -> Iterator[Row]:
    """Raises FileRefused when the first line does not name the mapped columns."""
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
        reader = csv.reader(file)
        header = _header(reader)
        columns = {name: mapped.columns.get(name, name) for name in FIELDS}
        _refuse_missing({mapped.columns[name] for name in mapped.columns} - set(header))
        for line, cells in _cells(reader):
            if isinstance(cells, str):
                yield Row(line, None, cells)
            elif any(cells):
                values = dict(zip(header, cells, strict=False))
                yield _row(line, {name: values.get(column, "") for name, column in columns.items()}, mapped)


def read_jsonl(path: Path, mapped: Mapped) -> Iterator[Row]:
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            if raw.strip():
                yield _json_row(line, raw, mapped)


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        return [name.strip() for name in next(reader)]
    except StopIteration:
        raise FileRefused("The file is empty; its first line must name the columns.") from None
    except csv.Error as error:
        raise FileRefused(f"The first line is no CSV header: {error}.") from error


def _refuse_missing(missing: set[str]) -> None:
    if missing:
        raise FileRefused(f"The file has no column {', '.join(sorted(missing))}.")


def _cells(reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    """Each row with the line that it begins on; an unreadable one with the reason instead of its cells."""
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = f"not CSV: {error}"
        yield begins, cells


def _json_row(line: int, raw: bytes, mapped: Mapped) -> Row:
    try:
        values = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return Row(line, None, f"not JSON: {error}")
    if not isinstance(values, dict):
        return Row(line, None, "not a JSON object")
    requester = values.get("requester")
    flat = values | (requester if isinstance(requester, dict) else {})
    return _row(line, {name: flat.get(mapped.columns.get(name, name), "") for name in FIELDS}, mapped)


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


def _problems(errors: Any, prefix: str = "") -> Iterator[str]:
    for field, messages in errors.items():
        if isinstance(messages, dict):
            yield from _problems(messages, f"{field}.")
        else:
            yield f"{prefix}{field}: {' '.join(map(str, messages))}"
