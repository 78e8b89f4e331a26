"""What an auditor takes away, and verifies where nothing of this system is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.api.client import Caller, row_counts
from tests.commands.running import output_of
from tests.factories import CALM, URGENT, acting, person, scored
from tests.web.test_pages import logged_in
from tickets import pipeline
from tickets.audit import keys, notes
from tickets.flow.record import Draft, record
from tickets.models import Entry, Kind, Queue, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path, settings: Any) -> None:
    settings.LOG_KEY_FILE, settings.CHECKPOINTS_FILE = tmp_path / "key", tmp_path / "checkpoints.jsonl"


@pytest.fixture
def ticket() -> Ticket:
    """Moved by a person, among others, in a log of more than one tile."""
    moved = scored(URGENT)
    scored(CALM)
    record([Draft(Kind.EXPORTED, "log", "test", {"through": n}) for n in range(1_100)])
    pipeline.override(moved.pk, Queue(moved.queue).other, acting(person("agent")), "Übung 💥")
    return moved


def verified(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As elsewhere: the file alone, isolated from the project."""
    folder = Path(arguments[0]) if not arguments[0].startswith("--") else Path(arguments[1]).parent
    program = next(folder.rglob("verify_export.py"))
    command = [sys.executable, "-I", str(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_the_whole_log_verifies_elsewhere_with_the_key_that_was_handed_over(
    ticket: Ticket, tmp_path: Path, settings: Any
) -> None:
    folder = tmp_path / "export"
    shown = output_of("export_log", str(folder))
    count = len((folder / "log.ndjson").read_text(encoding="utf-8").splitlines())
    assert f"{count:,} entries" in shown
    done = verified(str(folder), "--key", keys.signer().verifier_key, "--against", str(settings.CHECKPOINTS_FILE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} entries" in done.stdout
    assert "1 of them by the whole tree" in done.stdout


def test_a_part_by_kind_or_by_ticket_carries_its_proofs(ticket: Ticket, tmp_path: Path) -> None:
    output_of("export_log", str(tmp_path / "kind"), "--kind", "override")
    output_of("export_log", str(tmp_path / "ticket"), "--ticket", str(ticket.pk))
    for name, kinds in (("kind", {"override"}), ("ticket", {"scored", "override"})):
        lines = [json.loads(line) for line in (tmp_path / name / "log.ndjson").read_text().splitlines()]
        assert {json.loads(line["body"])["kind"] for line in lines} - {"explained"} == kinds
        assert all(len(line["proof"]) <= 12 for line in lines)
        done = verified(str(tmp_path / name))
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_changed_export_does_not_verify(ticket: Ticket, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    output_of("export_log", str(folder))
    log = folder / "log.ndjson"
    log.write_text(log.read_text(encoding="utf-8").replace('\\"queue\\":\\"standard\\"', '\\"queue\\":\\"urgent\\"', 1))
    assert verified(str(folder)).returncode == 1


def test_an_export_is_an_entry_that_says_what_was_wanted(ticket: Ticket, tmp_path: Path) -> None:
    output_of("export_log", str(tmp_path / "export"), "--kind", "override", "--from", "3")
    body = json.loads(bytes(Entry.objects.filter(kind=Kind.EXPORTED).order_by("-seq")[0].body))
    assert body["filter"]["kind"] == "override"
    assert body["filter"]["first"] == "3"


def test_nothing_is_written_over_and_nothing_matched_is_said(ticket: Ticket, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(CommandError, match="not empty"):
        call_command("export_log", str(tmp_path / "full"))
    with pytest.raises(CommandError, match="No entry matches"):
        call_command("export_log", str(tmp_path / "none"), "--ticket", "999")


class TestKeys:
    """Sweep has signed this log; now somebody exports it where its key is not."""

    @pytest.fixture(autouse=True)
    def signed(self, ticket: Ticket) -> None:
        pipeline.sign_log()

    @pytest.fixture(params=["none", "in a file", "in the environment"])
    def other_key(self, request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Path:
        """The file of keys of another machine."""
        settings.LOG_KEY_FILE = tmp_path / "elsewhere"
        if request.param == "in a file":
            settings.LOG_KEY_FILE.write_bytes(notes.generate())
        if request.param == "in the environment":
            settings.LOG_KEY = notes.generate().decode()
        return settings.LOG_KEY_FILE

    def test_by_a_key_that_never_signed_this_log_nothing_is_noted_signed_or_written(
        self, other_key: Path, tmp_path: Path
    ) -> None:
        before, had_key = row_counts(), other_key.exists()
        with pytest.raises(CommandError, match="LOG_KEY_FILE, to the key of sweep"):
            call_command("export_log", str(tmp_path / "export"))
        assert row_counts() == before
        assert other_key.exists() == had_key
        assert not (tmp_path / "export").exists()

    def test_sweep_introduces_a_new_key_and_then_it_exports(self, other_key: Path, tmp_path: Path) -> None:
        record([Draft(Kind.EXPORTED, "log", "test", {"through": n}) for n in range(1_000)])
        output_of("sweep", "--once")
        output_of("export_log", str(tmp_path / "export"))
        done = verified(str(tmp_path / "export"), "--key", keys.signer().verifier_key)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_where_nothing_can_be_written_nothing_is_noted(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        before = row_counts()
        with pytest.raises(CommandError, match="file/export"):
            call_command("export_log", str(tmp_path / "file" / "export"))
        assert row_counts() == before


def test_the_proof_of_one_decision_is_small_and_verifies_alone(ticket: Ticket, tmp_path: Path) -> None:
    pipeline.sign_log()
    (tmp_path / "export").mkdir()
    output_of("export_log", str(tmp_path / "export" / "one"))
    seq = Entry.objects.get(kind=Kind.OVERRIDE).seq
    told = Caller("decisions:read").get(f"/audit/decisions/{seq}/proof.json")
    file = tmp_path / "export" / "proof.json"
    file.write_bytes(told.content)
    done = verified("--proof", str(file), "--key", keys.signer().verifier_key)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "override" in done.stdout
    assert len(json.dumps({**told.json(), "entry": {}})) < 1_500


def test_an_entry_that_no_checkpoint_covers_has_no_proof_yet(ticket: Ticket) -> None:
    client = logged_in(person("auditor"))
    assert client.get(f"/audit/decisions/{ticket.decision_id}/proof.json").status_code == 409
    assert "Not signed yet" in client.get(f"/audit/decisions/{ticket.decision_id}/").content.decode()
    pipeline.sign_log()
    assert client.get(f"/audit/decisions/{ticket.decision_id}/proof.json").status_code == 200
    assert "its proof" in client.get(f"/audit/decisions/{ticket.decision_id}/").content.decode()
    assert client.get("/audit/decisions/999999/proof.json").status_code == 404
