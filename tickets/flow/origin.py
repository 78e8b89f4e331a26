"""What a decision came from, as the log keeps it: everything needed to explain it and to decide it again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from scoring.calibration import UNCALIBRATED, Calibration
from scoring.types import Model, Score
from tickets.flow.decide import PolicyValues, Verdict, millionths
from tickets.models import Input, Kind, Policy, Queue, Ticket
from tickets.models.waiting import Cause


@dataclass(frozen=True, slots=True)
class Origin:
    """Who scored what, and why. milliseconds: by stage, "wait" and "score"."""

    model: Model
    actor: str
    cause: Cause
    milliseconds: dict[str, int] = field(default_factory=dict)


def kind_of(cause: Cause, ticket: Ticket) -> Kind:
    """A message that came before the first score makes no rescoring of it."""
    if cause in (Cause.DEADLINE, Cause.FAILURES):
        return Kind.FALLBACK
    return Kind.RESCORED if ticket.decision_id else Kind.SCORED


def values_of(policy: Policy) -> PolicyValues:
    return PolicyValues(policy.number, policy.threshold, policy.review_band, policy.calibration.values)


def fallback_values(policy: Policy) -> PolicyValues:
    """The same threshold over the keyword rules, whose margin was never calibrated; all of it is "please check"."""
    return PolicyValues(policy.number, policy.threshold, 1_000_000, UNCALIBRATED)


def automatic(
    ticket: Ticket, text: Input, policy: Policy, values: PolicyValues, score: Score, verdict: Verdict, origin: Origin
) -> dict[str, Any]:
    """The content of an automatic decision's entry; `ticket` as routed. Weights and rewards in millionths."""
    return about(ticket, text, policy) | {
        "cause": origin.cause.value,
        "needs_check": int(verdict.needs_check),
        "score": verdict.score,
        "margin": verdict.margin,
        "threshold": verdict.threshold,
        "review_band": values.review_band,
        "confidence": verdict.confidence,
        "verdict": verdict.queue.value,
        "model": {"name": origin.model.id, "digest": origin.model.digest},
        "calibration": calibration_content(values.calibration),
        "rubric_digest": hashlib.sha256(policy.rubric.encode()).hexdigest(),
        "rewards": [millionths(r) for r in (score.reward_urgent, score.reward_standard) if r is not None],
        "tokens": score.tokens,
        "tokens_cut": score.tokens_cut,
        "evidence": [[part.start, part.end, millionths(part.weight)] for part in score.evidence],
        "milliseconds": origin.milliseconds,
    }


def calibration_content(values: Calibration) -> dict[str, Any]:
    """As the log keeps it with every decision: the log alone is enough to decide again."""
    if values.knots:
        knots = [[millionths(margin), millionths(chance)] for margin, chance in values.knots]
        return {"version": values.version, "knots": knots}
    return {"version": values.version, "a": millionths(values.a), "b": millionths(values.b)}


def about(ticket: Ticket, text: Input, policy: Policy) -> dict[str, Any]:
    """What every decision tells of its ticket."""
    return {
        "ticket": ticket.pk,
        "input": {
            "version": text.version,
            "digest": text.digest,
            "normaliser": text.normaliser,
            "characters": len(text.text),
        },
        "policy": policy.number,
        "queue": Queue(ticket.queue).value,
        "needs_check": int(ticket.needs_check),
        "decided_by": str(ticket.decided_by),
    }
