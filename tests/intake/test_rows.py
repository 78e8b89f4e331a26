"""Files of tickets, row by row: each is a ticket or has a problem, and a line to look at."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickets.intake.cells import FileRefused
from tickets.intake.rows import Mapped, Row, read_csv, read_jsonl

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
    assert second.problem == "email: Enter a valid email address."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_other_encodings_can_be_named(tmp_path: Path, encoding: str) -> None:
    row = rows_of(tmp_path, f"{HEADER}Größe,Übergröße,lea@example.com\n".encode(encoding), encoding=encoding)[0]
    assert row.ticket is not None
    assert row.ticket.subject == "Größe"


def test_bytes_in_another_encoding_are_refused_in_their_row_alone(tmp_path: Path) -> None:
    content = HEADER.encode() + "Größe,x,lea@example.com\n".encode("latin-1") + b"Lamp,x,lea@example.com\n"
    wrong, right = rows_of(tmp_path, content)
    assert wrong.problem == "subject: bytes in another encoding; --encoding names it, such as cp1252"
    assert right.ticket is not None


def test_bytes_in_another_encoding_do_no_harm_in_a_column_that_is_not_read(tmp_path: Path) -> None:
    content = b"subject,note,body,email\nLamp,Gr\xf6\xdfe,x,lea@example.com\n"
    assert rows_of(tmp_path, content)[0].ticket is not None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "The file is empty"),
        ("Title,body\nLamp,x\n", "no column email; its first line names Title, body"),
        ("a\nb\n", "no column Title, body, email"),
        ("Title;body;email\nLamp;x;lea@example.com\n", "names Title;body;email. Cells are separated by commas"),
        ("\n\n", "its first line names nothing"),
        ("Title,body,email,body\n", "names the column body twice"),
        ('"never closed' + "x" * 2_000_000, "no CSV header"),
        ('"never closed', "no CSV header: not CSV: a quote is opened and never closed"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_refused(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(FileRefused, match=re.escape(says)):
        rows_of(tmp_path, content, Mapped({"subject": "Title"}, {}, "import"))


def test_what_a_constant_gives_needs_no_column(tmp_path: Path) -> None:
    mapped = Mapped({}, {"subject": "From the old desk", "email": "unknown@example.com"}, "import")
    row = rows_of(tmp_path, "body\nWhere is it?\n", mapped)[0]
    assert row.ticket is not None
    assert (row.ticket.subject, row.ticket.body) == ("From the old desk", "Where is it?")


def test_a_comma_that_should_have_been_quoted_cuts_no_text_off(tmp_path: Path) -> None:
    row = rows_of(tmp_path, "email,subject,body\nlea@example.com,Lamp,Hello, where is it?\n")[0]
    assert row.problem == "4 cells, the first line names 3; a cell that holds a comma must be quoted"


def test_a_row_may_end_early_or_in_empty_cells(tmp_path: Path) -> None:
    header = "email,subject,body,name,region\n"
    short, long = rows_of(tmp_path, f"{header}lea@example.com,Lamp,x\nlea@example.com,Lamp,x,Lea,DE,,\n")
    assert short.ticket is not None
    assert long.ticket is not None
    assert (short.ticket.name, long.ticket.region) == ("", "DE")


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
    bad = [b"{]", b"7", b"\xff", b"[" * 100_000, b'{"subject": "' + b"x" * 2_000_000 + b'"}', b'{"body": {"a": []}}']
    rows = json_rows(tmp_path, b"\n".join([good, *bad, good]))
    assert [row.line for row in rows] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [row.problem for row in rows] == [
        "",
        "not JSON: Expecting property name enclosed in double quotes at character 2",
        "not a JSON object",
        "not UTF-8 at byte 1",
        "nested too deeply",
        "longer than 1,048,576 characters",
        "body: Not a string.",
        "",
    ]


@pytest.mark.parametrize("depth", range(950, 1_050, 3))
def test_however_deep_a_value_is_nested_its_row_is_refused(tmp_path: Path, depth: int) -> None:
    nested = b'{"body": "x", "email": "lea@example.com", "subject": ' + b"[" * depth + b"]" * depth + b"}"
    assert json_rows(tmp_path, nested)[0].problem in ("subject: Not a string.", "nested too deeply")


def test_json_lines_have_their_fields_mapped_and_empty_ones_set(tmp_path: Path) -> None:
    mapped = Mapped({"subject": "title"}, {"email": "unknown@example.com", "region": "DE"}, "old-desk")
    row = json_rows(tmp_path, b'\xef\xbb\xbf{"title": "Lamp", "body": "x", "email": null, "region": ""}\n', mapped)[0]
    assert row.ticket is not None
    assert (row.ticket.subject, row.ticket.email, row.ticket.region) == ("Lamp", "unknown@example.com", "DE")


def test_a_row_says_everything_that_is_wrong_with_it_in_the_words_of_the_columns(tmp_path: Path) -> None:
    row = rows_of(tmp_path, "subject,body,email,received_at\n,x,nonsense,2026-01-01 10:00\n")[0]
    fields = [reason.partition(":")[0] for reason in row.problem.split("; ")]
    assert fields == ["subject", "email", "received_at"]
    assert "Say the time zone" in row.problem


def test_an_id_of_its_own_is_kept_and_its_place_does_not_matter(tmp_path: Path) -> None:
    header, row = "subject,body,email,external_id,source\n", "Lamp,x,lea@example.com,7,old-desk\n"
    for content in (header + row, f"{header}\n\n{row}"):
        ticket = rows_of(tmp_path, content)[0].ticket
        assert ticket is not None
        assert ticket.identity == ("old-desk", "7")


def test_the_same_row_is_the_same_ticket_when_the_file_is_read_again(tmp_path: Path) -> None:
    content = f"{HEADER}Lamp,x,lea@example.com\nLamp,x,lea@example.com\n"
    first, again = ([row.ticket.identity for row in rows_of(tmp_path, content) if row.ticket] for _ in range(2))
    assert first == again
    assert len(set(first)) == 2


PIECES = (b"Lamp", b"lea@example.com", b",", b'"', b"\n", b"\r", b"\xff", b"\0", b"{", b"}", b"[", b'"body":', b"7")


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
def test_whatever_the_bytes_each_row_is_a_ticket_or_has_a_problem(tmp_path: Path, content: bytes) -> None:
    for rows in (rows_of(tmp_path, HEADER.encode() + content), json_rows(tmp_path, content)):
        assert all((row.ticket is None) == bool(row.problem) for row in rows)
        assert [row.line for row in rows] == sorted({row.line for row in rows})
