"""Deciding again what was decided: the same model says the same, and what cannot be asked again is said."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from tests.audit.tampering import as_bytes, tamper
from tests.commands.running import objects, output_of
from tests.factories import CALM, URGENT, decide_by, fallen_back, scored
from tests.policy.test_calibrating import active_model, drawn
from tickets import pipeline
from tickets.models import Calibration, Entry, Input
from tickets.policy.calibrating import Method

pytestmark = pytest.mark.django_db


def outcomes(which: str = "1-") -> list[str]:
    return [one["outcome"] for one in objects(output_of("replay", which, "--json"))]


def test_models_and_rules_say_the_same_again() -> None:
    for body in (URGENT, CALM, "日本語 💥", "x" * 20_000):
        scored(body)
    fallen_back(2)
    assert outcomes() == ["same"] * 6


@pytest.mark.parametrize("method", Method)
def test_it_decides_by_the_calibration_and_rubric_of_that_time(method: Method) -> None:
    fitted, _ = pipeline.calibrate(drawn(500), active_model(), method, pipeline.Actor("test"))
    decide_by(calibration=fitted, rubric="Only fire is urgent.")
    seq = scored(URGENT).decision_id
    decide_by(calibration=Calibration.objects.exclude(pk=fitted.pk)[0], rubric="Everything is urgent.", threshold=1)
    assert outcomes(str(seq)) == ["same"]


def test_a_recorded_score_that_the_model_never_gave_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    seq = scored(CALM).decision_id
    body = json.loads(bytes(Entry.objects.get(pk=seq).body))
    forged = json.dumps(body | {"margin": 9_000_000, "score": 999_000, "verdict": "urgent"}).encode()
    tamper("tickets_entry", f"UPDATE tickets_entry SET body = {as_bytes(forged)} WHERE seq = {seq}")
    with pytest.raises(CommandError, match="1 decisions differ"):
        call_command("replay", str(seq))
    assert "0.999 then" in capsys.readouterr().out


def test_a_text_that_was_erased_or_changed_is_said() -> None:
    erased, changed = scored(URGENT), scored(CALM)
    Input.objects.filter(ticket=erased).delete()
    Input.objects.filter(ticket=changed).update(text="something else")
    first, second = objects(output_of("replay", "1-", "--json"))
    assert "no longer stored" in first["problem"]
    assert "digest differs" in second["problem"]


def test_a_model_that_is_not_here_is_named() -> None:
    seq = scored(URGENT).decision_id
    body = json.loads(bytes(Entry.objects.get(pk=seq).body))
    other = json.dumps(body | {"model": {"name": "WorldPM-72B", "digest": "4" * 64}}).encode()
    tamper("tickets_entry", f"UPDATE tickets_entry SET body = {as_bytes(other)} WHERE seq = {seq}")
    assert "WorldPM-72B (444444444444) is not on this machine" in output_of("replay", str(seq))


@pytest.mark.parametrize("which", ["x", "", "-3", "1-2-3", "999-"])
def test_what_is_no_decision_is_refused(which: str) -> None:
    with pytest.raises(CommandError):
        call_command("replay", "--", which)
