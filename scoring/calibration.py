"""From a raw margin to a probability: Platt's sigmoid, with a version that goes on record.

Imported by web processes: numpy is loaded only by whoever fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_STEPS = 100
_RIDGE = 1e-9  # keeps the curvature invertible where every probability is 0 or 1
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Calibration:
    """version: the name under which it is recorded. a, b: slope and offset, in logits."""

    version: str
    a: float
    b: float

    def probability(self, margin: float) -> float:
        """sigmoid(a * margin + b), 0 to 1, for every finite margin."""
        logit = self.a * margin + self.b
        if logit >= 0:
            return 1 / (1 + math.exp(-logit))
        odds = math.exp(logit)
        return odds / (1 + odds)


UNCALIBRATED = Calibration("uncalibrated", 1.0, 0.0)


def fit(margins: Sequence[float], labels: Sequence[bool]) -> tuple[float, float]:
    """a and b that make sigmoid(a * margin + b) the likeliest, by Newton's method.

    Targets are (n + 1) / (n + 2) and 1 / (n + 2) instead of 1 and 0 (Platt 1999, "Probabilistic outputs for support
    vector machines"), so that a few labels, or perfectly separated ones, give no endless slope.
    Raises ValueError without labels of both kinds, or where the margins are all alike or not finite.
    """
    import numpy as np

    x, urgent = np.asarray(margins, float), np.asarray(labels, bool)
    if len(x) != len(urgent) or urgent.all() or not urgent.any():
        raise ValueError("calibration needs one label a margin, and labels of both kinds")
    if not np.isfinite(x).all() or np.ptp(x) == 0:
        raise ValueError("calibration needs finite margins that are not all alike")
    centre, spread = float(x.mean()), float(x.std())
    design = np.stack([(x - centre) / spread, np.ones_like(x)], axis=1)
    targets = np.where(urgent, (urgent.sum() + 1) / (urgent.sum() + 2), 1 / ((~urgent).sum() + 2))
    slope, offset = _newton(design, targets)
    return slope / spread, offset - slope * centre / spread


def _newton(design: Any, targets: Any) -> tuple[float, float]:
    """The likeliest weights of a logistic regression; a step that makes it worse is halved."""
    import numpy as np

    def loss(weights: Any) -> float:
        logits = design @ weights
        return float((np.logaddexp(0, logits) - targets * logits).sum())

    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(design @ weights, -500, 500)))
        curvature = (design * (chances * (1 - chances))[:, None]).T @ design + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curvature, design.T @ (targets - chances))
        while loss(weights + step) > loss(weights) and np.abs(step).max() > _TOLERANCE:
            step = step / 2
        weights = weights + step
        if np.abs(step).max() <= _TOLERANCE:
            break
    return float(weights[0]), float(weights[1])
