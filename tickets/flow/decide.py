"""Step 3: policy values + score -> verdict. Pure; live, fallback, shadow, backtest and replay all call it."""

from __future__ import annotations

from dataclasses import dataclass

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
    confidence: probability that the verdict is right: score where it is urgent, 1 - score where it is standard.
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
        confidence=probability if queue is Queue.URGENT else MILLION - probability,
        queue=queue,
        needs_check=abs(probability - policy.threshold) <= policy.review_band,
    )


def millionths(value: float) -> int:
    return round(value * MILLION)
