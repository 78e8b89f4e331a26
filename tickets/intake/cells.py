"""The cells of a CSV file, row by row, whatever it is in truth."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tickets.api.fields import printable
from tickets.intake.lines import LONGEST_LINE, TOO_LONG, bounded_lines

# Half of a surrogate pair: what no encoding can hold stands for what could not be decoded.
UNDECODABLE = "\udcff"
_MARKED = "triage-undecodable"
_IN_WORDS = {
    "unexpected end of data": "a quote is opened and never closed",
    "',' expected after '\"'": "text follows a closing quote; inside a quoted cell a quote is written twice",
}


class FileRefused(Exception):
    """The file as a whole cannot be read; says what to do."""


@dataclass(frozen=True, slots=True)
class Cells:
    """One row. line: where it begins in the file, from 1, as an editor counts. problem: why it cannot be read."""

    line: int
    cells: list[str]
    problem: str = ""


def read_cells(path: Path, encoding: str) -> Iterator[Cells]:
    """Each row, empty ones too. Raises FileRefused where the encoding is none or fits nothing in the file."""
    csv.field_size_limit(LONGEST_LINE)
    with _opened(path, encoding) as file:
        lines = _Lines(file, encoding)
        # Strict: else a quote that is never closed makes one cell of all the rows that follow it.
        reader = csv.reader(lines, strict=True)
        while True:
            begins = lines.begin_row()
            try:
                yield Cells(begins, next(reader))
            except StopIteration:
                return
            except csv.Error as error:
                yield Cells(begins, [], _problem(error, begins, lines.number))


def header_of(first: Cells | None, needed: Sequence[str], read: Sequence[str] = (), hint: str = "") -> list[str]:
    """The names of the columns. Raises FileRefused where the first row lacks one that is needed, or names one that is
    needed or read twice; `hint` says what else may be done where one is missing.
    """
    if first is None:
        raise FileRefused("The file is empty; its first line must name the columns.")
    if first.problem:
        raise FileRefused(f"The first line is no CSV header: {first.problem}.")
    header = [name.strip() for name in first.cells]
    if missing := [name for name in dict.fromkeys(needed) if name not in header]:
        raise FileRefused(
            f"The file has no column {', '.join(missing)}; its first line names {_listed(header)}. Cells are separated "
            f"by commas. {hint}--encoding names the encoding, such as utf-16 or cp1252."
        )
    if twice := [name for name in (*needed, *read) if header.count(name) > 1]:
        raise FileRefused(f"The first line names the column {twice[0]} twice.")
    return header


def _listed(header: list[str]) -> str:
    return ", ".join(printable(name) for name in header[:20]) or "nothing"


class _Lines:
    """What the csv module reads from: counts lines, and ends a row that is too long for a ticket."""

    def __init__(self, file: TextIO, encoding: str) -> None:
        self._lines = bounded_lines(file)
        self._encoding = encoding
        self._row_length = 0
        self.number = 0

    def begin_row(self) -> int:
        self._row_length = 0
        return self.number + 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._lines)
        except UnicodeError as error:
            raise _wrong_encoding(self._encoding, error) from error
        self.number += 1
        self._row_length += len(line)
        if self._row_length > LONGEST_LINE:
            raise csv.Error(f"{TOO_LONG}; perhaps a quote is opened and never closed")
        return line


def _opened(path: Path, encoding: str) -> TextIO:
    try:
        return path.open(encoding=encoding, errors=_MARKED, newline="")
    except LookupError as error:
        raise _wrong_encoding(encoding, error) from error


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error(_MARKED, _mark)


def _wrong_encoding(encoding: str, error: Exception) -> FileRefused:
    return FileRefused(f"The file cannot be read as {encoding} ({error}); --encoding names another, such as cp1252.")


def _problem(error: csv.Error, begins: int, ends: int) -> str:
    skipped = f"; nothing from line {begins} to {ends} was read" if ends > begins else ""
    return f"not CSV: {_IN_WORDS.get(str(error), str(error))}{skipped}"
