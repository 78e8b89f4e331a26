"""A power law is found again where there is one, and the published table is read for what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.training.power_law import PUBLISHED_LOSS, fit, published, steps

alphas = st.floats(-2, 2)
factors = st.floats(1e-3, 1e3)


@given(alphas, factors, st.sets(st.integers(1, 10**6), min_size=3, max_size=12))
def test_the_law_that_made_the_points_is_found_again(alpha: float, factor: float, places: set[int]) -> None:
    law = fit([(x, factor * x**-alpha) for x in places])
    assert law.alpha == pytest.approx(alpha, abs=1e-6)
    assert law.at(7) == pytest.approx(factor * 7**-alpha, rel=1e-4)


def test_points_off_the_line_widen_the_interval_around_the_same_law() -> None:
    straight, bent = [(1, 8), (2, 4), (4, 2), (8, 1)], [(1, 8), (2, 5), (4, 1.6), (8, 1)]
    assert fit(straight).interval == pytest.approx((1, 1))
    low, high = fit(bent).interval
    assert low < 1 < high


@pytest.mark.parametrize(
    "points", [[], [(1, 1)], [(1, 1), (2, 2)], [(0, 1), (1, 1), (2, 1)], [(1, 1), (2, -1), (3, 1)]]
)
def test_too_few_points_or_such_without_a_logarithm_are_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="three points"):
        fit(points)


def test_the_published_losses_fall_as_a_tenth_power_and_not_as_claimed() -> None:
    assert fit(PUBLISHED_LOSS).alpha == pytest.approx(0.100, abs=0.001)
    assert steps(PUBLISHED_LOSS) == pytest.approx([0.103, 0.096], abs=0.001)
    loss, gradient, false_positives = published()
    assert "foresees 0.593" in loss
    assert "no power law" in gradient
    assert "nothing can be checked" in false_positives
