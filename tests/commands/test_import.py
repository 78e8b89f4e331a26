"""`manage.py import_tickets`: streamed, reported row by row, and safe to run again."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.api.client import row_counts
from tests.bench.measuring import resident_mb
from tests.installation import ROOT, Installation, eventually
from tickets.models import Lane, Ticket, Waiting

HEADER = "subject,body,email\n"


def good_row(number: int) -> str:
    return f'Ticket {number},"Text, {number}",{number}@example.com\n'


def refused(file: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(Path(f"{file}.refused.csv").read_text())))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tickets.csv"


@pytest.mark.django_db
class TestImport:
    def test_rows_wait_behind_live_tickets_and_have_no_deadline(self, file: Path) -> None:
        file.write_text(HEADER + good_row(1))
        call_command("import_tickets", str(file))
        waiting = Waiting.objects.get()
        assert (waiting.lane, waiting.deadline_at) == (Lane.IMPORT, None)

    def test_what_is_no_ticket_goes_to_a_report_with_line_and_reason(
        self, file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file.write_text(f"{HEADER}{good_row(1)},no subject,lea@example.com\nLamp,x,nonsense\n{good_row(2)}")
        call_command("import_tickets", str(file))
        report = refused(file)
        assert report[0] == ["line", "reason"]
        assert [line for line, _ in report[1:]] == ["3", "4"]
        assert "subject" in report[1][1]
        assert "requester.email" in report[2][1]
        assert "2 new, 0 known already, 2 refused" in capsys.readouterr().out
        assert Ticket.objects.count() == 2

    def test_ten_thousand_rows_of_garbage_store_nothing_and_are_each_reported(self, file: Path) -> None:
        file.write_bytes(HEADER.encode() + b"".join(b"%d\x00\xff,,\n" % number for number in range(10_000)))
        before = row_counts()
        call_command("import_tickets", str(file))
        assert row_counts() == before
        report = refused(file)
        assert len(report) == 10_001
        assert all(reason for _, reason in report)

    def test_running_it_again_adds_only_what_is_new(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file.write_text(HEADER + good_row(1) + good_row(2))
        call_command("import_tickets", str(file))
        file.write_text(HEADER + good_row(1) + good_row(2) + good_row(3))
        call_command("import_tickets", str(file))
        assert "1 new, 2 known already, 0 refused" in capsys.readouterr().out
        assert Ticket.objects.count() == 3

    def test_a_report_of_an_earlier_run_does_not_outlive_it(self, file: Path) -> None:
        report = Path(f"{file}.refused.csv")
        report.write_text("line,reason\n2,long repaired\n")
        file.write_text(HEADER + good_row(1))
        call_command("import_tickets", str(file))
        assert not report.exists()

    def test_json_lines_are_read_by_their_ending(self, tmp_path: Path) -> None:
        file = tmp_path / "tickets.jsonl"
        file.write_text(json.dumps({"subject": "Lamp", "body": "Wo?", "email": "lea@example.com", "external_id": "7"}))
        call_command("import_tickets", str(file), source="old-desk")
        ticket = Ticket.objects.get()
        assert (ticket.source, ticket.external_id) == ("old-desk", "7")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--map", "title=Subject"], "Unknown field title"),
            (["--map", "subject=Title"], "no column Title"),
            (["--map", "subject"], "FIELD=COLUMN"),
            (["--encoding", "klingon"], "klingon"),
            (["--source", "Old Desk"], "source"),
        ],
    )
    def test_what_is_wrong_with_the_whole_run_is_said_before_anything_is_stored(
        self, file: Path, arguments: list[str], says: str
    ) -> None:
        file.write_text(HEADER + good_row(1))
        before = row_counts()
        with pytest.raises(CommandError, match=says):
            call_command("import_tickets", str(file), *arguments)
        assert row_counts() == before

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match=r"nowhere\.csv"):
            call_command("import_tickets", str(tmp_path / "nowhere.csv"))


def test_killed_in_the_middle_and_run_again_it_has_each_row_once(embedded_installation: Installation) -> None:
    site, rows = embedded_installation, 4_000
    file = site.folder / "many.csv"
    file.write_text(HEADER + "".join(map(good_row, range(rows))))
    command = [sys.executable, "manage.py", "import_tickets", str(file)]
    importing = subprocess.Popen(command, cwd=ROOT, env=site.environment, stdout=subprocess.DEVNULL)
    eventually(lambda: site.count("tickets_ticket") > 0, "the first rows are in", every=0.02)
    importing.send_signal(signal.SIGKILL)
    importing.wait()
    there = site.count("tickets_ticket")
    assert 0 < there < rows
    assert f"{rows - there:,} new, {there:,} known already" in site.manage("import_tickets", str(file))
    assert site.count("tickets_ticket") == site.count("tickets_waiting") == rows


def test_a_large_file_is_streamed_and_progress_is_shown_on_a_terminal(embedded_installation: Installation) -> None:
    """100 MB of rows that are refused: reading them costs no more memory than reading a few."""
    site = embedded_installation
    file = site.folder / "large.csv"
    with file.open("w") as large:
        large.write(HEADER)
        large.writelines(f"Ticket,{'x' * 10_000},no address\n" for _ in range(10_000))
    ours, theirs = pty.openpty()
    command = [sys.executable, "manage.py", "import_tickets", str(file)]
    importing = subprocess.Popen(command, cwd=ROOT, env=site.environment, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown, peak = _watch(ours, importing.pid)
    assert importing.wait() == 0
    assert "\rline 501: 0 new, 500 refused" in shown
    assert 0 < peak < 250, f"{peak:.0f} MB"


def _watch(terminal: int, pid: int) -> tuple[str, float]:
    """Everything that is shown until the program ends, and the most memory it had whenever it said something, in MB."""
    parts, peak = [], 0.0
    while part := _part(terminal):
        parts.append(part)
        with contextlib.suppress(OSError, StopIteration):
            peak = max(peak, resident_mb(pid))
    return b"".join(parts).decode(), peak


def _part(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # how a terminal says that nobody holds its other end any more
        return b""
