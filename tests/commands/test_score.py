"""`manage.py score`: a line out for each line in, by the policy that holds, and nothing stored."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from scoring.text import compose
from tests.api.client import row_counts
from tests.commands.running import objects, output_of
from tests.factories import CALM, URGENT, scored
from tests.installation import ROOT, Installation
from tickets import pipeline
from tickets.flow.decide import MILLION, confidence
from tickets.flow.score import scorer
from tickets.models import ActivePolicy, Decision
from tickets.pipeline import Actor
from tickets.policy.versions import like

NUMBERS = ("score", "threshold")
pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "in.jsonl"


def write(file: Path, *bodies: str, subject: str = "Help") -> None:
    rows = ({"subject": subject, "body": body} for body in bodies)
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def activate(**changed: Any) -> None:
    by = Actor("test")
    pipeline.activate_policy(pipeline.draft_policy(like(ActivePolicy.current()) | changed, by, "test"), by, "test")


def test_each_line_out_says_what_the_policy_makes_of_the_line_in(file: Path) -> None:
    bodies = [URGENT, CALM, "", "日本語 💥", "x" * 100_000]
    write(file, *bodies)
    answers = objects(output_of("score", str(file)))
    assert len(answers) == len(bodies)
    for body, answer in zip(bodies, answers, strict=True):
        assert 0 <= answer["score"] <= 1
        assert answer["urgent"] == (answer["score"] > answer["threshold"])
        assert answer["confidence"] == confidence(*(round(answer[name] * MILLION) for name in NUMBERS)) / MILLION
        assert answer["model"] == ActivePolicy.current().model.name
        text = compose("Help", [body])
        assert all(text[part["start"] : part["end"]] == part["text"] for part in answer["evidence"])
    assert answers[0]["evidence"]


def test_nothing_is_stored(file: Path) -> None:
    write(file, URGENT, CALM)
    before = row_counts()
    output_of("score", str(file))
    assert row_counts() == before


@override_settings(BATCH_SIZE=2)
def test_the_order_holds_beyond_one_batch(file: Path) -> None:
    write(file, *("word " * number for number in range(1, 21)))
    tokens = [answer["tokens"] for answer in objects(output_of("score", str(file)))]
    assert len(tokens) == 20
    assert tokens == sorted(set(tokens))


def test_a_text_longer_than_the_model_reads_says_how_much_was_cut(file: Path) -> None:
    write(file, "word " * 50_000)
    answer = objects(output_of("score", str(file)))[0]
    assert answer["tokens_cut"] > answer["tokens"]


def test_a_score_is_what_the_same_text_gets_as_a_ticket(file: Path) -> None:
    ticket = scored(URGENT, subject="Help")
    write(file, URGENT)
    recorded = Decision.objects.get(pk=ticket.decision_id).score or 0
    assert objects(output_of("score", str(file)))[0]["score"] == pytest.approx(recorded / 1e6, abs=1e-4)


@pytest.mark.parametrize(("threshold", "is_urgent"), [(0, True), (1_000_000, False)])
def test_the_policy_that_is_active_decides(file: Path, threshold: int, is_urgent: bool) -> None:
    activate(threshold=threshold)
    write(file, URGENT, CALM)
    for answer in objects(output_of("score", str(file))):
        assert (answer["threshold"], answer["urgent"]) == (threshold / 1e6, is_urgent)


def test_a_policy_that_names_another_model_decides_nothing_for_this_one(file: Path) -> None:
    shipped = like(ActivePolicy.current())
    with override_settings(SCORER="scoring.keyword.Keyword"):
        call_command("use_scorer", reason="test", stdout=io.StringIO())
    activate(threshold=0)
    write(file, CALM)
    answer = objects(output_of("score", str(file)))[0]
    assert (answer["threshold"], answer["calibration"]) == (
        shipped["threshold"] / 1e6,
        shipped["calibration"].version,
    )


def test_a_line_that_is_none_is_answered_in_its_place_with_the_reason(file: Path) -> None:
    lines: list[tuple[bytes, str]] = [
        (b'{"subject": "A", "body": "x"}', ""),
        (b'{"subject": }', "not JSON: Expecting value at character 13"),
        (b"\xff", "not UTF-8 at byte 1"),
        (b"[1]", "not an object with subject and body"),
        (b'{"text": "misspelt"}', "not an object with subject and body"),
        (b'{"subject": 3, "body": "x"}', "subject and body must be strings"),
        (b'{"subject": "A", "body": null}', "subject and body must be strings"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"body": "' + b"x" * 2_000_000 + b'"}', "longer than 1,048,576 characters"),
        (b'{"body": "y"}', ""),
    ]
    file.write_bytes(b"\n".join(line for line, _ in lines))
    out = io.StringIO()
    with pytest.raises(CommandError, match="8 lines"):
        call_command("score", str(file), stdout=out)
    answers = objects(out.getvalue())
    assert [answer.get("error", "") for answer in answers] == [reason for _, reason in lines]
    assert [answer["line"] for answer in answers if "error" in answer] == list(range(2, 10))


def test_empty_lines_are_not_answered_but_counted(file: Path) -> None:
    file.write_text('\n{"body": "x"}\n\n7\n')
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("score", str(file), stdout=out)
    answers = objects(out.getvalue())
    assert len(answers) == 2
    assert answers[1]["line"] == 4


@pytest.mark.parametrize("name", ["nowhere.jsonl", "."])
def test_what_is_no_file_is_named(name: str) -> None:
    with pytest.raises(CommandError, match=f"{name} cannot be read: "):
        call_command("score", name)


def test_a_model_that_is_away_is_said_in_one_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMOTE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("REMOTE_DIGEST", "0" * 64)
    with override_settings(SCORER="scoring.remote.Remote"):
        scorer.cache_clear()
        with pytest.raises(CommandError, match=r"The model cannot be asked: .*127\.0\.0\.1:9"):
            call_command("score", str(file))


def test_it_reads_standard_input_and_needs_no_database(embedded_installation: Installation) -> None:
    site = embedded_installation
    site.environment["DATABASE_URL"] = f"sqlite:///{site.folder / 'empty.sqlite3'}"
    answer = json.loads(site.manage("score", "-", stdin=json.dumps({"subject": "A", "body": URGENT}) + "\n"))
    assert answer["model"].startswith("compact")


def test_bad_lines_end_it_with_exit_status_one(embedded_installation: Installation) -> None:
    printed = embedded_installation.manage("score", "-", stdin='{"body": "x"}\n{\n', expect=1)
    assert "1 line could not be scored" in printed
    assert [("error" in line) for line in objects("\n".join(printed.splitlines()[:2]))] == [False, True]


def test_whoever_has_read_enough_may_stop_as_head_does(embedded_installation: Installation, file: Path) -> None:
    write(file, *["x"] * 2_000)
    command = [sys.executable, "manage.py", "score", str(file)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=embedded_installation.environment, **pipes) as scoring:
        assert scoring.stdout
        assert scoring.stderr
        assert b'"score"' in scoring.stdout.readline()
        scoring.stdout.close()
        assert scoring.stderr.read() == b""
