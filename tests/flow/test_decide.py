"""Deciding is arithmetic on integers: nothing is rounded across the threshold."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from scoring.calibration import UNCALIBRATED, Calibration
from scoring.types import Score
from tickets.flow.decide import MILLION, PolicyValues, confidence, decide
from tickets.models import Queue

SEVEN_TENTHS = 700_000
millionths = st.integers(0, MILLION)
margins = st.floats(-700, 700)


def policy(
    threshold: int = SEVEN_TENTHS, review_band: int = 0, calibration: Calibration = UNCALIBRATED
) -> PolicyValues:
    return PolicyValues(1, threshold, review_band, calibration)


def margin_of(score: int) -> float:
    """A margin whose probability is `score` millionths."""
    return math.log(score / (MILLION - score))


def test_exactly_the_threshold_is_standard_and_a_millionth_more_is_urgent() -> None:
    assert Queue.of(SEVEN_TENTHS, SEVEN_TENTHS) is Queue.STANDARD
    assert Queue.of(SEVEN_TENTHS + 1, SEVEN_TENTHS) is Queue.URGENT


def test_a_probability_just_above_seven_tenths_but_nearer_to_it_than_a_millionth_is_standard() -> None:
    verdict = decide(policy(), Score(margin_of(SEVEN_TENTHS)))
    assert (verdict.score, verdict.queue) == (SEVEN_TENTHS, Queue.STANDARD)


@given(margins, millionths)
def test_urgent_means_above_the_threshold_for_every_score(margin: float, threshold: int) -> None:
    verdict = decide(policy(threshold), Score(margin))
    assert (verdict.queue is Queue.URGENT) == (verdict.score > threshold)
    assert 0 <= verdict.score <= MILLION


@given(millionths, millionths)
def test_confidence_is_half_on_the_threshold_and_whole_where_the_score_is_certain(score: int, threshold: int) -> None:
    assert MILLION // 2 <= confidence(score, threshold) <= MILLION
    assert confidence(threshold, threshold) == MILLION // 2
    if 0 < threshold < MILLION:
        assert confidence(0, threshold) == confidence(MILLION, threshold) == MILLION


@given(millionths, millionths, st.integers(1, MILLION - 1))
def test_confidence_grows_with_the_distance_to_the_threshold(one: int, other: int, threshold: int) -> None:
    if (one > threshold) == (other > threshold):
        near, far = sorted((one, other), key=lambda score: abs(score - threshold))
        assert confidence(near, threshold) <= confidence(far, threshold)


def test_at_a_threshold_of_one_half_confidence_is_the_chance_that_the_verdict_is_right() -> None:
    assert confidence(800_000, 500_000) == confidence(200_000, 500_000) == 800_000


@given(margins, millionths, millionths)
def test_please_check_marks_scores_within_the_band_on_both_sides(margin: float, threshold: int, band: int) -> None:
    verdict = decide(policy(threshold, band), Score(margin))
    assert verdict.needs_check == (threshold - band <= verdict.score <= threshold + band)


@given(margins, st.floats(0.01, 5), st.floats(-5, 5))
def test_the_margin_in_the_log_is_enough_to_decide_again(margin: float, a: float, b: float) -> None:
    values = policy(calibration=Calibration("test", a, b))
    first = decide(values, Score(margin))
    assert decide(values, Score(first.margin / MILLION)) == first
