"""CSV as people have it: quotes that are never closed, other encodings, lines without end."""

from __future__ import annotations

import csv
import encodings
import io
import pkgutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickets.intake.cells import UNDECODABLE, Cells, FileRefused, read_cells
from tickets.intake.lines import LONGEST_LINE

ENCODINGS = sorted({module.name for module in pkgutil.iter_modules(encodings.__path__)} - {"mbcs", "oem"})
ANY_CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ANY_ROW = st.lists(ANY_CELL, min_size=1, max_size=4)


def cells_of(folder: Path, content: str | bytes, encoding: str = "utf-8-sig") -> list[Cells]:
    file = folder / "cells.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_cells(file, encoding))


def test_each_row_has_the_line_that_it_begins_on(tmp_path: Path) -> None:
    content = 'a,"b\nc"\n\n"d\r\n\r\ne",f\r\ng,h'
    assert [(row.line, row.cells) for row in cells_of(tmp_path, content)] == [
        (1, ["a", "b\nc"]),
        (3, []),
        (4, ["d\r\n\r\ne", "f"]),
        (7, ["g", "h"]),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(tmp_path: Path, end: str) -> None:
    rows = cells_of(tmp_path, end.join(["a,b", '"c"', "d"]))
    assert [(row.line, row.cells) for row in rows] == [(1, ["a", "b"]), (2, ["c"]), (3, ["d"])]


@pytest.mark.parametrize("written", ["\ufeffa,b\n", "a,b\n"])
def test_a_byte_order_mark_is_no_part_of_the_first_cell(tmp_path: Path, written: str) -> None:
    assert cells_of(tmp_path, written)[0].cells == ["a", "b"]


def test_a_quote_that_is_never_closed_makes_no_cell_of_the_rows_after_it(tmp_path: Path) -> None:
    rows = cells_of(tmp_path, 'a,b\nc,"d\ne,f\ng,h\n')
    assert [row.cells for row in rows] == [["a", "b"], []]
    assert rows[1].line == 2
    assert "never closed; nothing from line 2 to 4 was read" in rows[1].problem


def test_a_quote_closed_by_the_next_one_in_the_file_costs_the_lines_between_them(tmp_path: Path) -> None:
    rows = cells_of(tmp_path, 'a,"b\nc,d\ne,"f"\ng,h\n')
    assert [(row.line, row.cells) for row in rows] == [(1, []), (4, ["g", "h"])]
    assert "nothing from line 1 to 3" in rows[0].problem


def test_after_a_mebibyte_an_open_quote_is_given_up_and_the_rows_behind_it_are_read(tmp_path: Path) -> None:
    line = "x" * 1023 + "\n"
    rows = cells_of(tmp_path, f'a,"b\n{line * 1500}c,d\n')
    assert "perhaps a quote is opened and never closed; nothing from line 1 to 1025" in rows[0].problem
    assert rows[1].line == 1026
    assert (rows[-1].line, rows[-1].cells) == (1502, ["c", "d"])


def test_a_row_of_many_short_cells_over_many_lines_is_given_up_too(tmp_path: Path) -> None:
    rows = cells_of(tmp_path, '"' + 'a","\n' * (LONGEST_LINE // 4) + '"\n')
    assert "longer than 1,048,576 characters" in rows[0].problem


def test_one_line_without_end_is_one_problem(tmp_path: Path) -> None:
    rows = cells_of(tmp_path, "a,b\n" + "x" * (3 * LONGEST_LINE) + "\nc,d\n")
    assert [(row.line, bool(row.problem)) for row in rows] == [(1, False), (2, True), (3, False)]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("utf-8", b"\xff,b\nc,d\n"),
        ("ascii", b"\xe4,b\nc,d\n"),
        ("utf-16-le", b"\x00\xd8" + "x,b\nc,d\n".encode("utf-16-le")),
        ("shift_jis", b"\x81\x20,b\nc,d\n"),
        ("iso2022_jp", b"\xff,b\nc,d\n"),
    ],
)
def test_bytes_in_another_encoding_are_marked_and_spoil_no_other_row(
    tmp_path: Path, encoding: str, content: bytes
) -> None:
    rows = cells_of(tmp_path, content, encoding)
    assert UNDECODABLE in rows[0].cells[0]
    assert rows[1].cells == ["c", "d"]


@pytest.mark.parametrize("encoding", ["klingon", "base64", "undefined", "idna", "utf-16"])
def test_an_encoding_that_is_none_or_fits_nothing_refuses_the_file(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(FileRefused, match=rf"cannot be read as {encoding} .*--encoding"):
        cells_of(tmp_path, "a,b\n", encoding)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(ANY_ROW, max_size=5), line_end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_the_csv_module_writes_is_read_back_with_its_lines(
    tmp_path: Path, rows: list[list[str]], line_end: str
) -> None:
    written, lines = io.StringIO(newline=""), []
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator=line_end)
    for row in rows:
        so_far = written.getvalue()
        lines.append(1 + so_far.count("\n") + so_far.replace("\r\n", "").count("\r"))
        writer.writerow(row)
    found = cells_of(tmp_path, written.getvalue().encode(), "utf-8")
    assert [(row.line, row.cells) for row in found] == list(zip(lines, rows, strict=True))


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=200), encoding=st.sampled_from(ENCODINGS))
def test_whatever_the_bytes_and_the_encoding_nothing_but_a_refusal_is_raised(
    tmp_path: Path, content: bytes, encoding: str
) -> None:
    try:
        rows = cells_of(tmp_path, content, encoding)
    except FileRefused:
        return
    assert all(not (row.cells and row.problem) for row in rows)
    assert [row.line for row in rows] == sorted({row.line for row in rows})
