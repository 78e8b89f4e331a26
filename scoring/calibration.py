"""From a raw margin to a probability: Platt's sigmoid or an isotonic map, with a version that goes on record.

Imported by web processes: numpy is loaded only by whoever fits.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_KNOTS = 32
_STEPS = 100
_RIDGE = 1e-9  # keeps the curvature invertible where every probability is 0 or 1
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Calibration:
    """version: the name under which it is recorded. a, b: slope and offset, in logits.

    knots: margins, rising, and their probabilities; where there are some, straight lines between them take the place
    of the sigmoid, and beyond the ends the probability stays as it is there.
    """

    version: str
    a: float
    b: float
    knots: tuple[tuple[float, float], ...] = ()

    def probability(self, margin: float) -> float:
        """0 to 1, never falling, for every finite margin."""
        return _between(self.knots, margin) if self.knots else _sigmoid(self.a * margin + self.b)


UNCALIBRATED = Calibration("uncalibrated", 1.0, 0.0)


def shipped(fitted: Mapping[str, Any], digest: str) -> Calibration:
    """What a calibration.json beside weights says, under a version of these weights alone: other weights often keep
    the name in the file.

    fitted: version, a, b. digest: SHA-256 in hex over the weights.
    """
    return Calibration(f"{fitted['version']}-{digest[:8]}", fitted["a"], fitted["b"])


def _sigmoid(logit: float) -> float:
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1 + odds)


def _between(knots: Sequence[tuple[float, float]], margin: float) -> float:
    place = bisect_right(knots, margin, key=lambda knot: knot[0])
    if place in (0, len(knots)):
        return knots[max(0, place - 1)][1]
    (left, low), (right, high) = knots[place - 1], knots[place]
    return low + (high - low) * ((margin - left) / (right - left))


def fit(margins: Sequence[float], labels: Sequence[bool]) -> tuple[float, float]:
    """a and b that make sigmoid(a * margin + b) the likeliest, by Newton's method.

    Targets are (n + 1) / (n + 2) and 1 / (n + 2) instead of 1 and 0 (Platt 1999, "Probabilistic outputs for support
    vector machines"), so that a few labels, or perfectly separated ones, give no endless slope.
    Raises ValueError without labels of both kinds, or where the margins are all alike or not finite.
    """
    import numpy as np

    x, targets = _checked(margins, labels)
    centre, spread = float(x.mean()), float(x.std())
    design = np.stack([(x - centre) / spread, np.ones_like(x)], axis=1)
    slope, offset = _newton(design, targets)
    return slope / spread, offset - slope * centre / spread


def fit_isotonic(margins: Sequence[float], labels: Sequence[bool]) -> tuple[tuple[float, float], ...]:
    """Knots of the never falling map that is nearest to the labels, by pooling adjacent violators (Ayer 1955).

    Targets as in `fit`. The margins are first put into at most 32 groups of like size, so that no single label makes a
    step. Raises ValueError as `fit` does.
    """
    import numpy as np

    x, targets = _checked(margins, labels)
    order = np.argsort(x, kind="stable")
    # Equal margins belong into one group: a map gives them one probability.
    starts = np.unique(np.searchsorted(x[order], x[order][np.linspace(0, len(x), _KNOTS, endpoint=False, dtype=int)]))
    pools: list[tuple[float, float, int]] = []
    for margin, target in zip(np.split(x[order], starts[1:]), np.split(targets[order], starts[1:]), strict=True):
        pools.append((float(margin.mean()), float(target.mean()), len(margin)))
        while len(pools) > 1 and pools[-1][1] <= pools[-2][1]:
            pools[-2:] = [_pooled(*pools[-2:])]
    return tuple((margin, chance) for margin, chance, _ in pools)


def _pooled(left: tuple[float, float, int], right: tuple[float, float, int]) -> tuple[float, float, int]:
    count = left[2] + right[2]
    margin, chance = ((left[part] * left[2] + right[part] * right[2]) / count for part in (0, 1))
    return margin, chance, count


def _checked(margins: Sequence[float], labels: Sequence[bool]) -> tuple[Any, Any]:
    """Margins, and the targets of the labels. Raises ValueError."""
    import numpy as np

    x, urgent = np.asarray(margins, float), np.asarray(labels, bool)
    if len(x) != len(urgent) or urgent.all() or not urgent.any():
        raise ValueError("calibration needs one label a margin, and labels of both kinds")
    if not np.isfinite(x).all() or np.ptp(x) == 0:
        raise ValueError("calibration needs finite margins that are not all alike")
    return x, np.where(urgent, (urgent.sum() + 1) / (urgent.sum() + 2), 1 / ((~urgent).sum() + 2))


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
