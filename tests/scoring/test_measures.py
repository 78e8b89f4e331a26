"""The figures, on cases small enough to reckon by hand and against their definitions."""

from __future__ import annotations

import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.measures import auc, auc_interval, brier, ece, ece_interval, kappa, log_loss, paired_difference, wilson

rows = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_the_wilson_interval_is_the_published_one() -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I: 81 of 263, 15 of 148."""
    assert wilson(81, 263) == pytest.approx((0.3080, 0.2553, 0.3662), abs=1e-4)
    assert wilson(15, 148) == pytest.approx((0.1014, 0.0624, 0.1605), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.0, 0.1611), abs=1e-4)


@given(rows)
def test_auc_is_the_share_of_pairs_in_the_right_order(given_rows: list[tuple[float, bool]]) -> None:
    urgent = [value for value, label in given_rows if label]
    standard = [value for value, label in given_rows if not label]
    wins = sum((one > other) + (one == other) / 2 for one in urgent for other in standard)
    values, labels = zip(*given_rows, strict=True)
    pairs = len(urgent) * len(standard)
    assert auc(values, labels) == pytest.approx(wins / pairs if pairs else 0.5)


@given(rows)
def test_the_interval_of_an_auc_holds_it_and_is_never_a_point(given_rows: list[tuple[float, bool]]) -> None:
    values, labels = zip(*given_rows, strict=True)
    area, low, high = auc_interval(values, labels)
    assert area == pytest.approx(auc(values, labels), abs=1e-4)
    assert 0 <= low <= area <= high <= 1
    assert low < high


@pytest.mark.parametrize("area", [0.7, 0.9, 0.97])
def test_the_interval_of_an_auc_holds_the_true_one_nineteen_times_in_twenty(area: float) -> None:
    chance, distance = random.Random(5), NormalDist().inv_cdf(area) * math.sqrt(2)
    hits, labels = 0, [True] * 40 + [False] * 60
    for _ in range(400):
        _, low, high = auc_interval([chance.gauss(distance * label, 1) for label in labels], labels)
        hits += low <= area <= high
    assert 0.92 <= hits / 400 <= 0.99


def test_probabilities_that_hold_have_no_calibration_error() -> None:
    assert ece([0.25] * 4 + [1.0] * 2, [True, False, False, False, True, True]) == 0
    assert ece([0.9] * 10, [True] * 5 + [False] * 5) == pytest.approx(0.4)


@given(rows)
def test_brier_and_log_loss_are_their_definitions(given_rows: list[tuple[float, bool]]) -> None:
    chances, labels = zip(*given_rows, strict=True)
    assert brier(chances, labels) == pytest.approx(
        sum((chance - label) ** 2 for chance, label in given_rows) / len(given_rows)
    )
    surprise = [-math.log(max(5e-7, chance if label else 1 - chance)) for chance, label in given_rows]
    assert log_loss(chances, labels) == pytest.approx(sum(surprise) / len(given_rows))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_a_paired_interval_holds_the_difference_and_turns_over_with_it(first: int, second: int, alike: int) -> None:
    total = first + second + alike
    difference, low, high = paired_difference(first, second, total)
    assert low <= difference <= high
    assert paired_difference(second, first, total) == pytest.approx((-difference, -high, -low))


def test_a_paired_interval_gets_narrower_with_more_tickets() -> None:
    (_, low, high), (_, lower, higher) = paired_difference(160, 80, 860), paired_difference(16, 8, 86)
    assert lower < low < high < higher


def test_kappa_is_cohens() -> None:
    """Cohen 1960's definition on a table by hand: 20 and 15 agreed, 5 and 10 not; agreement 0.7, by chance 0.5."""
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert (kappa(pairs) or ())[0] == pytest.approx(0.4)


def test_the_interval_of_kappa_has_a_width_where_all_agree() -> None:
    value, low, high = kappa([(True, True), (False, False)] * 10) or (0, 0, 0)
    assert value == high == 1
    assert 0.5 < low < 1


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_kappa_lies_within_its_interval_and_that_between_minus_one_and_one(pairs: list[tuple[bool, bool]]) -> None:
    value, low, high = kappa(pairs) or (0, 0, 0)
    assert -1 <= low <= value <= high <= 1


@pytest.mark.parametrize("pairs", [[], [(True, True)] * 5])
def test_where_nothing_tells_two_labellers_from_chance_there_is_no_kappa(pairs: list[tuple[bool, bool]]) -> None:
    assert kappa(pairs) is None


def test_the_interval_of_the_calibration_error_is_the_same_each_time_and_narrows_with_more_tickets() -> None:
    chances, labels = [0.2, 0.4, 0.6, 0.8] * 25, [False, True, True, True] * 25
    few, many = ece_interval(chances, labels), ece_interval(chances * 16, labels * 16)
    assert few == ece_interval(chances, labels)
    assert few[0] == pytest.approx(ece(chances, labels), abs=1e-4)
    assert many[2] - many[1] < few[2] - few[1]
    assert many[1] <= many[0] <= many[2]


@pytest.mark.parametrize(("slope", "number"), [(1.0, 60), (1.0, 400), (0.5, 400)])
def test_the_interval_of_the_calibration_error_holds_the_true_one_nineteen_times_in_twenty(
    slope: float, number: int
) -> None:
    chance, hits = random.Random(9), 0
    true = 0.0 if slope == 1 else _true_error(slope, chance)
    for _ in range(100):
        margins = [chance.gauss(0, 2) for _ in range(number)]
        labels = [chance.random() < _sigmoid(slope * margin) for margin in margins]
        _, low, high = ece_interval([_sigmoid(margin) for margin in margins], labels)
        hits += low <= true <= high
    assert hits >= 90


def _true_error(slope: float, chance: random.Random) -> float:
    """Of probabilities sigmoid(margin) where sigmoid(slope * margin) is true."""
    gaps: dict[int, list[float]] = {}
    for _ in range(100_000):
        margin = chance.gauss(0, 2)
        gaps.setdefault(int(_sigmoid(margin) * 10), []).append(_sigmoid(margin) - _sigmoid(slope * margin))
    return sum(abs(sum(found)) for found in gaps.values()) / 100_000


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


@given(rows)
@settings(max_examples=20)
def test_the_calibration_error_lies_within_its_interval(found: list[tuple[float, bool]]) -> None:
    chances, labels = zip(*found, strict=True)
    error, low, high = ece_interval(chances, labels)
    assert 0 <= low <= error <= high <= 1


def test_without_tickets_any_calibration_error_is_possible() -> None:
    assert ece_interval([], []) == (0, 0, 1)
