"""How we decide, by program: draft, activate, roll back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.client import Caller, named, row_counts
from tests.factories import scored
from tickets.models import ActivePolicy, Calibration, Decision, Entry, Policy, RegisteredModel

pytestmark = pytest.mark.django_db
POLICIES = "/api/v1/policies/"


@pytest.fixture
def caller() -> Caller:
    return Caller("policies:write", "decisions:read")


def draft(caller: Caller, **values: Any) -> dict[str, Any]:
    answer = caller.post(POLICIES, {"reason": "Why not"} | values)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def activate(caller: Caller, number: int, reason: str = "Now") -> Any:
    return caller.post(f"{POLICIES}{number}/activate/", {"reason": reason})


def states(caller: Caller) -> dict[int, str]:
    return {policy["number"]: policy["state"] for policy in caller.get(POLICIES).json()}


def test_the_first_policy_is_seven_tenths(caller: Caller) -> None:
    shown = caller.get(f"{POLICIES}1/").json()
    assert (shown["threshold"], shown["state"]) == (0.7, "active")


def test_a_draft_decides_nothing_until_it_is_activated(caller: Caller) -> None:
    saved = draft(caller, threshold="0.000001")
    assert (saved["number"], saved["state"], saved["threshold"]) == (2, "draft", 0.000001)
    assert Decision.objects.get(pk=scored().decision_id).policy_number == 1
    activate(caller, 2)
    decision = Decision.objects.get(pk=scored().decision_id)
    assert (decision.policy_number, decision.threshold, decision.queue) == (2, 1, "urgent")


def test_activating_one_retires_the_other(caller: Caller) -> None:
    draft(caller, threshold=0.5)
    answer = activate(caller, 2)
    assert (answer.status_code, answer.json()["number"], answer.json()["state"]) == (200, 2, "active")
    assert states(caller) == {2: "active", 1: "retired"}


def test_an_older_number_activated_again_is_a_roll_back(caller: Caller) -> None:
    draft(caller, threshold=0.5)
    activate(caller, 2)
    back = activate(caller, 1, "Too many")
    assert (back.status_code, back.json()["state"], back.json()["threshold"]) == (200, "active", 0.7)
    assert ActivePolicy.current().number == 1
    assert states(caller) == {2: "retired", 1: "active"}
    assert Decision.objects.get(pk=scored().decision_id).policy_number == 1


def test_versions_are_listed_latest_first_without_gaps(caller: Caller) -> None:
    for _ in range(3):
        draft(caller)
    caller.post(POLICIES, {"threshold": "wrong", "reason": "x"})
    draft(caller)
    assert list(states(caller)) == [5, 4, 3, 2, 1]


def test_what_is_left_out_is_as_in_the_active_policy(caller: Caller) -> None:
    draft(caller, rubric="Only fire is urgent.")
    new, active = Policy.objects.get(pk=2), ActivePolicy.current()
    assert (new.threshold, new.review_band, new.model) == (active.threshold, active.review_band, active.model)
    assert new.rubric == "Only fire is urgent."


def test_a_version_never_changes_once_it_is_saved(caller: Caller) -> None:
    first = draft(caller, threshold="0.4")
    draft(caller, threshold="0.3")
    activate(caller, 3)
    activate(caller, 2)
    later = caller.get(f"{POLICIES}2/").json()
    assert later | {"state": "draft"} == first


@pytest.mark.parametrize("threshold", ["0", "1", "0.000001", "0.999999", "0.7", 0, 1, 0.7, "0.000249", 0.000251])
def test_a_threshold_is_kept_to_the_millionth(caller: Caller, threshold: Any) -> None:
    """The last two are among those that a binary fraction times a million falls short of."""
    assert draft(caller, threshold=threshold)["threshold"] == float(threshold)
    assert Policy.objects.get(pk=2).threshold == round(float(threshold) * 1_000_000)


def test_the_active_one_is_not_activated_again_and_the_log_says_nothing(caller: Caller) -> None:
    before = Entry.objects.count()
    answer = activate(caller, 1)
    assert (answer.status_code, answer.json()) == (409, {"detail": "Policy 1 is active already."})
    assert Entry.objects.count() == before


def test_who_drafted_and_who_activated_is_in_the_log(caller: Caller) -> None:
    draft(caller, threshold="0.5", reason="Because Lea said so")
    activate(caller, 2, "Lea again")
    created, activated = Entry.objects.order_by("-seq")[:2][::-1]
    assert (created.kind, activated.kind) == ("policy_created", "policy_activated")
    assert {(entry.actor, entry.subject) for entry in (created, activated)} == {(f"key:{caller.key.pk}", "policy:2")}
    assert json.loads(bytes(created.body))["threshold"] == 500_000
    assert json.loads(bytes(activated.body))["replaces"] == 1
    assert not any(b"Lea" in bytes(entry.body) for entry in (created, activated))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"threshold": 1.1, "reason": "x"}, "threshold"),
        ({"threshold": -0.1, "reason": "x"}, "threshold"),
        ({"threshold": "0.7000001", "reason": "x"}, "threshold"),
        ({"threshold": "NaN", "reason": "x"}, "threshold"),
        ({"threshold": "Infinity", "reason": "x"}, "threshold"),
        ({"threshold": "1e400", "reason": "x"}, "threshold"),
        ({"threshold": "0" * 2_000, "reason": "x"}, "threshold"),
        ({"threshold": "high", "reason": "x"}, "threshold"),
        ({"threshold": True, "reason": "x"}, "threshold"),
        ({"threshold": None, "reason": "x"}, "threshold"),
        ({"threshold": [0.5], "reason": "x"}, "threshold"),
        ({"threshold": "\ud800", "reason": "x"}, "threshold"),
        ({"review_band": 2, "reason": "x"}, "review_band"),
        ({"review_band": "-0.000001", "reason": "x"}, "review_band"),
        ({"rubric": "", "reason": "x"}, "rubric"),
        ({"rubric": "\u200b", "reason": "x"}, "rubric"),
        ({"rubric": "r" * 8_001, "reason": "x"}, "rubric"),
        ({"rubric": "a\0b", "reason": "x"}, "rubric"),
        ({"threshold": 0.5}, "reason"),
        ({"threshold": 0.5, "reason": "  "}, "reason"),
        ({"threshold": 0.5, "reason": "x" * 501}, "reason"),
        ({"treshold": 0.5, "reason": "x"}, "treshold"),
        ({"number": 9, "reason": "x"}, "number"),
        ({"model": "another", "reason": "x"}, "model"),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_stored(caller: Caller, body: dict[str, Any], field: str) -> None:
    before = row_counts()
    answer = caller.post(POLICIES, body)
    assert answer.status_code == 400
    assert named(answer.json()) == {field}
    assert row_counts() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": ""}, "reason"),
        ({"reason": 5}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "x", "state": "active"}, "state"),
    ],
)
def test_an_activation_without_a_good_reason_changes_nothing(caller: Caller, body: dict[str, Any], field: str) -> None:
    draft(caller, threshold="0.5")
    before = row_counts()
    answer = caller.post(f"{POLICIES}2/activate/", body)
    assert answer.status_code == 400
    assert named(answer.json()) == {field}
    assert row_counts() == before
    assert ActivePolicy.current().number == 1


@pytest.mark.parametrize("number", ["0", "99", str(2**31), str(2**63), "9" * 40])
def test_a_policy_that_is_none_is_not_found(caller: Caller, number: str) -> None:
    before = row_counts()
    assert caller.post(f"{POLICIES}{number}/activate/", {"reason": "x"}).status_code == 404
    assert caller.get(f"{POLICIES}{number}/").status_code == 404
    assert row_counts() == before


class TestCalibration:
    def test_a_draft_may_name_a_calibration_of_its_model(self, caller: Caller) -> None:
        row = Calibration.objects.create(version="ours", model=ActivePolicy.current().model, a_millionths=500_000)
        assert draft(caller, calibration="ours")["calibration"] == "ours"
        assert Policy.objects.get(number=2).calibration == row

    def test_one_of_another_model_is_refused_by_name(self, caller: Caller) -> None:
        other = RegisteredModel.objects.create(name="other", digest="3" * 64)
        Calibration.objects.create(version="theirs", model=other)
        answer = caller.post(POLICIES, {"reason": "Why not", "calibration": "theirs"})
        assert answer.status_code == 400
        assert "other" in answer.json()["calibration"][0]
        assert Policy.objects.count() == 1

    @pytest.mark.parametrize("version", ["no such", "", 7, None, {"a": 1}, ["x"], "\x00"])
    def test_one_that_is_not_there_is_refused(self, caller: Caller, version: Any) -> None:
        answer = caller.post(POLICIES, {"reason": "Why not", "calibration": version})
        assert (answer.status_code, list(answer.json())) == (400, ["calibration"])
