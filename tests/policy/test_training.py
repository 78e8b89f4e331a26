"""From labels to what is learned from and what is held out; what a learned model is told by."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.types import Model
from tests.factories import CALM, URGENT, acting, person, scored
from tickets import pipeline
from tickets.flow.canonical import without_floats
from tickets.models import Queue
from tickets.policy.held_out import behind, figures
from tickets.policy.training import (
    CannotTrain,
    Example,
    _calibrated,
    data_digest,
    described,
    labelled_by_people,
    split,
)

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def examples(number: int, *, timed: bool = False) -> list[Example]:
    """Every third urgent; where timed, the first is the latest."""
    return [Example(f"text {n}", n % 3 == 0, NOW - timedelta(hours=n) if timed else None) for n in range(number)]


class TestSplit:
    def test_where_times_are_known_the_latest_are_held_out(self) -> None:
        earlier, later = split(examples(200, timed=True), 0.2, 0)
        assert (len(earlier), len(later)) == (160, 40)
        assert max(one.at for one in earlier if one.at) < min(one.at for one in later if one.at)

    def test_a_text_that_was_there_before_is_not_held_out(self) -> None:
        whole = [Example(f"text {n % 150}", n % 3 == 0, NOW + timedelta(hours=n)) for n in range(200)]
        earlier, later = split(whole, 0.3, 0)
        assert len(earlier) == 140
        assert [one.text for one in later] == [f"text {n}" for n in range(140, 150)]

    def test_where_one_time_is_missing_a_share_is_drawn(self) -> None:
        whole = [*examples(200, timed=True)[1:], Example("text 0", True)]
        earlier, later = split(whole, 0.2, 0)
        assert (len(earlier), len(later)) == (160, 40)
        assert {one.text for one in later} != {one.text for one in split(whole, 0.2, 1)[1]}

    @given(st.permutations(examples(120)), st.integers(0, 5))
    def test_the_order_of_the_file_changes_nothing(self, shuffled: list[Example], seed: int) -> None:
        assert split(shuffled, 0.2, seed) == split(examples(120), 0.2, seed)

    @given(st.lists(st.integers(0, 40), min_size=150, max_size=200), st.integers(0, 5))
    def test_equal_texts_are_on_one_side(self, numbers: list[int], seed: int) -> None:
        whole = [Example(f"text {n}", n % 2 == 0) for n in [*range(41), *numbers]]
        earlier, later = split(whole, 0.3, seed)
        assert not {one.text for one in earlier} & {one.text for one in later}
        assert len(earlier) + len(later) == len(whole)

    @pytest.mark.parametrize(
        ("found", "says"),
        [
            ([], "at least 100 labels"),
            (examples(99), "at least 100 labels"),
            ([Example(f"text {n}", n < 5) for n in range(300)], "10 of each queue to learn from"),
            ([Example(f"{n}", n < 150, NOW + timedelta(n)) for n in range(300)], "60 held out, 0 of them urgent"),
        ],
    )
    def test_too_few_of_a_kind_are_refused_with_what_it_takes(self, found: list[Example], says: str) -> None:
        with pytest.raises(CannotTrain, match=says):
            split(found, 0.2, 0)


@pytest.mark.django_db
class TestPeoplesLabels:
    def test_the_last_word_on_each_ticket_counts_with_its_time(self) -> None:
        agent, ticket = acting(person("agent")), scored(CALM)
        pipeline.override(ticket.pk, Queue.URGENT, agent, "on fire")
        pipeline.override(ticket.pk, Queue.STANDARD, agent, "was not")
        [found] = labelled_by_people()
        assert not found.urgent
        assert CALM in found.text
        assert found.at is not None

    def test_a_word_taken_back_is_no_label(self) -> None:
        agent, ticket = acting(person("agent")), scored(URGENT)
        pipeline.confirm(ticket.pk, agent)
        pipeline.undo(ticket.pk, agent)
        assert labelled_by_people() == []


def test_the_data_digest_is_of_the_data_and_not_of_its_order() -> None:
    found = examples(10)
    assert data_digest(found) == data_digest(found[::-1])
    assert data_digest(found) != data_digest(found[1:])
    assert data_digest(found) != data_digest([Example(one.text, not one.urgent) for one in found])


def test_what_was_learned_from_is_told_with_its_span_in_microseconds() -> None:
    told = described(examples(3, timed=True))
    assert (told["labels"], told["urgent"]) == (3, 1)
    assert told["last"] - told["first"] == 2 * 3_600 * 1_000_000


def test_the_log_gets_whole_numbers() -> None:
    assert without_floats({"auc": [0.5, 1], "name": "x"}) == {"auc": [500_000, 1], "name": "x"}


def test_a_head_that_learned_nothing_is_no_model_whatever_its_slope() -> None:
    chance, refused = random.Random(3), 0
    for _ in range(20):
        margins = [chance.gauss(0, 1) for _ in range(160)]
        labels = [chance.random() < 0.3 for _ in margins]
        try:
            _calibrated(Model("m", "0" * 64), margins, labels)
        except CannotTrain as error:
            refused += "no more than chance" in str(error)
    assert refused >= 18


def test_how_far_a_model_is_ahead_is_told_of_the_same_tickets() -> None:
    labels = [True, False] * 50
    learned, present = [0.9, 0.1] * 50, [0.9, 0.9] * 50
    difference, low, high = behind(present, learned, labels, 700_000)
    assert difference == 0.5
    assert 0.35 < low < difference < high < 0.65
    assert behind(learned, learned, labels, 700_000)[0] == 0


def test_figures_lie_within_their_intervals_and_the_threshold_itself_is_standard() -> None:
    found = figures([0.1, 0.7, 0.2, 0.9] * 20, [False, False, True, True] * 20, 700_000)
    assert found["accuracy"][0] == 0.75
    assert found["auc"][0] == 0.75
    for value, low, high in found.values():
        assert low <= value <= high
