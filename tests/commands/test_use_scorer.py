"""`manage.py use_scorer`: from the policy that names one model to a policy that names the configured one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from scoring import compact
from scoring.compact import Compact, weights_digest
from tests.api.client import row_counts
from tests.commands.running import output_of
from tests.factories import SOON, submitted
from tests.scoring.test_learned import head_of, stored
from tickets import pipeline
from tickets.audit.verify import verify
from tickets.flow.score import scorer
from tickets.models import ActivePolicy, Calibration, Decision, Entry, Kind, Policy, Process, Reason, Waiting
from tickets.policy.versions import like

pytestmark = pytest.mark.django_db
KEYWORD, COMPACT = "scoring.keyword.Keyword", "scoring.compact.Compact"


@contextmanager
def carried(name: str) -> Iterator[None]:
    """SCORER names another scorer, and this process carries it."""
    scorer.cache_clear()
    with override_settings(SCORER=name):
        yield
    scorer.cache_clear()


@pytest.fixture
def other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An upgrade: the compact model's folder holds other weights, whose calibration.json has the name it had."""
    folder = Path(shutil.copytree(compact.WEIGHTS, tmp_path / "weights"))
    with (folder / "tokenizer.json").open("a") as tokenizer:
        tokenizer.write("\n")
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | {"digest": weights_digest(folder)}))
    monkeypatch.setattr(compact, "WEIGHTS", folder)
    scorer.cache_clear()
    yield folder
    scorer.cache_clear()


def named_as_by_earlier_versions() -> Calibration:
    """The calibration of the present policy, under the name that all weights had once."""
    row = ActivePolicy.current().calibration
    row.version = "compact-1"
    row.save()
    return row


def test_a_worker_with_another_scorer_decides_nothing_until_it_ran() -> None:
    ticket = submitted()
    with carried(KEYWORD):
        assert pipeline.score_waiting("changed", SOON) == 0
        assert "use_scorer" in Process.objects.get(name="changed").problem
        assert Waiting.objects.get().attempts == 0
        output_of("use_scorer", "--reason", "No model today")
        assert pipeline.score_waiting("changed", SOON) == 1
        assert Process.objects.get(name="changed").problem == ""
    decision = Decision.objects.get(ticket_id=ticket.pk)
    assert (decision.model_name, decision.policy_number) == ("keyword-1", 2)


def test_a_worker_with_the_old_scorer_decides_nothing_any_more() -> None:
    submitted()
    with override_settings(SCORER=KEYWORD):
        output_of("use_scorer", "--reason", "No model today")
    assert pipeline.score_waiting("old", SOON) == 0
    assert Waiting.objects.exists()


def test_all_but_model_and_calibration_stays_as_it_was() -> None:
    before = ActivePolicy.current()
    with override_settings(SCORER=KEYWORD):
        printed = output_of("use_scorer", "--reason", "No model today")
    active = ActivePolicy.current()
    assert printed == f"Policy 2 is active; it names keyword-1 of {KEYWORD}.\n"
    assert active.number == 2
    assert active.calibration.is_uncalibrated
    changed = {name for name, value in like(active).items() if value != like(before)[name]}
    assert changed == {"model", "calibration"}


def test_there_and_back_again_the_model_has_its_own_calibration() -> None:
    first = ActivePolicy.current()
    for name in (KEYWORD, COMPACT):
        with override_settings(SCORER=name):
            output_of("use_scorer", "--reason", "There and back")
    assert ActivePolicy.current().number == 3
    assert like(ActivePolicy.current()) == like(first)


def test_the_calibration_of_the_same_weights_stays_the_one_it_was_whatever_it_was_named() -> None:
    row = named_as_by_earlier_versions()
    before = row_counts()
    assert "nothing to do" in output_of("use_scorer", "--reason", "again")
    assert row_counts() == before
    for name in (KEYWORD, COMPACT):
        with override_settings(SCORER=name):
            output_of("use_scorer", "--reason", "There and back")
    assert ActivePolicy.current().calibration == row


@pytest.mark.usefixtures("other_weights")
@pytest.mark.parametrize("is_old", [True, False])
def test_after_an_upgrade_with_other_weights_decisions_go_on_by_them(is_old: bool) -> None:
    before = named_as_by_earlier_versions() if is_old else ActivePolicy.current().calibration
    ticket = submitted()
    assert pipeline.score_waiting("upgraded", SOON) == 0
    assert "carries compact-1" in Process.objects.get(name="upgraded").problem

    assert "Policy 2 is a draft" in output_of("use_scorer", "--draft", "--reason", "To look at")
    assert "Policy 3 is active" in output_of("use_scorer", "--reason", "New weights")
    active, identity = ActivePolicy.current(), Compact.identity()
    assert active.calibration == Policy.objects.get(number=2).calibration != before
    assert active.calibration.version == f"compact-1-{identity.digest[:8]}"
    assert active.calibration.model == active.model

    assert pipeline.score_waiting("upgraded", SOON) == 1
    decision = Decision.objects.get(ticket_id=ticket.pk)
    assert (decision.policy_number, decision.kind) == (3, Kind.SCORED)
    assert active.model.digest == identity.digest
    assert verify().fault is None


@pytest.mark.usefixtures("other_weights")
def test_a_calibration_under_the_version_of_another_one_is_refused_with_what_to_do() -> None:
    row = ActivePolicy.current().calibration
    row.version = Compact.calibration().version
    row.save()
    with pytest.raises(CommandError, match="a version of its own"):
        output_of("use_scorer", "--reason", "New weights")
    assert Policy.objects.count() == 1


def test_it_locks_the_active_policy_before_the_head_of_the_log_as_settling_does() -> None:
    with override_settings(SCORER=KEYWORD), CaptureQueriesContext(connection) as asked:
        output_of("use_scorer", "--reason", "No model today")
    statements = [query["sql"] for query in asked]
    begins = next(place for place, sql in enumerate(statements) if sql.startswith("SAVEPOINT"))
    policy, head = (
        next(place for place, sql in enumerate(statements[begins:]) if f'FROM "tickets_{table}"' in sql)
        for table in ("activepolicy", "loghead")
    )
    assert policy < head


def test_the_log_says_what_happened_and_why() -> None:
    with override_settings(SCORER=KEYWORD):
        output_of("use_scorer", "--reason", "No model today")
    kinds = [Kind.MODEL_REGISTERED, Kind.CALIBRATION_ADDED, Kind.POLICY_CREATED, Kind.POLICY_ACTIVATED]
    entries = list(Entry.objects.order_by("-seq")[:4])[::-1]
    assert [entry.kind for entry in entries] == kinds
    assert [entry.actor for entry in entries[2:]] == ["command", "command"]
    reasons = Reason.objects.filter(pk__in=[entry.pk for entry in entries])
    assert {reason.text for reason in reasons} == {"No model today"}
    assert verify().fault is None


def test_where_the_policy_names_it_already_nothing_happens() -> None:
    before = row_counts()
    assert "nothing to do" in output_of("use_scorer", "--reason", "again")
    assert row_counts() == before


@pytest.mark.parametrize(
    ("reason", "says"), [("", "may not be blank"), (" \u200b", "no visible character"), ("x" * 501, "500 characters")]
)
def test_a_reason_that_is_none_changes_nothing(reason: str, says: str) -> None:
    with override_settings(SCORER=KEYWORD), pytest.raises(CommandError, match=f"--reason: .*{says}"):
        call_command("use_scorer", reason=reason)
    assert Policy.objects.count() == 1


@pytest.mark.parametrize("folder", ["", "/no/such/folder"])
def test_a_learned_model_that_is_not_there_is_refused_in_a_sentence(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEARNED_MODEL", folder)
    with (
        override_settings(SCORER="scoring.learned.Learned"),
        pytest.raises(CommandError, match=r"LEARNED_MODEL|folder"),
    ):
        output_of("use_scorer", "--reason", "Ours")
    assert Policy.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("head.npz", b"broken"),
        ("model.json", b"{}"),
        ("model.json", b"[1]"),
        ("calibration.json", b'{"version": "x", "a": -1.0, "b": 0.0}'),
        ("calibration.json", b"{}"),
    ],
)
def test_a_learned_model_that_is_damaged_is_not_named_by_any_policy(
    name: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stored(tmp_path, head_of(Compact(), "smoke", {"smoke": 1.0}))
    (folder / name).write_bytes(content)
    monkeypatch.setenv("LEARNED_MODEL", str(folder))
    with override_settings(SCORER="scoring.learned.Learned"), pytest.raises(CommandError, match="damaged"):
        output_of("use_scorer", "--reason", "Ours")
    assert Policy.objects.count() == 1
