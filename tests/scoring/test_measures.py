"""The figures, on cases small enough to reckon by hand and against their definitions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.measures import auc, brier, ece, kappa, log_loss, paired_difference, wilson

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
    assert auc(values, labels) == pytest.approx(wins / max(1, len(urgent) * len(standard)))


def test_probabilities_that_hold_have_no_calibration_error() -> None:
    assert ece([0.25] * 4 + [1.0] * 2, [True, False, False, False, True, True]) == 0
    assert ece([0.9] * 10, [True] * 5 + [False] * 5) == pytest.approx(0.4)


@given(rows)
def test_brier_and_log_loss_are_their_definitions(given_rows: list[tuple[float, bool]]) -> None:
    chances, labels = zip(*given_rows, strict=True)
    assert brier(chances, labels) == pytest.approx(
        sum((chance - label) ** 2 for chance, label in given_rows) / len(given_rows)
    )
    surprise = [-math.log(max(1e-12, chance if label else 1 - chance)) for chance, label in given_rows]
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
    assert kappa(pairs) == pytest.approx(0.4)
    assert kappa([]) == 0
    assert kappa([(True, True)] * 5) == 0
