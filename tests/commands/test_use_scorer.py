"""`manage.py use_scorer`: from the policy that names one model to a policy that names the configured one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.api.client import row_counts
from tests.commands.running import output_of
from tests.factories import SOON, submitted
from tickets import pipeline
from tickets.audit.verify import verify
from tickets.flow.score import scorer
from tickets.models import ActivePolicy, Decision, Entry, Kind, Policy, Process, Reason, Waiting
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
