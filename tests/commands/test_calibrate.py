"""manage.py calibrate: from labels or a file to a new version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.commands.running import output_of
from tests.factories import CALM, URGENT, acting, person, scored
from tickets import pipeline
from tickets.models import ActivePolicy, Calibration

pytestmark = pytest.mark.django_db


def labelled_file(folder: Path, rows: list[dict[str, object]]) -> str:
    file = folder / "labelled.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def rows(number: int) -> list[dict[str, object]]:
    """Half urgent; one in five labelled against what its words say."""
    return [
        {"subject": f"Ticket {n}", "body": URGENT if n % 2 else CALM, "urgent": bool(n % 2) ^ (n % 10 < 2)}
        for n in range(number)
    ]


def test_a_file_of_labelled_tickets_is_scored_and_becomes_a_new_version(tmp_path: Path) -> None:
    told = json.loads(output_of("calibrate", labelled_file(tmp_path, rows(60)), "--json"))
    row = Calibration.objects.get(version=told["version"])
    assert (row.figures["labels"], row.model) == (60, ActivePolicy.current().model)
    # One in five is labelled against its words, so the map is less sure of the same margins.
    assert 0 < row.values.a < ActivePolicy.current().calibration.values.a


def test_it_shows_errors_before_and_after_and_that_nothing_is_decided_by_it_yet(tmp_path: Path) -> None:
    shown = output_of("calibrate", labelled_file(tmp_path, rows(60)))
    assert "60 labels, 30 urgent" in shown
    for name in ("ece", "brier", "log_loss", "before", "after", "decides nothing yet"):
        assert name in shown
    assert ActivePolicy.current().number == 1


def test_what_people_said_is_enough_without_a_file() -> None:
    agent = acting(person("agent"))
    for number in range(24):
        pipeline.confirm(scored(URGENT if number % 2 else CALM).pk, agent)
    assert "24 labels, 12 urgent" in output_of("calibrate")


def test_without_labels_it_says_what_it_takes() -> None:
    with pytest.raises(CommandError, match="at least 20"):
        call_command("calibrate")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"subject": "a", "body": "b"}', "line 2: urgent"),
        ('{"subject": "a", "body": "b", "urgent": "yes"}', "line 2: urgent"),
        ('{"subject": "a", "urgent": true}', "line 2: body"),
        ('{"subject": 7, "body": "b", "urgent": true}', "line 2: subject"),
        ("[1]", "line 2: body"),
        ("{", "line 2: not JSON"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_stored(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(f'{{"subject": "a", "body": "b", "urgent": true}}\n{line}\n')
    before = Calibration.objects.count()
    with pytest.raises(CommandError, match=says):
        call_command("calibrate", str(file))
    assert Calibration.objects.count() == before


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("calibrate", "/no/such/file")
