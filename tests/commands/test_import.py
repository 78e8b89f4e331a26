"""`manage.py import_tickets`: what is a ticket comes in, what is none is reported row by row."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.api.client import row_counts
from tests.commands.running import HEADER, good_row, output_of
from tests.factories import CALM, pass_deadlines, submitted
from tickets import pipeline
from tickets.flow.score import scorer
from tickets.models import Lane, Message, Ticket, Waiting

pytestmark = pytest.mark.django_db


def refused(file: Path) -> list[list[str]]:
    """The rows of the report, without its header."""
    header, *rows = csv.reader(io.StringIO(Path(f"{file}.refused.csv").read_text(encoding="utf-8")))
    assert header == ["line", "reason"]
    return rows


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tickets.csv"


def test_rows_wait_behind_live_tickets_and_have_no_deadline(file: Path) -> None:
    file.write_text(HEADER + good_row(1))
    output_of("import_tickets", str(file))
    waiting = Waiting.objects.get()
    assert (waiting.lane, waiting.deadline_at) == (Lane.IMPORT, None)
    live = submitted(CALM)
    with override_settings(BATCH_SIZE=1):
        claim = pipeline.claim("test", scorer().model)
    assert claim is not None
    assert claim.ticket_ids == (live.pk,)


def test_the_keyword_rules_never_decide_an_imported_ticket(file: Path) -> None:
    file.write_text(HEADER + good_row(1))
    output_of("import_tickets", str(file))
    pass_deadlines()
    assert pipeline.fall_back() == 0


def test_columns_are_mapped_and_empty_cells_set(file: Path) -> None:
    file.write_text("Title,Text,Mail,Land\nLamp,Where?,lea@example.com,\nDesk,When?,,AT\n")
    mapped = ["--map", "subject=Title", "--map", "body=Text", "--map", "email=Mail", "--map", "region=Land"]
    output_of("import_tickets", str(file), *mapped, "--set", "email=unknown@example.com", "--set", "region=a=b")
    found = Ticket.objects.order_by("pk").values_list("subject", "requester__email", "requester__region")
    assert list(found) == [("Lamp", "lea@example.com", "a=b"), ("Desk", "unknown@example.com", "AT")]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "shift_jis"])
def test_a_file_in_another_encoding_is_read_when_it_is_named(file: Path, encoding: str) -> None:
    subject = "日本" if encoding == "shift_jis" else "Größe"
    file.write_bytes(f"{HEADER}{subject},x,lea@example.com\n".encode(encoding))
    output_of("import_tickets", str(file), "--encoding", encoding)
    assert Ticket.objects.get().subject == subject


@pytest.mark.parametrize(("name", "arguments"), [("a.jsonl", []), ("a.NDJSON", []), ("a.txt", ["--format", "jsonl"])])
def test_json_lines_are_read_by_their_ending_or_when_told(tmp_path: Path, name: str, arguments: list[str]) -> None:
    file = tmp_path / name
    file.write_text(json.dumps({"subject": "Lamp", "body": "Wo?", "email": "lea@example.com", "external_id": "7"}))
    output_of("import_tickets", str(file), "--source", "old-desk", *arguments)
    ticket = Ticket.objects.get()
    assert (ticket.source, ticket.external_id) == ("old-desk", "7")


def test_what_is_no_ticket_goes_to_a_report_with_line_and_reason(file: Path) -> None:
    file.write_text(
        f'{HEADER}{good_row(1)},no subject,lea@example.com\n"Two\nlines","of\n\ntext",lea@example.com\n'
        f'Lamp,x,nonsense\n{good_row(2)}Lamp,"never closed,lea@example.com\n{good_row(3)}'
    )
    printed = output_of("import_tickets", str(file))
    assert printed.startswith("3 new, 0 known already, 3 refused in ")
    assert printed.endswith(f"; see {file}.refused.csv\n")
    rows = refused(file)
    assert [line for line, _ in rows] == ["3", "8", "10"]
    assert rows[0][1] == "subject: This field is required."
    assert rows[1][1] == "email: Enter a valid email address."
    assert "quoted cell a quote is written twice; nothing from line 10 to 11 was read" in rows[2][1]
    assert set(Message.objects.values_list("body", flat=True)) == {"Text, 1", "of\n\ntext", "Text, 2"}


def test_good_and_bad_rows_may_alternate_over_many_chunks(file: Path) -> None:
    file.write_text(HEADER + "".join(good_row(number) + ",x,\n" for number in range(1_100)))
    assert output_of("import_tickets", str(file)).startswith("1,100 new, 0 known already, 1,100 refused")
    assert [line for line, _ in refused(file)] == [str(line) for line in range(3, 2_203, 2)]


def test_ten_thousand_rows_of_garbage_store_nothing_and_are_each_reported(file: Path) -> None:
    file.write_bytes(HEADER.encode() + b"".join(b"%d\x00\xff,,\n" % number for number in range(10_000)))
    before = row_counts()
    output_of("import_tickets", str(file))
    assert row_counts() == before
    rows = refused(file)
    assert [line for line, _ in rows] == [str(line) for line in range(2, 10_002)]
    assert all(reason for _, reason in rows)


def test_a_report_of_an_earlier_run_does_not_outlive_it(file: Path) -> None:
    report = Path(f"{file}.refused.csv")
    report.write_text("line,reason\n2,long repaired\n")
    file.write_text(HEADER + good_row(1))
    output_of("import_tickets", str(file))
    assert not report.exists()


def test_the_report_can_be_put_elsewhere(file: Path, tmp_path: Path) -> None:
    report = tmp_path / "elsewhere.csv"
    file.write_text(HEADER + ",x,\n")
    assert f"see {report}" in output_of("import_tickets", str(file), "--report", str(report))
    assert report.read_text().startswith("line,reason\n2,")
    assert not Path(f"{file}.refused.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--map", "title=Subject"], "Unknown field title"),
        (["--map", "subject=Title"], "no column Title"),
        (["--map", "subject"], "FIELD=COLUMN"),
        (["--set", "subject"], "FIELD=VALUE"),
        (["--set", "external_id=7"], "would make one ticket of all rows"),
        (["--set", "source=Old Desk"], "--set source 'Old Desk': write a short word"),
        (["--source", "Old Desk"], "--source 'Old Desk': write a short word"),
        (["--encoding", "klingon"], "klingon"),
        (["--encoding", "utf-16"], "cannot be read as utf-16"),
        (["--report", "nowhere/report.csv"], r"nowhere/report\.csv cannot be written"),
        (["--report", "."], r"\. cannot be written"),
    ],
)
def test_what_is_wrong_with_the_whole_run_is_said_before_anything_is_stored(
    file: Path, arguments: list[str], says: str
) -> None:
    file.write_text(HEADER + good_row(1))
    before = row_counts()
    with pytest.raises(CommandError, match=says):
        call_command("import_tickets", str(file), *arguments)
    assert row_counts() == before


@pytest.mark.parametrize(
    ("content", "says"), [("", "The file is empty"), ("subject,body\nLamp,x\n", "no column email")]
)
def test_a_file_without_what_every_ticket_needs_is_refused_whole(file: Path, content: str, says: str) -> None:
    file.write_text(content)
    with pytest.raises(CommandError, match=says):
        call_command("import_tickets", str(file))


def test_a_report_in_place_of_the_file_itself_is_refused_and_the_file_is_unharmed(file: Path) -> None:
    file.write_text(HEADER + good_row(1))
    link = file.with_name("link.csv")
    link.symlink_to(file)
    for report in (file, link):
        with pytest.raises(CommandError, match="--report names the file that is imported"):
            call_command("import_tickets", str(file), report=report)
    assert file.read_text() == HEADER + good_row(1)


@pytest.mark.parametrize(
    ("name", "says"),
    [("nowhere.csv", r"nowhere\.csv is no file"), ("nowhere/tickets.csv", "is no file"), (".", "is no file")],
)
def test_what_is_no_file_is_named(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("import_tickets", str(tmp_path / name))


def test_an_ending_that_says_nothing_needs_a_format(tmp_path: Path) -> None:
    file = tmp_path / "tickets.xlsx"
    file.write_text(HEADER)
    with pytest.raises(CommandError, match=r"tickets\.xlsx ends in none of .*; add --format"):
        call_command("import_tickets", str(file))
