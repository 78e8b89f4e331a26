"""Step 3: policy values + score -> verdict. Pure; live, fallback, shadow, backtest and replay all call it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from scoring.calibration import Calibration
from scoring.types import Score
from tickets.models.queue import Queue

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class PolicyValues:
    """What deciding needs of a policy. threshold, review_band: millionths."""

    number: int
    threshold: int
    review_band: int
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a score means under a policy. All numbers in millionths.

    score: calibrated probability that the ticket is urgent.
    confidence: how far the score bears the verdict, from half (on the threshold) to one; see `confidence`.
    """

    margin: int
    score: int
    threshold: int
    confidence: int
    queue: Queue
    needs_check: bool


def decide(policy: PolicyValues, score: Score) -> Verdict:
    """Urgent exactly when the score, quantised to millionths, is above the threshold; equal is standard."""
    margin = millionths(score.margin)
    # From the quantised margin, so that the log alone is enough to decide again.
    probability = millionths(policy.calibration.probability(margin / MILLION))
    queue = Queue.of(probability, policy.threshold)
    return Verdict(
        margin=margin,
        score=probability,
        threshold=policy.threshold,
        confidence=confidence(probability, policy.threshold),
        queue=queue,
        needs_check=abs(probability - policy.threshold) <= policy.review_band,
    )


def confidence(score: int, threshold: int) -> int:
    """From the calibrated probability and where the threshold lies, all in millionths: 500,000 to 1,000,000.

    A threshold t means that a missed emergency is held (1 - t) / t times as bad as a false alarm (Elkan 2001, "The
    foundations of cost-sensitive learning"). Confidence is the share of the expected harm that the verdict avoids:
    s (1 - t) against (1 - s) t, the larger over both. On the threshold both are alike.
    """
    avoided_by_urgent = score * (MILLION - threshold)
    avoided_by_standard = (MILLION - score) * threshold
    both = avoided_by_urgent + avoided_by_standard
    return round(Fraction(MILLION * max(avoided_by_urgent, avoided_by_standard), both)) if both else MILLION // 2


def millionths(value: float) -> int:
    return round(value * MILLION)
