"""Whether a worker may score: the model it carries, and the one the policy names."""

from __future__ import annotations

from scoring.types import Elsewhere, Model
from tickets.flow import score as scoring_step
from tickets.models import Policy
from tickets.policy import versions


def problem(policy: Policy, model: Model) -> str:
    if not versions.is_carried(policy, model):
        return _carries_another(policy, model)
    scorer = scoring_step.scorer()
    return scorer.problem() if isinstance(scorer, Elsewhere) else ""


def _carries_another(policy: Policy, model: Model) -> str:
    return (
        f"This worker carries {model.id} ({model.digest[:12]}); policy {policy.number} names {policy.model.name} "
        f"({policy.model.digest[:12]}). Start a worker with that model, or run: manage.py use_scorer"
    )
