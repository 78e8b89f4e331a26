"""Files of tickets, row by row: each is a ticket or has a problem, and a line to look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickets.intake.rows import FileRefused, Mapped, Row, read_csv, read_jsonl

PLAIN = Mapped({}, {}, "import")
HEADER = "subject,body,email\n"


def rows_of(folder: Path, content: str | bytes, mapped: Mapped = PLAIN, encoding: str = "utf-8-sig") -> list[Row]:
    file = folder / "tickets.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_csv(file, mapped, encoding))


def json_rows(folder: Path, content: bytes, mapped: Mapped = PLAIN) -> list[Row]:
    file = folder / "tickets.jsonl"
    file.write_bytes(content)
    return list(read_jsonl(file, mapped))


def test_columns_are_found_by_name_in_any_order(tmp_path: Path) -> None:
    row = rows_of(tmp_path, "email,ignored,body,subject\nlea@example.com,x,Where?,Lamp\n")[0]
    assert row.ticket is not None
    assert (row.ticket.subject, row.ticket.body, row.ticket.email, row.ticket.live) == (
        "Lamp",
        "Where?",
        "lea@example.com",
        False,
    )


def test_columns_and_constants_can_be_mapped(tmp_path: Path) -> None:
    mapped = Mapped({"subject": "Title", "body": "Text"}, {"email": "unknown@example.com"}, "old-desk")
    row = rows_of(tmp_path, "Title,Text\nLamp,Where?\n", mapped)[0]
    assert row.ticket is not None
    assert (row.ticket.subject, row.ticket.email, row.ticket.source) == ("Lamp", "unknown@example.com", "old-desk")


def test_quoted_line_ends_stay_in_the_text_and_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    content = f'{HEADER}Lamp,"one\ntwo\nthree",lea@example.com\nNo mail,x,nonsense\n'
    first, second = rows_of(tmp_path, content)
    assert first.ticket is not None
    assert first.ticket.body == "one\ntwo\nthree"
    assert (first.line, second.line) == (2, 5)
    assert "requester.email" in second.problem


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_other_encodings_can_be_named(tmp_path: Path, encoding: str) -> None:
    row = rows_of(tmp_path, f"{HEADER}Größe,Übergröße,lea@example.com\n".encode(encoding), encoding=encoding)[0]
    assert row.ticket is not None
    assert row.ticket.subject == "Größe"


def test_bytes_in_another_encoding_are_refused_in_their_row_alone(tmp_path: Path) -> None:
    content = HEADER.encode() + "Größe,x,lea@example.com\n".encode("latin-1") + b"Lamp,x,lea@example.com\n"
    wrong, right = rows_of(tmp_path, content)
    assert "subject" in wrong.problem
    assert right.ticket is not None


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "empty"), ("a\nb\n", "no column Title"), ('"never closed' + "x" * 2_000_000, "header")],
)
def test_a_file_that_cannot_be_read_at_all_is_refused(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(FileRefused, match=says):
        rows_of(tmp_path, content, Mapped({"subject": "Title"}, {}, "import"))


def test_empty_lines_are_no_rows(tmp_path: Path) -> None:
    assert len(rows_of(tmp_path, f"{HEADER}\n,,\nLamp,x,lea@example.com\n\n")) == 1


def test_json_lines_take_the_shape_of_the_api_or_a_flat_one(tmp_path: Path) -> None:
    nested = b'{"subject": "Lamp", "body": "x", "requester": {"email": "lea@example.com"}}'
    flat = b'{"subject": "Lamp", "body": "x", "email": "lea@example.com"}'
    assert all(
        row.ticket and row.ticket.email == "lea@example.com" for row in json_rows(tmp_path, nested + b"\n" + flat)
    )


def test_a_line_that_is_no_json_spoils_no_other(tmp_path: Path) -> None:
    good = b'{"subject": "Lamp", "body": "x", "email": "lea@example.com"}'
    rows = json_rows(tmp_path, b"\n".join([good, b"{", b"7", b"\xff", b"[" * 100_000, good]))
    assert [bool(row.ticket) for row in rows] == [True, False, False, False, False, True]
    assert [row.line for row in rows] == [1, 2, 3, 4, 5, 6]


def test_the_same_row_is_the_same_ticket_when_the_file_is_read_again(tmp_path: Path) -> None:
    content = f"{HEADER}Lamp,x,lea@example.com\nLamp,x,lea@example.com\n"
    first, again = ([row.ticket.identity for row in rows_of(tmp_path, content) if row.ticket] for _ in range(2))
    assert first == again
    assert len(set(first)) == 2


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    content=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: (HEADER + text).encode("utf-8", "replace"))
)
def test_whatever_the_bytes_each_row_is_a_ticket_or_has_a_problem(tmp_path: Path, content: bytes) -> None:
    for read in (rows_of, json_rows):
        try:
            rows = read(tmp_path, content)
        except FileRefused:
            continue
        assert all((row.ticket is None) == bool(row.problem) for row in rows)
        assert all(row.line >= 1 for row in rows)
