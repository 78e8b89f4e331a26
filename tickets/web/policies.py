"""Policies as their pages need them: in words, and side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tickets.audit.explain import exact
from tickets.models import Policy


@dataclass(frozen=True, slots=True)
class Value:
    """One value of two policies; `now` is the active one's."""

    name: str
    now: str
    then: str

    @property
    def differs(self) -> bool:
        return self.now != self.then


def compare(active: Policy, other: Policy) -> Sequence[Value]:
    now, then = _in_words(active), _in_words(other)
    return [Value(name, now[name], then[name]) for name in now]


def _in_words(policy: Policy) -> dict[str, str]:
    return {
        "Threshold": exact(policy.threshold),
        "Review band": exact(policy.review_band),
        "Please check": f"{exact(max(0, policy.threshold - policy.review_band))} to "
        f"{exact(min(1_000_000, policy.threshold + policy.review_band))}",
        "Model": policy.model.name,
        "Weights": policy.model.digest[:12],
        "Calibration": policy.calibration.version,
        "Reply floor": exact(policy.reply_floor) or "none",
        "Rubric": policy.rubric,
    }
