"""Logistic regression with a ridge, for dense and for sparse features: the objective of LIBLINEAR and scikit-learn.

Newton's method whose steps are found by conjugate gradients (Lin, Weng and Keerthi 2008, "Trust region Newton method
for large-scale logistic regression"), with a step that makes it worse halved instead of a trust region. numpy alone, so
that whoever can run the product can train.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_NEWTON_STEPS, _CONJUGATE_STEPS = 50, 100
_SHARES = [0.5**halvings for halvings in range(30)]
_DONE = 1e-3  # the gradient's length as a share of what it was at zero; LIBLINEAR's measure
_CLOSE = 1e-2  # the same of a Newton step's residual, squared
_LEAST_CURVE = 1e-12


class Design(Protocol):
    """Rows of features. shape: (texts, features)."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def times(self, weights: Array) -> Array: ...
    def transposed_times(self, values: Array) -> Array: ...


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    values: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def times(self, weights: Array) -> Array:
        return self.values @ weights

    def transposed_times(self, values: Array) -> Array:
        return values @ self.values


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """The cells that are not zero, by row, column and value."""

    row: Array
    column: Array
    value: Array
    shape: tuple[int, ...]

    def times(self, weights: Array) -> Array:
        return np.bincount(self.row, self.value * weights[self.column], self.shape[0])

    def transposed_times(self, values: Array) -> Array:
        return np.bincount(self.column, self.value * values[self.row], self.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """The features of two designs of the same rows, those of the first first."""

    first: Design
    second: Design

    @property
    def shape(self) -> tuple[int, ...]:
        return self.first.shape[0], self.first.shape[1] + self.second.shape[1]

    def times(self, weights: Array) -> Array:
        first, second = np.split(weights, [self.first.shape[1]])
        return np.asarray(self.first.times(first) + self.second.times(second))

    def transposed_times(self, values: Array) -> Array:
        return np.concatenate([self.first.transposed_times(values), self.second.transposed_times(values)])


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """margin = features @ weights + bias."""

    weights: Array
    bias: float

    def margins(self, design: Design) -> Array:
        return design.times(self.weights) + self.bias


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """urgent: 1.0 or 0.0 a row. used: 1.0 for the rows that count. offset: logits that each row has beforehand."""

    design: Design
    urgent: Array
    used: Array
    offset: Array

    def margins(self, x: Array) -> Array:
        return self.offset + self.design.times(x[:-1]) + x[-1]

    def loss(self, logits: Array) -> float:
        return float((self.used * (np.logaddexp(0.0, logits) - self.urgent * logits)).sum())

    def gathered(self, values: Array) -> Array:
        return np.append(self.design.transposed_times(values), values.sum())


def fit(problem: Problem, strength: float, begin: Line | None = None) -> Line:
    """The line of the least summed log loss of offset + margin, plus strength / 2 * |weights|^2; the bias is free.

    begin: where to start, which changes little but how long it takes.
    """
    pull = np.append(np.full(problem.design.shape[1], strength), 0.0)
    x = np.zeros(len(pull)) if begin is None else np.append(begin.weights, begin.bias)
    at_zero = problem.gathered(problem.used * (_chance(problem.offset) - problem.urgent))
    logits = problem.margins(x)
    for _ in range(_NEWTON_STEPS):
        chance = _chance(logits)
        gradient = problem.gathered(problem.used * (chance - problem.urgent)) + pull * x
        if np.linalg.norm(gradient) <= _DONE * np.linalg.norm(at_zero):
            break
        step = _newton_step(problem, pull, problem.used * chance * (1.0 - chance) + _LEAST_CURVE, gradient)
        moved = problem.margins(x + step) - logits
        share = _share(problem, pull, (x, step), (logits, moved))
        if not share:
            break
        x, logits = x + share * step, logits + share * moved
    return Line(x[:-1], float(x[-1]))


def _newton_step(problem: Problem, pull: Array, curve: Array, gradient: Array) -> Array:
    """The step to where a parabola of the same slope and curve is lowest, by conjugate gradients; nearly."""
    step, left = np.zeros_like(gradient), -gradient
    direction, size = left, float(left @ left)
    enough = _CLOSE * size
    for _ in range(_CONJUGATE_STEPS):
        image = problem.gathered(curve * (problem.design.times(direction[:-1]) + direction[-1])) + pull * direction
        length = size / float(direction @ image)
        step, left = step + length * direction, left - length * image
        before, size = size, float(left @ left)
        if size <= enough:
            break
        direction = left + size / before * direction
    return step


def _share(problem: Problem, pull: Array, place: tuple[Array, Array], heights: tuple[Array, Array]) -> float:
    """How much of a step to go: all, a half, a quarter ..., so that nothing becomes worse; 0 where all of it does.

    place, heights: x and the logits there, and by how much the whole step moves each.
    """
    (x, step), (logits, moved) = place, heights

    def cost(share: float) -> float:
        return problem.loss(logits + share * moved) + 0.5 * float((pull * (x + share * step) ** 2).sum())

    now = cost(0.0)
    return next((share for share in _SHARES if cost(share) <= now), 0.0)


def _chance(logits: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -500.0, 500.0)))
