"""The beginning of the log in files elsewhere: what leaves, what stays, and that both verify."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.audit.aged_log import APRIL, FEBRUARY, JANUARY, MARCH, archive, fault, fill, latest, month_begins
from tests.audit.tampering import as_bytes, tamper
from tests.commands.running import output_of
from tests.factories import URGENT, acting, person, scored
from tickets import pipeline
from tickets.audit import keys, merkle
from tickets.audit.archive import beginning_of, leaving, months_before
from tickets.audit.checkpoints import read_notes
from tickets.audit.frontier import Frontier
from tickets.audit.verify import verify
from tickets.flow.canonical import chain_hash, encode
from tickets.models import Archive, Decision, Entry, Kind, LogHead, Queue, Reason, Ticket, Tile

pytestmark = pytest.mark.django_db


class TestFrontier:
    @settings(deadline=None, max_examples=40, derandomize=True)
    @given(tiles=st.integers(0, 9), rest=st.integers(0, 1_100), data=st.binary(min_size=1, max_size=4))
    @example(tiles=1, rest=0, data=b"x")
    @example(tiles=3, rest=1_024, data=b"x")
    def test_from_the_roots_of_tiles_any_log_goes_on_to_the_root_of_all(
        self, tiles: int, rest: int, data: bytes
    ) -> None:
        nodes = [merkle.leaf(data + number.to_bytes(4, "big")) for number in range(tiles * merkle.TILE + rest)]
        roots = [merkle.root(nodes[n * merkle.TILE : (n + 1) * merkle.TILE]) for n in range(tiles)]
        growing = Frontier.from_tiles(roots)
        for node in nodes[tiles * merkle.TILE :]:
            growing.append(node)
        assert (growing.size, growing.root()) == (len(nodes), merkle.root(nodes))


class TestMonths:
    @pytest.mark.parametrize(
        ("now", "number", "begins"),
        [
            (datetime(2026, 11, 25, 12, tzinfo=UTC), 0, datetime(2026, 11, 1, tzinfo=UTC)),
            (datetime(2026, 11, 25, 12, tzinfo=UTC), 10, datetime(2026, 1, 1, tzinfo=UTC)),
            (datetime(2026, 1, 1, tzinfo=UTC), 1, datetime(2025, 12, 1, tzinfo=UTC)),
            (datetime(2026, 12, 31, 23, tzinfo=UTC), 24, datetime(2024, 12, 1, tzinfo=UTC)),
        ],
    )
    def test_so_many_whole_months_are_kept_beside_the_running_one(
        self, now: datetime, number: int, begins: datetime
    ) -> None:
        assert months_before(now, number) == begins

    @pytest.mark.parametrize("written", ["2026-13", "2026-1", "1969-12", "january", "", "2026-01-01"])
    def test_what_is_no_month_is_refused(self, written: str) -> None:
        with pytest.raises(ValueError, match="is no month"):
            beginning_of(written)


class TestWhatLeaves:
    def test_whole_tiles_of_what_is_older_leave_and_all_else_stays(self, folder: Path) -> None:
        assert latest().through == 1_024
        for rows in (Entry.objects.filter(seq__lte=1_024), Decision.objects.filter(entry__lte=1_024)):
            assert not rows.exists()
        assert not Reason.objects.filter(seq__lte=1_024).exists()
        head = LogHead.objects.get().seq
        assert list(Entry.objects.values_list("seq", flat=True)) == list(range(1_025, head + 1))

    def test_what_stays_verifies_with_every_checkpoint_of_it(self, folder: Path) -> None:
        report = verify()
        assert report.fault is None
        assert (report.archived, report.entries) == (1_024, Entry.objects.count())
        # The one of January, that of the export, and the one that covers the archive's own entry.
        assert report.checkpoints == 3

    def test_the_log_says_what_left_and_why(self, folder: Path) -> None:
        entry = Entry.objects.get(kind=Kind.ARCHIVED)
        body, row = json.loads(bytes(entry.body)), latest()
        assert (entry.seq, entry.subject, entry.actor) == (row.seq, "log", "command")
        assert (body["first"], body["through"], body["count"]) == (1, 1_024, 1_024)
        assert (body["head"], body["root"], body["sha256"]) == (row.head, row.root, row.sha256)
        assert Reason.objects.get(pk=entry.seq).text == "Kept for two months"
        assert merkle.root([bytes.fromhex(Tile.objects.get(number=0).root)]).hex() == row.root

    def test_a_checkpoint_signed_afterwards_covers_the_entry_that_says_so(self, folder: Path, settings: Any) -> None:
        assert f"\n{latest().seq}\n" in list(read_notes(settings.CHECKPOINTS_FILE))[-1]

    def test_the_next_archive_goes_on_where_the_last_one_ended(self, folder: Path, tmp_path: Path) -> None:
        assert "1,025 to 2,048" in archive(tmp_path / "february", MARCH)
        assert latest().through == 2_048
        assert verify().fault is None
        assert verify().archived == 2_048

    def test_work_goes_on(self, folder: Path) -> None:
        moved = scored(URGENT)
        pipeline.override(moved.pk, Queue(moved.queue).other, acting(person("agent")), "a drill")
        pipeline.sign_log()
        assert verify().fault is None


class TestFiles:
    def test_a_stranger_verifies_them_without_this_system(self, folder: Path, settings: Any) -> None:
        command = [sys.executable, "-I", str(folder / "verify_export.py"), str(folder)]
        trusted = ["--key", keys.signer().verifier_key, "--against", str(settings.CHECKPOINTS_FILE)]
        done = subprocess.run([*command, *trusted], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1024 entries" in done.stdout

    def test_a_backup_of_the_checkpoints_agrees_before_and_after(self, tmp_path: Path, settings: Any) -> None:
        pipeline.sign_log()
        month_begins(JANUARY)
        fill(1_100)
        pipeline.sign_log()
        backup = tmp_path / "backup.jsonl"
        backup.write_bytes(settings.CHECKPOINTS_FILE.read_bytes())
        month_begins(FEBRUARY)
        archive(tmp_path / "files", FEBRUARY)
        printed = output_of("verify_log", "--against", str(backup))
        assert "Entries 1 to 1,024 are in the archive, as are 1 of the kept checkpoints" in printed
        printed = output_of("verify_log", "--against", str(backup), "--archive", str(tmp_path / "files"))
        assert "1,024 entries verified, 1 to 1,024; 1 signed checkpoints agree" in printed

    def test_all_archives_together_are_the_whole_history(self, folder: Path, tmp_path: Path) -> None:
        month_begins(APRIL)
        archive(tmp_path / "february", MARCH)
        fill(1_024)
        month_begins("2098-05")
        archive(tmp_path / "march", "2098-05")
        third = ["--archive", str(tmp_path / "march")]
        with pytest.raises(CommandError, match="was archived itself: give that archive, too"):
            call_command("verify_log", "--archive", str(folder))
        printed = output_of("verify_log", "--archive", str(folder), "--archive", str(tmp_path / "february"), *third)
        assert printed.count("1,024 entries verified") == 3

    def test_other_files_are_not_those_of_the_archive(self, folder: Path, tmp_path: Path) -> None:
        output_of("export_log", str(tmp_path / "other"))
        with pytest.raises(CommandError, match=r"no archive of this log has a log\.ndjson with SHA-256") as refused:
            call_command("verify_log", "--archive", str(tmp_path / "other"))
        assert refused.value.returncode == 1

    def test_a_changed_file_is_found(self, folder: Path) -> None:
        log = folder / "log.ndjson"
        log.write_text(log.read_text(encoding="utf-8").replace("no outage", "x").replace("urgent", "Urgent", 1))
        with pytest.raises(CommandError, match="entry "):
            call_command("verify_log", "--archive", str(folder))


class TestBrokenOff:
    @pytest.fixture
    def begun(self, ticket: Ticket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Killed after the second of several chunks."""
        monkeypatch.setattr("tickets.pipeline.archiving._CHUNK", 300)

        def killed(removed: int) -> None:
            if removed == 600:
                raise KeyboardInterrupt

        before, by = beginning_of(FEBRUARY), pipeline.Actor("command")
        files = pipeline.write_archive(tmp_path / "january", leaving(before), by)
        recorded = pipeline.record_archive(files, before, by, "Kept for two months")
        with pytest.raises(KeyboardInterrupt):
            pipeline.remove_archived(recorded, files, killed)
        return files.folder

    def test_what_is_still_here_is_no_fault_and_is_what_was_archived(self, begun: Path) -> None:
        assert Entry.objects.order_by("seq")[0].seq == 601
        assert verify().fault is None

    def test_run_again_with_the_same_folder_it_removes_the_rest_and_archives_nothing_else(self, begun: Path) -> None:
        printed = archive(begun, FEBRUARY)
        assert "Going on with the archive" in printed
        assert "Removed 424 entries; the log begins with entry 1,025" in printed
        assert Archive.objects.count() == Entry.objects.filter(kind=Kind.ARCHIVED).count() == 1
        assert verify().fault is None

    def test_after_the_key_was_exchanged_it_goes_on_with_the_same_folder(self, begun: Path, settings: Any) -> None:
        settings.LOG_KEY_FILE.unlink()
        with pytest.raises(CommandError, match="There is no signing key here"):
            archive(begun, FEBRUARY)
        pipeline.sign_log()
        assert "Removed 424 entries" in archive(begun, FEBRUARY)
        assert verify().fault is None

    def test_with_other_files_nothing_more_is_removed(self, begun: Path, tmp_path: Path) -> None:
        output_of("export_log", str(tmp_path / "other"))
        for other in ("other", "missing"):
            with pytest.raises(CommandError):
                archive(tmp_path / other, FEBRUARY)
        assert Entry.objects.order_by("seq")[0].seq == 601

    def test_a_hold_that_came_since_keeps_what_is_still_here(self, begun: Path) -> None:
        pipeline.hold("log", pipeline.Actor("command"), "A court asks")
        with pytest.raises(CommandError, match="kept by the legal hold of log"):
            archive(begun, FEBRUARY)
        assert Entry.objects.order_by("seq")[0].seq == 601

    def test_a_row_that_is_still_here_and_was_changed_is_found(self, begun: Path) -> None:
        tamper(
            "tickets_entry",
            "UPDATE tickets_entry SET body = prev_hash::bytea WHERE seq = 700".replace(
                "prev_hash::bytea", as_bytes(b"{}")
            ),
        )
        assert fault().seq == 700

    def test_a_row_that_was_put_back_behind_the_archive_is_found(self, begun: Path) -> None:
        archive(begun, FEBRUARY)
        body = encode({"schema": 1, "seq": 7})
        Entry.objects.create(
            seq=7,
            at=0,
            kind="scored",
            subject="ticket:1",
            actor="x",
            body=body,
            prev_hash="0" * 64,
            hash=chain_hash("0" * 64, body),
        )
        assert fault().seq == 7
