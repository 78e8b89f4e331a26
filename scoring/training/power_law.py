"""y = factor * x ** -alpha: fitted to measured points, and held against a published table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PUBLISHED_LOSS = ((1e18, 0.85), (5e18, 0.72), (2e19, 0.63))
"""FLOP of training, loss."""
PUBLISHED_GRADIENT = ((6.3e6, 0.45), (12.6e6, 2.17), (15e6, 0.89))
"""Samples seen, norm of the gradient."""
_STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228}
"""The 0.975 quantile of Student's t, by degrees of freedom."""
CLAIMED_ALPHA = 0.12
CLAIMED_DECAY = 0.23
"""False positives fall as exp(-0.23 x); of what x is, the claim says nothing."""


@dataclass(frozen=True, slots=True)
class Law:
    """interval: of alpha, 95 %, by Student's t over the points' distances from the line."""

    alpha: float
    factor: float
    interval: tuple[float, float]

    def at(self, x: float) -> float:
        return self.factor * x**-self.alpha


def fit(points: Sequence[tuple[float, float]]) -> Law:
    """Least squares in the logarithms. Raises ValueError for other than 3 to 12 points or one that is not positive."""
    if len(points) - 2 not in _STUDENT or any(x <= 0 or y <= 0 for x, y in points):
        raise ValueError("a power law is fitted to three points to twelve, all of them positive")
    x, y = np.log(np.array(points)).T
    (slope, intercept), ((left, *_), *_) = np.polyfit(x, y, 1), _covariance(x, y)
    reach = _STUDENT[len(points) - 2] * math.sqrt(left)
    return Law(-float(slope), math.exp(float(intercept)), (-float(slope) - reach, -float(slope) + reach))


def _covariance(x: Array, y: Array) -> Array:
    """Of slope and intercept: the residual variance, for all but two degrees of freedom, times (X'X)^-1."""
    design = np.stack([x, np.ones_like(x)], axis=1)
    residual = y - design @ np.linalg.lstsq(design, y)[0]
    return np.linalg.inv(design.T @ design) * float(residual @ residual) / (len(x) - 2)


def steps(points: Sequence[tuple[float, float]]) -> list[float]:
    """alpha between each point and the next: the same everywhere where a power law holds."""
    return [-math.log(after[1] / before[1]) / math.log(after[0] / before[0]) for before, after in pairwise(points)]


def published() -> list[str]:
    """What the published table bears of its claim, a sentence each, with the numbers that say so."""
    law, last = fit(PUBLISHED_LOSS), PUBLISHED_LOSS[-1]
    first = PUBLISHED_LOSS[0]
    foreseen = first[1] * (last[0] / first[0]) ** -CLAIMED_ALPHA
    norms = [norm for _, norm in PUBLISHED_GRADIENT]
    return [
        f"Loss: the three points give alpha = {law.alpha:.3f} ({law.interval[0]:.3f} to {law.interval[1]:.3f}), from "
        f"one to the next {' and '.join(f'{alpha:.3f}' for alpha in steps(PUBLISHED_LOSS))}. The claimed "
        f"{CLAIMED_ALPHA} lies {_place(law)} the interval. From the first point it foresees {foreseen:.3f} at "
        f"{last[0]:.0e} FLOP, and the table has {last[1]}: the table says {law.alpha:.2f}, and where it does not rule "
        f"{CLAIMED_ALPHA} out, that is because three points rule out little.",
        f"Gradient: {', '.join(map(str, norms))} is no power law, for it "
        f"{'falls all the way' if norms == sorted(norms, reverse=True) else 'rises and falls'}; three points cannot "
        "tell a passing instability from noise.",
        f"False positives: exp(-{CLAIMED_DECAY} x) halves every {math.log(2) / CLAIMED_DECAY:.2f} x. The table has "
        "neither a value of it nor the unit of x, so nothing can be checked.",
    ]


def _place(law: Law) -> str:
    return "in" if law.interval[0] <= CLAIMED_ALPHA <= law.interval[1] else "outside"
