"""A policy that is activated while texts are scored: what was scored by other means than it names is scored again."""

from __future__ import annotations

import json

import pytest

from tests.factories import SOON, decide_by, submitted
from tickets import pipeline
from tickets.flow import score
from tickets.flow.score import Claim, Scored
from tickets.models import Calibration, Entry, Kind, RegisteredModel, Ticket, Waiting
from tickets.models.clock import database_now

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket() -> Ticket:
    return submitted()


@pytest.fixture
def under_way(ticket: Ticket) -> tuple[Claim, Scored]:
    """A worker has scored the ticket, and has not settled it yet."""
    held = pipeline.claim("worker", score.scorer().model)
    assert held
    return held, score.score(held)


def settled(under_way: tuple[Claim, Scored]) -> list[Entry]:
    return pipeline.settle_claim(*under_way, score.scorer().model, "worker")


def is_free_at_once() -> bool:
    row = Waiting.objects.get()
    return (row.claim, row.attempts) == (0, 0) and row.available_at <= database_now()


def test_a_score_by_another_rubric_decides_nothing_and_the_text_is_scored_by_the_new_one_at_once(
    ticket: Ticket, under_way: tuple[Claim, Scored]
) -> None:
    policy = decide_by(rubric="Only fire is urgent.")
    assert settled(under_way) == []
    assert is_free_at_once()
    assert pipeline.score_waiting("worker", SOON) == 1
    entry = Entry.objects.get(kind=Kind.SCORED, subject=f"ticket:{ticket.pk}")
    body = json.loads(bytes(entry.body))
    assert (body["policy"], body["rubric_digest"]) == (policy.number, policy.rubric_digest)
    assert Waiting.objects.count() == 0


def test_a_score_by_another_model_frees_the_text_for_a_worker_with_the_right_one(
    under_way: tuple[Claim, Scored],
) -> None:
    other = RegisteredModel.objects.create(name="other", digest="2" * 64)
    decide_by(model=other, calibration=Calibration.objects.create(version="other", model=other))
    assert settled(under_way) == []
    assert is_free_at_once()


def test_another_threshold_alone_decides_what_was_scored(under_way: tuple[Claim, Scored]) -> None:
    policy = decide_by(threshold=0)
    [entry] = settled(under_way)
    assert json.loads(bytes(entry.body))["policy"] == policy.number


def test_a_claim_that_was_lost_meanwhile_frees_nothing(under_way: tuple[Claim, Scored]) -> None:
    Waiting.objects.update(claim=7)
    decide_by(rubric="Only fire is urgent.")
    assert settled(under_way) == []
    assert Waiting.objects.values_list("claim", "attempts").get() == (7, 1)
