"""manage.py train: from labels or a file to a model that a policy can name, and all the way to its decisions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from scoring.compact import Compact
from scoring.learned import Learned
from tests.api.client import row_counts
from tests.commands.running import output_of
from tests.factories import SOON, acting, new_ticket, person, submitted
from tests.scoring.test_learned import history
from tickets import pipeline
from tickets.audit.verify import verify
from tickets.flow.score import scorer
from tickets.models import (
    ActivePolicy,
    Calibration,
    Decision,
    Entry,
    Kind,
    Label,
    Policy,
    Process,
    Queue,
    RegisteredModel,
    Ticket,
)

pytestmark = pytest.mark.django_db
LABELS = 110


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, settings: Any) -> Iterator[None]:
    settings.VAR_DIR = tmp_path
    yield
    scorer.cache_clear()


def json_lines(folder: Path) -> Path:
    file = folder / "history.jsonl"
    rows = [
        {
            "subject": text.split("\n")[0],
            "body": text.split("\n\n")[1],
            "urgent": urgent,
            "at": f"2026-11-{1 + n % 28:02}",
        }
        for n, (text, urgent) in enumerate(zip(*history(LABELS), strict=True))
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def csv_file(folder: Path, header: str = "what,level") -> Path:
    file = folder / "history.csv"
    texts, urgent = history(LABELS)
    rows = [
        "{},{}\n".format(text.replace("\n", " "), "P1" if one else "P3")
        for text, one in zip(texts, urgent, strict=True)
    ]
    file.write_text(f"{header}\n{''.join(rows)}a doubtful one,P2\n", encoding="utf-8")
    return file


def train(*arguments: object) -> dict[str, Any]:
    return json.loads(output_of("train", "--json", "--from", *map(str, arguments)))


def labelled_by_an_agent() -> None:
    agent = acting(person("agent"))
    texts, urgent = history(LABELS)
    wishes = [new_ticket(text.split("\n\n")[1], subject=text.split("\n")[0]) for text in texts]
    tickets = [one.ticket.pk for one in pipeline.submit(wishes)]
    pipeline.score_waiting("test", SOON)
    for ticket, one in zip(tickets, urgent, strict=True):
        queue = Queue.URGENT if one else Queue.STANDARD
        if Ticket.objects.get(pk=ticket).queue == queue:
            pipeline.confirm(ticket, agent)
        else:
            pipeline.override(ticket, queue, agent, "as it was")


def test_from_labels_to_a_decision_by_the_new_model_and_its_replay(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    labelled_by_an_agent()
    made = train("labels")
    assert made["learned_from"]["labels"] + made["held_out"]["labels"] == LABELS
    assert made["learned_from"]["last"] <= made["held_out"]["first"]
    assert ActivePolicy.current().number == 1
    registered = RegisteredModel.objects.get(name=made["id"])
    assert [label.at <= registered.learned_until for label in Label.objects.order_by("at")].count(False) == 22

    ticket = submitted("The robot stands still.")
    settings.SCORER = "scoring.learned.Learned"
    monkeypatch.setenv("LEARNED_MODEL", made["folder"])
    scorer.cache_clear()
    assert pipeline.score_waiting("new", SOON) == 0
    assert "carries learned-" in Process.objects.get(name="new").problem

    assert "Policy 2 is a draft" in output_of("use_scorer", "--draft", "--reason", "Knows our robots")
    assert ActivePolicy.current().number == 1
    drafted = Policy.objects.get(number=2)
    assert (drafted.model.name, drafted.calibration.version) == (made["id"], made["calibration"])
    pipeline.activate_policy(drafted, pipeline.Actor("command"), "It does better")

    assert pipeline.score_waiting("new", SOON) == 1
    decision = Decision.objects.get(ticket_id=ticket.pk)
    assert (decision.model_name, decision.policy_number, decision.queue) == (made["id"], 2, Queue.URGENT)
    assert "1 same" in output_of("replay", str(decision.entry_id))
    assert verify().fault is None

    judged = json.loads(output_of("evaluate", "labels", "--json"))
    assert (judged["tickets"], judged["left_out"]) == (made["held_out"]["labels"], made["learned_from"]["labels"])
    assert "88 labelled tickets are left out" in output_of("evaluate", "labels")
    Label.objects.filter(at__gt=registered.learned_until).delete()
    with pytest.raises(CommandError, match=r"that learned-.* has not learned from"):
        call_command("evaluate", "labels")


def test_a_file_becomes_a_model_that_nothing_uses_yet(tmp_path: Path) -> None:
    made = train(json_lines(tmp_path), "--time", "at")
    model = RegisteredModel.objects.get(name=made["id"])
    assert model.digest == made["digest"]
    assert Calibration.objects.get(version=made["calibration"]).model == model
    assert (ActivePolicy.current().number, Policy.objects.count()) == (1, 1)
    assert made["figures"]["learned"]["auc"][0] > made["figures"]["keyword rules"]["auc"][0]
    assert set(made["figures"]) == {"learned", "present model", "words alone", "keyword rules"}


def test_the_log_tells_on_what_from_what_and_how_good(tmp_path: Path) -> None:
    made = train(json_lines(tmp_path))
    first, second = Entry.objects.order_by("-seq")[:2][::-1]
    assert (first.kind, second.kind) == (Kind.MODEL_REGISTERED, Kind.CALIBRATION_ADDED)
    body = json.loads(bytes(first.body))
    assert (body["name"], body["digest"]) == (made["id"], made["digest"])
    assert body["base"] == {"name": Compact.identity().id, "digest": Compact.identity().digest}
    assert body["learned_from"] == made["learned_from"]
    assert body["figures"]["learned"]["auc"][0] == round(made["figures"]["learned"]["auc"][0] * 1_000_000)
    assert verify().fault is None


def test_the_same_file_and_seed_give_the_same_model_and_register_it_once(tmp_path: Path) -> None:
    file = json_lines(tmp_path)
    first = train(file)
    before = row_counts()
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[::-1]))
    again = train(file)
    assert (again["digest"], again["calibration"]) == (first["digest"], first["calibration"])
    assert row_counts() == before


def test_csv_with_named_columns_is_read_and_doubtful_rows_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = csv_file(tmp_path)
    shown = output_of(
        "train", "--from", str(file), "--text", "what", "--label", "level", "--urgent", "P0,P1", "--drop", "P2"
    )
    for said in ("accuracy", "AUC", "words alone", "decides nothing yet", "use_scorer --draft"):
        assert said in shown
    folder = next((tmp_path / "models").iterdir())
    assert f"LEARNED_MODEL={folder}" in shown
    monkeypatch.setenv("LEARNED_MODEL", str(folder))
    card = json.loads((folder / "model.json").read_text())
    assert Learned().model.id == card["id"] == folder.name
    assert card["learned_from"]["labels"] + card["held_out"]["labels"] == LABELS


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--text", "what"], "takes all three"),
        (["--text", "what", "--label", "level"], "takes all three"),
        (
            ["--text", "nothing", "--label", "level", "--urgent", "P1"],
            "no column nothing; its first line names what, level",
        ),
        (["--text", "what", "--label", "level", "--urgent", "never"], "no row says never; the rows say P1, P2, P3"),
        (["--text", "what", "--label", "level", "--urgent", "P1", "--time", "what"], "line 2: what: .* is no time"),
        (["--text", "what", "--label", "level", "--urgent", "P1", "--test-share", "1"], "between 0 and 1"),
        (["--text", "what", "--label", "level", "--urgent", "P1", "--encoding", "none"], "cannot be read as none"),
        ([], "line 1: not JSON"),
        (["--text", "what", "--label", "level", "--urgent", "P1", "--time", "when"], "no column when"),
        (["--text", "what", "--label", "level", "--urgent", "P1", "--seed", "-1"], "--seed: from 0"),
    ],
)
def test_what_cannot_be_learned_from_is_said_and_nothing_is_stored(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    before = row_counts()
    with pytest.raises(CommandError, match=says):
        call_command("train", "--from", str(csv_file(tmp_path)), *arguments)
    assert row_counts() == before
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("one cell", "line 113: 1 cells, and the first line names 2"),
        ('"never closed,P1', "line 113: not CSV"),
        ("caf\udce9,P1", "line 113: not in the file's encoding"),
        ("no word of how bad,", "line 113: level: empty. --drop '' leaves such rows out"),
    ],
)
def test_a_bad_row_of_csv_is_named(tmp_path: Path, row: str, says: str) -> None:
    file = csv_file(tmp_path)
    file.write_bytes(file.read_bytes() + row.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(CommandError, match=says):
        call_command("train", "--from", str(file), "--text", "what", "--label", "level", "--urgent", "P1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is empty"),
        ("what,level\n".encode("utf-16"), "no column what"),
        (b'"what,level\n', "The first line is no CSV header"),
        (b"what,level,what\n", "names the column what twice"),
    ],
)
def test_a_first_line_that_names_no_columns_is_told_as_what_it_is(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "history.csv").write_bytes(content)
    with pytest.raises(CommandError, match=says):
        call_command(
            "train", "--from", str(tmp_path / "history.csv"), "--text", "what", "--label", "level", "--urgent", "P1"
        )


def test_labels_that_contradict_each_other_make_no_model(tmp_path: Path) -> None:
    """Each text is urgent once and standard once."""
    file, before = tmp_path / "both.jsonl", row_counts()
    texts = [f"Ticket {n}: {text}" for n, text in enumerate(history(60)[0])]
    rows = [{"body": text, "urgent": urgent} for text in texts for urgent in (True, False)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(CommandError, match="no more than chance"):
        call_command("train", "--from", str(file))
    assert row_counts() == before
    assert not (tmp_path / "models").exists()


def test_what_is_for_files_is_not_taken_beside_labels() -> None:
    with pytest.raises(CommandError, match="--text is for a file"):
        call_command("train", "--from", "labels", "--text", "what")


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(CommandError, match=r"File exists|Not a directory"):
        call_command("train", "--from", str(json_lines(tmp_path)))


def test_rows_without_a_label_can_be_left_out(tmp_path: Path) -> None:
    file = csv_file(tmp_path)
    columns = ("--text", "what", "--label", "level", "--urgent", "P0,P1", "--drop", "P2,")
    whole = json.loads(output_of("train", "--from", str(file), *columns, "--json"))
    file.write_bytes(file.read_bytes() + b"no word of how bad,\n")
    assert json.loads(output_of("train", "--from", str(file), *columns, "--json"))["digest"] == whole["digest"]


def test_a_line_of_json_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    file = tmp_path / "deep.jsonl"
    file.write_text("[" * 100_000)
    with pytest.raises(CommandError, match="line 1: nested too deeply"):
        call_command("train", "--from", str(file))


def test_without_labels_it_says_what_it_takes() -> None:
    with pytest.raises(CommandError, match="at least 100 labels"):
        call_command("train", "--from", "labels")


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("train", "--from", "/no/such/file")


def test_a_scorer_that_the_policy_does_not_name_judges_nothing(settings: Any, tmp_path: Path) -> None:
    settings.SCORER = "scoring.keyword.Keyword"
    scorer.cache_clear()
    with pytest.raises(CommandError, match="set SCORER to it"):
        call_command("train", "--from", str(json_lines(tmp_path)))
