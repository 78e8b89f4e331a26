"""Signed checkpoints: when they are made, where they are kept, and which attacks they find."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.audit.tampering import as_bytes, tamper
from tests.commands.running import output_of
from tests.factories import CALM, scored
from tickets import pipeline
from tickets.audit import checkpoints, keys, merkle, notes
from tickets.audit.checkpoints import LogContradicted, leaves, read_notes, root_of, tiles_of
from tickets.audit.frontier import Frontier
from tickets.audit.verify import Fault, verify
from tickets.flow.canonical import chain_hash, encode
from tickets.flow.record import Draft, record
from tickets.models import Checkpoint, Entry, Kind, LogHead, SigningKey, Tile

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path, settings: Any) -> None:
    settings.LOG_KEY_FILE = tmp_path / "log_key.pem"
    settings.CHECKPOINTS_FILE = tmp_path / "checkpoints.jsonl"


def sign() -> notes.Checkpoint:
    """A checkpoint of the log as it is now, whether or not one is due."""
    pipeline.sign_if_due()
    made = checkpoints.sign(keys.signer(), timezone.now())
    SigningKey.objects.get_or_create(verifier_key=keys.signer().verifier_key, defaults={"since": timezone.now()})
    return notes.parse(made.note)[0]


def kept(settings: Any) -> list[str]:
    """What somebody else has a copy of."""
    return list(read_notes(settings.CHECKPOINTS_FILE))


def fill(number: int) -> None:
    record([Draft(Kind.EXPORTED, "log", "test", {"through": n}) for n in range(number)])


def fault(*against: str) -> Fault:
    found = verify(against=against).fault
    assert found is not None
    return found


def rewrite(first: int) -> None:
    """As somebody does who owns the database: other bytes from `first` on, every hash right, the head to match."""
    before = Entry.objects.get(seq=first - 1).hash
    for entry in list(Entry.objects.filter(seq__gte=first).order_by("seq")):
        body = encode(json.loads(bytes(entry.body)) | ({"through": 99} if entry.seq == first else {}))
        now = chain_hash(before, body)
        tamper(
            "tickets_entry",
            f"UPDATE tickets_entry SET body = {as_bytes(body)}, prev_hash = '{before}', hash = '{now}' "
            f"WHERE seq = {entry.seq}",
        )
        before = now
    LogHead.objects.update(hash=before)


class TestWhen:
    def test_a_thousand_entries_are_signed_at_once_and_fewer_after_a_minute(self) -> None:
        now = timezone.now()
        sign()
        fill(5)
        assert not checkpoints.is_due(now)
        assert checkpoints.is_due(now + timedelta(minutes=1, seconds=5))
        fill(1_000)
        assert checkpoints.is_due(now)

    def test_what_is_signed_already_is_not_due(self) -> None:
        sign()
        assert not checkpoints.is_due(timezone.now() + timedelta(hours=1))
        assert pipeline.sign_if_due() is None

    def test_signing_the_same_size_twice_keeps_the_first(self) -> None:
        size = sign().size
        note = Checkpoint.objects.get(pk=size).note
        checkpoints.sign(keys.signer(), timezone.now())
        assert Checkpoint.objects.get(pk=size).note == note

    def test_a_new_key_is_an_entry_of_the_log(self, settings: Any) -> None:
        fill(1_000)
        pipeline.sign_if_due()
        entry = Entry.objects.get(kind=Kind.SIGNING_KEY_ADDED)
        assert json.loads(bytes(entry.body))["verifier_key"] == keys.signer().verifier_key
        settings.LOG_KEY_FILE.unlink()
        fill(1_000)
        pipeline.sign_if_due()
        assert Entry.objects.filter(kind=Kind.SIGNING_KEY_ADDED).count() == SigningKey.objects.count() == 2
        assert verify().fault is None
        assert verify().checkpoints == 2


class TestWhat:
    @pytest.mark.parametrize("number", [0, 1, 5, 1_023, 1_024, 1_025, 2_050])
    def test_the_root_over_tiles_is_the_root_over_all_entries(self, number: int) -> None:
        fill(number)
        size = LogHead.objects.get().seq
        every = [
            merkle.leaf(bytes.fromhex(one)) for one in Entry.objects.order_by("seq").values_list("hash", flat=True)
        ]
        growing = Frontier()
        for one in every:
            growing.append(one)
        assert root_of(size) == merkle.root(every) == growing.root()
        assert Tile.objects.count() == size // 1_024

    def test_every_entry_is_proved_to_stand_in_it(self) -> None:
        fill(1_100)
        signed = sign()
        for seq in (1, 2, 1_023, 1_024, 1_025, signed.size):
            node = merkle.leaf(bytes.fromhex(Entry.objects.get(seq=seq).hash))
            path = merkle.inclusion_with_tiles(seq - 1, signed.size, tiles_of(signed.size), leaves)
            assert merkle.verify_inclusion(seq - 1, signed.size, node, path, signed.root)
            assert len(path) <= 12

    def test_it_says_what_the_last_entry_was(self) -> None:
        scored()
        signed, last = sign(), Entry.objects.order_by("-seq")[0]
        assert (signed.size, signed.head, signed.at) == (last.seq, last.hash, last.at)

    def test_database_and_file_hold_the_same_notes(self, settings: Any) -> None:
        for _ in range(3):
            fill(3)
            sign()
        assert kept(settings) == list(Checkpoint.objects.order_by("size").values_list("note", flat=True))

    def test_the_private_key_is_for_its_owner_alone(self, settings: Any) -> None:
        keys.signer()
        assert settings.LOG_KEY_FILE.stat().st_mode & 0o077 == 0

    def test_a_key_may_come_from_the_environment(self, settings: Any) -> None:
        settings.LOG_KEY = notes.generate().decode()
        sign()
        assert not settings.LOG_KEY_FILE.exists()
        assert verify().checkpoints == 1


class TestATornLastLine:
    """What a power loss or a full disk leaves of the line that was being written."""

    @pytest.fixture(params=[b'{"note": "triage\\n9', b'{"note": "a\xe2\x80', b"\0\0\0", b"{"])
    def file(self, request: pytest.FixtureRequest, settings: Any) -> Path:
        fill(5)
        sign()
        with settings.CHECKPOINTS_FILE.open("ab") as content:
            content.write(request.param)
        return settings.CHECKPOINTS_FILE

    def test_it_is_cut_off_by_the_next_checkpoint(self, file: Path, settings: Any) -> None:
        fill(2)
        sign()
        assert kept(settings) == list(Checkpoint.objects.order_by("size").values_list("note", flat=True))
        assert file.read_bytes().count(b"\n") == Checkpoint.objects.count()
        assert file.read_bytes().endswith(b"}\n")

    def test_the_whole_lines_before_it_are_verified_against(self, file: Path) -> None:
        assert "2 signed checkpoints agree" in output_of("verify_log", "--against", str(file))

    def test_the_note_before_it_tells_of_a_restored_backup(self, file: Path) -> None:
        last = Checkpoint.objects.order_by("-size")[0].size
        before = Entry.objects.get(seq=last - 1)
        tamper("tickets_entry", f"DELETE FROM tickets_entry WHERE seq >= {last}")
        LogHead.objects.update(seq=before.seq, hash=before.hash, at=before.at)
        Checkpoint.objects.filter(size=last).delete()
        with pytest.raises(LogContradicted, match=f"checkpoint of {last} entries"):
            checkpoints.sign(keys.signer(), timezone.now())
        output_of("fork_log", "after the power loss", "--reason", "power loss")
        sign()
        assert verify().fault is None

    def test_a_note_that_lacks_its_newline_alone_counts_and_stays(self, settings: Any) -> None:
        fill(5)
        sign()
        file = settings.CHECKPOINTS_FILE
        file.write_bytes(file.read_bytes().rstrip(b"\n"))
        before = kept(settings)
        fill(2)
        sign()
        assert kept(settings) == [*before, Checkpoint.objects.order_by("-size")[0].note]


class TestAttacks:
    @pytest.fixture(autouse=True)
    def a_signed_log(self) -> None:
        fill(5)
        scored(CALM)
        sign()
        fill(5)
        sign()
        fill(2)

    def test_an_untouched_log_agrees_with_all_of_them(self, settings: Any) -> None:
        report = verify(against=kept(settings))
        assert (report.fault, report.checkpoints) == (None, 4)

    def test_a_whole_chain_rewritten_with_right_hashes_is_found(self) -> None:
        _, second = Checkpoint.objects.order_by("size")
        rewrite(second.size - 1)
        assert fault().seq == second.size
        assert "rewritten or split" in fault().what

    def test_one_whose_checkpoints_went_too_is_found_by_those_kept_elsewhere(self, settings: Any) -> None:
        rewrite(8)
        Checkpoint.objects.all().delete()
        assert verify().fault is None
        assert "rewritten or split" in fault(*kept(settings)).what

    def test_one_signed_anew_by_whoever_owns_the_key_is_found_only_by_those_kept_elsewhere(
        self, settings: Any, tmp_path: Path
    ) -> None:
        elsewhere = kept(settings)
        rewrite(8)
        Checkpoint.objects.all().delete()
        Tile.objects.all().delete()
        settings.CHECKPOINTS_FILE = tmp_path / "new.jsonl"
        sign()
        assert verify().fault is None
        assert "rewritten or split" in fault(*elsewhere).what

    def test_a_cut_tail_with_a_head_to_match_is_found(self) -> None:
        last = Checkpoint.objects.order_by("-size")[0].size
        before = Entry.objects.get(seq=last - 1)
        tamper("tickets_entry", f"DELETE FROM tickets_entry WHERE seq >= {last}")
        LogHead.objects.update(seq=before.seq, hash=before.hash, at=before.at)
        assert fault().seq == last
        assert "its tail is gone" in fault().what

    def test_a_restored_backup_is_not_signed_on_as_if_nothing_had_been(self, settings: Any) -> None:
        last = Checkpoint.objects.order_by("-size")[0].size
        before = Entry.objects.get(seq=last - 1)
        tamper("tickets_entry", f"DELETE FROM tickets_entry WHERE seq >= {last}")
        LogHead.objects.update(seq=before.seq, hash=before.hash, at=before.at)
        Checkpoint.objects.filter(size=last).delete()
        assert verify().fault is None
        with pytest.raises(LogContradicted, match=f"checkpoint of {last} entries"):
            checkpoints.sign(keys.signer(), timezone.now())
        assert "its tail is gone" in fault(*kept(settings)).what

    def test_two_databases_from_one_backup_do_not_pass_for_each_other(self, settings: Any) -> None:
        theirs = sign()
        rewrite(theirs.size)
        assert fault(*kept(settings)).seq == theirs.size

    def test_a_signature_by_a_key_that_nobody_knows_does_not_count(self) -> None:
        mine = notes.load_private(notes.generate())
        head = LogHead.objects.get()
        checkpoint = notes.Checkpoint("triage", head.seq, root_of(head.seq), head.hash, head.at)
        assert "known key" in fault(notes.sign(checkpoint, "triage", mine)).what

    def test_a_changed_note_is_found(self) -> None:
        row = Checkpoint.objects.order_by("size")[0]
        Checkpoint.objects.filter(pk=row.pk).update(note=row.note.replace("\nhead ", "\nhead 0", 1)[:-1])
        assert verify().fault is not None

    def test_the_clock_of_an_entry_moved_back_is_found(self) -> None:
        last = Entry.objects.order_by("-seq")[0]
        body = encode(json.loads(bytes(last.body)) | {"at": 5})
        now = chain_hash(last.prev_hash, body)
        tamper(
            "tickets_entry",
            f"UPDATE tickets_entry SET body = {as_bytes(body)}, at = 5, hash = '{now}' WHERE seq = {last.seq}",
        )
        LogHead.objects.update(hash=now)
        assert "its time" in fault().what


class TestCommand:
    def test_it_counts_the_checkpoints_and_takes_a_file_and_a_key(self, settings: Any) -> None:
        fill(3)
        sign()
        key = keys.signer().verifier_key
        shown = output_of("verify_log", "--against", str(settings.CHECKPOINTS_FILE), "--key", key)
        assert "2 signed checkpoints agree" in shown

    def test_a_file_that_is_no_list_of_checkpoints_is_refused_by_line(self, tmp_path: Path) -> None:
        for line in (b'{"note": 1}\n', b"\xff\n"):
            (tmp_path / "bad.jsonl").write_bytes(line)
            with pytest.raises(CommandError, match="line 1"):
                call_command("verify_log", "--against", str(tmp_path / "bad.jsonl"))

    def test_beginning_beyond_the_end_of_the_log_is_told(self) -> None:
        with pytest.raises(CommandError, match=r"entry 998 is missing.*entry 999"):
            call_command("verify_log", "--from", "999")


class TestFork:
    @pytest.fixture
    def restored(self) -> int:
        """A log gone back by three entries, the last of which was signed. Returns the size it had."""
        fill(5)
        last = sign().size
        before = Entry.objects.get(seq=last - 3)
        tamper("tickets_entry", f"DELETE FROM tickets_entry WHERE seq > {before.seq}")
        LogHead.objects.update(seq=before.seq, hash=before.hash, at=before.at)
        Checkpoint.objects.all().delete()
        return last

    def test_a_restored_backup_goes_on_as_a_named_fork_that_verifying_reports(
        self, restored: int, settings: Any
    ) -> None:
        elsewhere = kept(settings)
        output_of("fork_log", "2026-11-24", "--reason", "disk failure")
        sign()
        assert f"fork 2026-11-24 after entry {restored - 3}" in output_of("verify_log")
        assert "rewritten or split" in fault(*elsewhere).what or "tail is gone" in fault(*elsewhere).what

    def test_whoever_kept_what_was_lost_is_told_of_the_fork_beside_the_fault(
        self, restored: int, settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        kept_before = shutil.copy(settings.CHECKPOINTS_FILE, tmp_path / "before.jsonl")
        output_of("fork_log", "2026-11-24", "--reason", "disk failure")
        fill(5)
        sign()
        with pytest.raises(CommandError, match="rewritten or split"):
            call_command("verify_log", "--against", kept_before)
        assert f"fork 2026-11-24 after entry {restored - 3}" in capsys.readouterr().out
        assert "verified" in output_of("verify_log", "--against", kept_before, "--to", str(restored - 3))

    def test_the_log_says_what_was_lost(self, restored: int, settings: Any) -> None:
        (note,) = kept(settings)
        output_of("fork_log", "after the fire", "--reason", "disk failure")
        body = json.loads(bytes(Entry.objects.get(kind=Kind.FORKED).body))
        assert (body["lost"], body["after"]) == (note, restored - 3)

    def test_a_log_that_agrees_is_not_forked(self) -> None:
        fill(2)
        sign()
        with pytest.raises(CommandError, match="nothing to fork"):
            call_command("fork_log", "no", "--reason", "fun")
        assert not Entry.objects.filter(kind=Kind.FORKED).exists()
