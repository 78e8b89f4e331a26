"""Policies as their pages need them: with their state, in words, and side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from tickets.audit.explain import exact
from tickets.models import Policy, PolicyEvent


@dataclass(frozen=True, slots=True)
class Value:
    """One value of two policies; `now` is the active one's."""

    name: str
    now: str
    then: str

    @property
    def differs(self) -> bool:
        return self.now != self.then


def with_states() -> QuerySet[Policy]:
    """Every policy, latest first, with its state and who, when and why it entered it."""
    latest = PolicyEvent.objects.filter(policy=OuterRef("pk")).order_by("-pk")
    return Policy.objects.select_related("model", "calibration", "created_by").annotate(
        state=Subquery(latest.values("state")[:1]),
        state_at=Subquery(latest.values("at")[:1]),
        state_by=Subquery(latest.values("user__username")[:1]),
        state_reason=Subquery(latest.values("reason")[:1]),
    )


def like(policy: Policy) -> dict[str, Any]:
    """The values of a policy, to draft the next one from."""
    names = ("threshold", "review_band", "rubric", "model", "calibration", "style_ranges", "reply_floor")
    return {name: getattr(policy, name) for name in names}


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
