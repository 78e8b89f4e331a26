"""`manage.py archive_log`: says what leaves, writes, verifies, records, removes; and refuses in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.api.client import row_counts
from tests.audit.aged_log import APRIL, FEBRUARY, JANUARY, MARCH, archive, fill, month_begins
from tests.commands.running import output_of
from tests.factories import URGENT, scored
from tickets import pipeline
from tickets.audit.archive import NothingLeaves, beginning_of, leaving
from tickets.models import Archive, Requester, Ticket

pytestmark = pytest.mark.django_db
BY = pipeline.Actor("command")


def refusal(*arguments: str) -> str:
    """What it says; nothing may have changed."""
    before = row_counts()
    with pytest.raises(CommandError) as refused:
        call_command("archive_log", *arguments)
    assert row_counts() == before
    assert refused.value.returncode == 1
    return str(refused.value)


def why(folder: Path) -> list[str]:
    return ["--to", str(folder), "--reason", "Kept for two months"]


def test_it_tells_each_step(ticket: Ticket, tmp_path: Path) -> None:
    leave, written, recorded, removed = archive(tmp_path / "files", FEBRUARY).splitlines()
    row = Archive.objects.get()
    assert leave == "1,024 entries leave, 1 to 1,024, the last of 2098-01-01 00:00 UTC"
    assert written == f"Written and verified: 1,024 entries in {tmp_path / 'files'}, SHA-256 {row.sha256}"
    assert recorded == f"Recorded in entry {row.seq:,}, and signed"
    assert removed == "Removed 1,024 entries; the log begins with entry 1,025"


def test_a_dry_run_says_what_would_leave_and_changes_nothing(ticket: Ticket) -> None:
    before = row_counts()
    printed = output_of("archive_log", "--before", MARCH, "--dry-run")
    assert printed == "2,048 entries leave, 1 to 2,048, the last of 2098-02-01 00:00 UTC\n"
    assert row_counts() == before


def test_what_is_too_new_or_less_than_a_tile_stays(ticket: Ticket, tmp_path: Path) -> None:
    assert "Nothing leaves: 0 entries are older" in refusal("--keep-months", "1200", *why(tmp_path / "files"))
    assert "and whole runs of 1,024 leave" in refusal("--before", JANUARY, *why(tmp_path / "files"))
    assert not (tmp_path / "files").exists()


def test_a_folder_with_something_in_it_is_left_alone(ticket: Ticket, tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    assert "is not empty" in refusal("--before", FEBRUARY, *why(tmp_path))
    assert "is not empty" in refusal("--before", FEBRUARY, *why(tmp_path / "something"))


def test_a_machine_without_the_key_that_signed_the_log_archives_nothing(
    ticket: Ticket, tmp_path: Path, settings: Any
) -> None:
    settings.LOG_KEY_FILE = tmp_path / "elsewhere"
    assert "LOG_KEY_FILE, to the key of sweep" in refusal("--before", FEBRUARY, *why(tmp_path / "files"))
    assert not (tmp_path / "files").exists()
    assert not settings.LOG_KEY_FILE.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--before", "2098", "--to", "x", "--reason", "x"], "--before: '2098' is no month"),
        (["--keep-months", "-1", "--to", "x", "--reason", "x"], "--keep-months: write a number from 0"),
        (["--before", FEBRUARY, "--to", "x"], "--reason"),
        (["--before", FEBRUARY, "--reason", "x"], "--to FOLDER"),
        (["--to", "x", "--reason", "x"], "--keep-months --before is required"),
    ],
)
def test_what_is_missing_or_wrong_is_named(ticket: Ticket, arguments: list[str], says: str) -> None:
    assert says in refusal(*arguments)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no roles")
def test_a_role_that_may_not_remove_is_told_which_may(
    ticket: Ticket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickets.pipeline.archiving._TABLES", "pg_class, pg_index")  # which others own
    assert "run it with the role that migrates" in refusal("--before", FEBRUARY, *why(tmp_path / "files"))
    assert not (tmp_path / "files").exists()


class TestHolds:
    def test_it_stops_before_the_first_entry_about_a_held_ticket(self, ticket: Ticket, tmp_path: Path) -> None:
        later = scored(URGENT)
        month_begins(APRIL)
        fill(1_100)
        month_begins("2098-05")
        pipeline.hold(f"ticket:{later.pk}", BY, "A court asks")
        printed = archive(tmp_path / "files", "2098-05")
        assert printed.startswith("2,048 entries leave, 1 to 2,048")
        assert f"entry {later.decision_id:,} is kept by the legal hold of ticket:{later.pk}" in printed

    @pytest.mark.parametrize("held", ["ticket", "person", "log"])
    def test_where_it_is_in_the_first_tile_nothing_leaves_until_it_is_released(
        self, ticket: Ticket, tmp_path: Path, held: str
    ) -> None:
        person = Requester.objects.get(tickets=ticket).pk
        subject = {"ticket": f"ticket:{ticket.pk}", "person": f"person:{person}", "log": "log"}[held]
        pipeline.hold(subject, BY, "A court asks")
        assert f"is kept by the legal hold of {subject}" in refusal("--before", MARCH, *why(tmp_path / "files"))
        pipeline.release(subject, BY, "It is over")
        assert "1 to 2,048" in archive(tmp_path / "files", MARCH)

    def test_a_hold_that_comes_while_the_files_are_written_is_seen(self, ticket: Ticket, tmp_path: Path) -> None:
        before = beginning_of(FEBRUARY)
        files = pipeline.write_archive(tmp_path / "files", leaving(before), BY)
        pipeline.hold(f"ticket:{ticket.pk}", BY, "A court asks")
        with pytest.raises(NothingLeaves, match="legal hold"):
            pipeline.record_archive(files, before, BY, "Kept for two months")
        assert not Archive.objects.exists()


def test_what_the_copy_lacks_does_not_leave(ticket: Ticket, tmp_path: Path, settings: Any) -> None:
    settings.ELASTICSEARCH_URL = "http://writer:secret@127.0.0.1:9"
    said = refusal("--before", FEBRUARY, *why(tmp_path / "files"))
    assert "ends at entry 0, and entries up to 1,024 are to leave" in said
