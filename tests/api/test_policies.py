"""How we decide, by program: draft, activate, roll back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.client import Caller, row_counts
from tests.factories import scored
from tickets.models import ActivePolicy, Decision, Policy

pytestmark = pytest.mark.django_db
POLICIES = "/api/v1/policies/"


@pytest.fixture
def caller() -> Caller:
    return Caller("policies:write", "decisions:read")


def test_the_first_policy_is_seven_tenths(caller: Caller) -> None:
    shown = caller.get(f"{POLICIES}1/").json()
    assert (shown["threshold"], shown["state"]) == (0.7, "active")


def test_a_draft_decides_nothing_until_it_is_activated(caller: Caller) -> None:
    draft = caller.post(POLICIES, {"threshold": "0.000001", "reason": "All of it"}).json()
    assert (draft["number"], draft["state"], draft["threshold"]) == (2, "draft", 0.000001)
    assert Decision.objects.get(pk=scored().decision_id).policy_number == 1
    caller.post(f"{POLICIES}2/activate/", {"reason": "Now"})
    decision = Decision.objects.get(pk=scored().decision_id)
    assert (decision.policy_number, decision.threshold, decision.queue) == (2, 1, "urgent")


def test_an_older_number_activated_again_is_a_roll_back(caller: Caller) -> None:
    caller.post(POLICIES, {"threshold": 0.5, "reason": "Lower"})
    caller.post(f"{POLICIES}2/activate/", {"reason": "Now"})
    back = caller.post(f"{POLICIES}1/activate/", {"reason": "Too many"})
    assert (back.status_code, back.json()["state"]) == (200, "active")
    assert ActivePolicy.current().number == 1
    assert caller.get(f"{POLICIES}2/").json()["state"] == "retired"


def test_what_is_left_out_is_as_in_the_active_policy(caller: Caller) -> None:
    caller.post(POLICIES, {"rubric": "Only fire is urgent.", "reason": "Narrower"})
    draft, active = Policy.objects.get(pk=2), ActivePolicy.current()
    assert (draft.threshold, draft.review_band, draft.model) == (active.threshold, active.review_band, active.model)
    assert draft.rubric == "Only fire is urgent."


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"threshold": 1.1, "reason": "x"}, "threshold"),
        ({"threshold": -0.1, "reason": "x"}, "threshold"),
        ({"threshold": "0.7000001", "reason": "x"}, "threshold"),
        ({"threshold": "NaN", "reason": "x"}, "threshold"),
        ({"threshold": "high", "reason": "x"}, "threshold"),
        ({"review_band": 2, "reason": "x"}, "review_band"),
        ({"rubric": "", "reason": "x"}, "rubric"),
        ({"threshold": 0.5}, "reason"),
        ({"treshold": 0.5, "reason": "x"}, "treshold"),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_stored(caller: Caller, body: dict[str, Any], field: str) -> None:
    before = row_counts()
    answer = caller.post(POLICIES, body)
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert row_counts() == before


def test_a_policy_that_is_none_is_not_found(caller: Caller) -> None:
    assert caller.post(f"{POLICIES}99/activate/", {"reason": "x"}).status_code == 404
    assert caller.get(f"{POLICIES}99/").status_code == 404
