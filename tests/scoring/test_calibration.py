import math
import random
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.calibration import UNCALIBRATED, Calibration, fit, fit_isotonic

margins = st.floats(allow_nan=False, allow_infinity=False)
slopes = st.floats(min_value=0, max_value=1e6)
offsets = st.floats(min_value=-1e6, max_value=1e6)


@given(margins, slopes, offsets)
def test_a_probability_lies_between_0_and_1_for_every_finite_margin(margin: float, a: float, b: float) -> None:
    assert 0 <= Calibration("test", a, b).probability(margin) <= 1


@given(margins, margins, slopes, offsets)
def test_a_higher_margin_never_means_a_lower_probability(one: float, other: float, a: float, b: float) -> None:
    calibration = Calibration("test", a, b)
    low, high = sorted((one, other))
    assert calibration.probability(low) <= calibration.probability(high)


def test_uncalibrated_is_the_plain_sigmoid() -> None:
    assert UNCALIBRATED.probability(0) == 0.5
    assert UNCALIBRATED.probability(math.log(3)) == pytest.approx(0.75)
    assert UNCALIBRATED.probability(-math.log(3)) == pytest.approx(0.25)


@pytest.mark.parametrize(("a", "b"), [(0.6, -0.4), (1.0, 0.0), (2.5, 1.5)])
def test_fit_recovers_the_curve_that_the_labels_were_drawn_from(a: float, b: float) -> None:
    chance = random.Random(7)
    drawn = [chance.gauss(0, 3) for _ in range(40_000)]
    labels = [chance.random() < Calibration("true", a, b).probability(margin) for margin in drawn]
    assert fit(drawn, labels) == pytest.approx((a, b), abs=0.08)


def test_fit_stays_finite_where_the_labels_are_perfectly_separated() -> None:
    a, b = fit([-2.0, -1.0, 1.0, 2.0], [False, False, True, True])
    assert 0 < a < 100
    assert b == pytest.approx(0, abs=1e-6)


def test_fit_finds_the_point_where_the_labels_change_wherever_the_margins_lie() -> None:
    a, b = fit([1000.0, 1001.0, 1003.0, 1004.0], [False, False, True, True])
    assert Calibration("far", a, b).probability(1002.0) == pytest.approx(0.5, abs=1e-6)


labelled = st.lists(st.tuples(st.floats(-50, 50), st.booleans()), min_size=2, max_size=120).filter(
    lambda rows: len({label for _, label in rows}) == 2 and len({margin for margin, _ in rows}) > 1
)


@given(labelled, margins, margins)
def test_an_isotonic_map_never_falls_and_never_says_certain(
    rows: list[tuple[float, bool]], one: float, other: float
) -> None:
    knots = fit_isotonic(*zip(*rows, strict=True))
    low, high = (Calibration("test", 0, 0, knots).probability(margin) for margin in sorted((one, other)))
    assert 0 < low <= high < 1
    assert len(knots) <= 32


def test_an_isotonic_map_finds_a_step_that_no_sigmoid_has() -> None:
    chance = random.Random(3)
    drawn = [chance.uniform(-3, 3) for _ in range(20_000)]
    truth = {False: 0.2, True: 0.6}
    labels = [chance.random() < truth[margin > 1] for margin in drawn]
    found = Calibration("step", 0, 0, fit_isotonic(drawn, labels))
    assert found.probability(-2) == pytest.approx(0.2, abs=0.03)
    assert found.probability(2) == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("fitting", [fit, fit_isotonic])
@pytest.mark.parametrize(
    ("given_margins", "labels"),
    [
        ([], []),
        ([1.0, 2.0], [True, True]),
        ([1.0, 1.0], [True, False]),
        ([1.0, math.nan], [True, False]),
        ([1.0, math.inf], [True, False]),
        ([1.0], [True, False]),
    ],
)
def test_fit_refuses_what_no_curve_can_be_read_from(
    given_margins: list[float], labels: list[bool], fitting: Callable[..., object]
) -> None:
    with pytest.raises(ValueError, match="calibration needs"):
        fitting(given_margins, labels)


def test_a_process_that_only_reads_probabilities_never_loads_numpy() -> None:
    program = "import sys, scoring.calibration; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
