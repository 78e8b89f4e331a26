"""How the active policy takes the texts of the suites, next to the keyword rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scoring.suites.figures import Judged, figures
from scoring.suites.texts import SUITES, digest, texts
from scoring.types import Scorer
from tickets.flow.decide import MILLION
from tickets.models import Policy
from tickets.policy.evaluating import Case, judge
from tickets.policy.measured import Measured

SOURCE = "suites"


def measure_suites(policy: Policy, scorer: Scorer, progress: Callable[[int], object] = int) -> Measured:
    """Each text decided as a live ticket would be, and under `rules` by the keyword rules as the fallback would."""
    rows = texts()
    outcomes = judge([Case(one.text, one.urgent) for one in rows], policy, scorer, progress)
    model = figures([Judged(row, one.said) for row, one in zip(rows, outcomes, strict=True)])
    rules = figures([Judged(row, one.rules_said) for row, one in zip(rows, outcomes, strict=True)])
    found: dict[str, Any] = {
        "policy": policy.number,
        "threshold": policy.threshold / MILLION,
        "model": policy.model.name,
        "model_digest": policy.model.digest,
        "calibration": policy.calibration.version,
        "data_digest": digest(rows),
        "texts": {suite: sum(one.suite == suite for one in rows) for suite in SUITES},
        **model,
        "rules": rules,
    }
    return Measured(SOURCE, digest(rows), policy, found, {name: found[name] for name in ("shares", "phi")})
