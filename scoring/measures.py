"""How good probabilities are, measured against labels. Plain Python, for pages and commands alike."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

BINS = 10
Z_95, Z_88 = 1.959964, 1.554774
"""Two-sided."""
_SURE = 5e-7
"""A score is recorded in millionths: what rounds to none may have been half of one."""
_HALVINGS = 40
_DRAWS = 1_000


def wilson(right: float, total: float, z: float = Z_95) -> tuple[float, float, float]:
    """Share and its interval, of 95 % unless told (Wilson 1927); of parts of observations, where some depend."""
    if not total:
        return (0.0, 0.0, 1.0)
    share, z2 = right / total, z**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = z * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return (round(share, 4), round(max(0.0, centre - half), 4), round(min(1.0, centre + half), 4))


def paired_difference(first_only: int, second_only: int, total: int) -> tuple[float, float, float]:
    """How much larger the first share is than the second on the same `total`, with its 95 % interval.

    first_only, second_only: what only one of the two had right. Agresti and Min 2005, "Simple improved confidence
    intervals for comparing matched proportions": half an observation is added to each of the four cells.
    """
    if not total:
        return (0.0, -1.0, 1.0)
    number, first, second = total + 2, first_only + 0.5, second_only + 0.5
    centre = (first - second) / number
    half = Z_95 * math.sqrt(first + second - (first - second) ** 2 / number) / number
    difference = (first_only - second_only) / total
    return (round(difference, 4), round(max(-1.0, centre - half), 4), round(min(1.0, centre + half), 4))


def kappa(pairs: Sequence[tuple[bool, bool]]) -> tuple[float, float, float] | None:
    """Agreement of two labellers beyond chance (Cohen 1960), 1 whole and 0 as chance, with its 95 % interval.

    As Cohen does, the interval takes chance for known; that of the agreement is Wilson's, which has a width where all
    agree. None where there is nothing to tell: without pairs, or where both gave one and the same label always.
    """
    total = len(pairs)
    first, second = (sum(pair[place] for pair in pairs) / max(1, total) for place in (0, 1))
    chance = first * second + (1 - first) * (1 - second)
    if not total or chance == 1:
        return None
    agreed = wilson(sum(one == other for one, other in pairs), total)
    value, low, high = (max(-1.0, round((share - chance) / (1 - chance), 4)) for share in agreed)
    return value, low, high


def auc(values: Sequence[float], labels: Sequence[bool]) -> float:
    """The chance that an urgent ticket scores above a standard one; ties count half (Mann and Whitney 1947).

    0.5 where one of them is missing: nothing is told apart.
    """
    urgent = sum(labels)
    if urgent in (0, len(labels)):
        return 0.5
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, start = [0.0] * len(values), 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for index in order[start:end]:
            ranks[index] = (start + 1 + end) / 2
        start = end
    above = sum(rank for rank, label in zip(ranks, labels, strict=True) if label) - urgent * (urgent + 1) / 2
    return above / (urgent * (len(labels) - urgent))


def auc_interval(values: Sequence[float], labels: Sequence[bool]) -> tuple[float, float, float]:
    """AUC and its 95 % interval, which has a width at 1 as well: all areas from which the one found is no further than
    their own spread allows (Newcombe 2006, "Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic", method 5; the spread after Hanley and McNeil 1982). 0 to 1 where one kind of label is missing.
    """
    area, urgent = auc(values, labels), sum(labels)
    standard = len(labels) - urgent
    if not urgent or not standard:
        return (area, 0.0, 1.0)

    def is_within(other: float) -> bool:
        ratio = ((urgent + standard) / 2 - 1) * ((1 - other) / (2 - other) + other / (1 + other))
        return abs(area - other) <= Z_95 * math.sqrt(other * (1 - other) * (1 + ratio) / (urgent * standard))

    return (round(area, 4), round(_edge(is_within, area, 0.0), 4), round(_edge(is_within, area, 1.0), 4))


def _edge(is_within: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where, on the way from inside to outside, it ends to hold; by halving."""
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if is_within(middle) else (inside, middle)
    return inside


def ece(chances: Sequence[float], labels: Sequence[bool]) -> float:
    """Expected calibration error over ten bins of equal width (Naeini and others 2015), 0 to 1."""
    gaps = (abs(sum(chance - label for chance, label in members)) for members in _bins(chances, labels))
    return sum(gaps) / max(1, len(chances))


def ece_interval(chances: Sequence[float], labels: Sequence[bool]) -> tuple[float, float, float]:
    """ECE and its 95 % interval, the same for the same data. 0 to 1 without any.

    A small sample shows more error than there is, and resampling it more again. But what is found lies, by the triangle
    inequality, no further from the truth than the bins' shares of urgent tickets lie from theirs in all: so far in
    nineteen of twenty draws from what each may be (a beta distribution, every share being as likely beforehand).
    """
    if not labels:
        return (0.0, 0.0, 1.0)
    chance, counts = random.Random(0), [(len(bin_), sum(label for _, label in bin_)) for bin_ in _bins(chances, labels)]
    drawn = sorted(
        sum(abs(urgent - size * chance.betavariate(urgent + 1, size - urgent + 1)) for size, urgent in counts)
        for _ in range(_DRAWS)
    )
    found, reach = ece(chances, labels), drawn[round(0.95 * _DRAWS) - 1] / len(labels)
    return (round(found, 4), round(max(0.0, found - reach), 4), round(min(1.0, found + reach), 4))


def _bins(chances: Sequence[float], labels: Sequence[bool]) -> list[list[tuple[float, bool]]]:
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for chance, label in zip(chances, labels, strict=True):
        bins[bin_of(chance)].append((chance, label))
    return bins


def bin_of(chance: float) -> int:
    """Of BINS of equal width; 1 is in the last one."""
    return min(BINS - 1, int(chance * BINS))


def brier(chances: Sequence[float], labels: Sequence[bool]) -> float:
    """Mean squared distance to what was true (Brier 1950), 0 to 1."""
    return sum((1 - truth) ** 2 for truth in _given_to_truth(chances, labels)) / max(1, len(chances))


def log_loss(chances: Sequence[float], labels: Sequence[bool]) -> float:
    """Mean surprise in nats; what was held impossible counts as half a millionth."""
    return sum(-math.log(max(_SURE, truth)) for truth in _given_to_truth(chances, labels)) / max(1, len(chances))


def _given_to_truth(chances: Sequence[float], labels: Sequence[bool]) -> list[float]:
    return [chance if label else 1 - chance for chance, label in zip(chances, labels, strict=True)]
