"""Policies as numbered versions: make a new one, activate one, go back to an older one."""

from __future__ import annotations

from typing import Any

from django.db.models import Max, OuterRef, QuerySet, Subquery

from scoring.types import Model
from tickets.flow.decide import millionths
from tickets.flow.origin import calibration_content
from tickets.flow.record import Draft
from tickets.models import ActivePolicy, Kind, Policy, PolicyEvent, PolicyState, User

VALUES = ("threshold", "review_band", "rubric", "model", "calibration", "style_ranges", "reply_floor")


class CalibrationOfAnotherModel(ValueError):
    """A map from margin to probability says something about the model it was fitted on alone."""


def with_states() -> QuerySet[Any]:
    """Every policy, latest first, with its state, and when, by whom and why it entered it: one query."""
    latest = PolicyEvent.objects.filter(policy=OuterRef("pk")).order_by("-pk")
    return Policy.objects.select_related("model", "calibration", "created_by").annotate(
        state=Subquery(latest.values("state")[:1]),
        state_at=Subquery(latest.values("at")[:1]),
        state_by=Subquery(latest.values("user__username")[:1]),
        state_reason=Subquery(latest.values("reason")[:1]),
    )


def like(policy: Policy) -> dict[str, Any]:
    """The values of a policy, to draft the next one from."""
    return {name: getattr(policy, name) for name in VALUES}


def is_carried(policy: Policy, model: Model) -> bool:
    """Whether a worker with `model` may decide under `policy`."""
    return (policy.model.name, policy.model.digest) == (model.id, model.digest)


def create(values: dict[str, Any], user: User | None, reason: str) -> Policy:
    """A draft with the next number. values: the fields of Policy that say how we decide. The active row is locked."""
    calibration, model = values["calibration"], values["model"]
    if calibration.model not in (None, model):
        raise CalibrationOfAnotherModel(
            f"Calibration {calibration.version} was fitted for {calibration.model}, and the policy names {model}."
        )
    last = Policy.objects.aggregate(last=Max("number"))["last"] or 0
    policy = Policy(number=last + 1, created_by=user, reason=reason, **values)
    policy.save()
    PolicyEvent.objects.create(policy=policy, state=PolicyState.DRAFT, user=user, reason=reason)
    return policy


class ActiveAlready(ValueError):
    """The policy decides already, so activating it would say in the log what did not happen."""


def activate(policy: Policy, user: User | None, reason: str) -> Policy:
    """Makes `policy` the active one and returns the one it replaces. The active row must be locked.

    Raises ActiveAlready.
    """
    row = ActivePolicy.objects.select_related("policy").get(pk=1)
    replaced = row.policy
    if replaced == policy:
        raise ActiveAlready(f"Policy {policy.number} is active already.")
    row.policy = policy
    row.save()
    PolicyEvent.objects.create(policy=replaced, state=PolicyState.RETIRED, user=user, reason=reason)
    PolicyEvent.objects.create(policy=policy, state=PolicyState.ACTIVE, user=user, reason=reason)
    return replaced


def content_of(policy: Policy) -> dict[str, Any]:
    """A policy as the log keeps it. Free text by digest; the row itself never changes."""
    return {
        "policy": policy.number,
        "threshold": policy.threshold,
        "review_band": policy.review_band,
        "rubric_digest": policy.rubric_digest,
        "model": {"name": policy.model.name, "digest": policy.model.digest},
        "calibration": calibration_content(policy.calibration.values),
        "reply_floor": policy.reply_floor if policy.reply_floor is not None else "",
        "style_ranges": {
            name: [millionths(low), millionths(high)] for name, (low, high) in policy.style_ranges.items()
        },
    }


def created_draft(policy: Policy, actor: str) -> Draft:
    return Draft(Kind.POLICY_CREATED, f"policy:{policy.number}", actor, content_of(policy), policy.reason)


def activated_draft(policy: Policy, replaced: Policy, actor: str, reason: str) -> Draft:
    content = {"policy": policy.number, "replaces": replaced.number}
    return Draft(Kind.POLICY_ACTIVATED, f"policy:{policy.number}", actor, content, reason)
