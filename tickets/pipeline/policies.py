"""How we decide: drafted, calibrated, activated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from scoring.calibration import UNCALIBRATED
from tickets import wake
from tickets.flow.record import record
from tickets.models import ActivePolicy, Calibration, Policy, RegisteredModel
from tickets.pipeline.acting import Actor
from tickets.policy import calibrating, versions
from tickets.policy.calibrating import Labelled, Method


def draft_policy(values: dict[str, Any], by: Actor, reason: str) -> Policy:
    """A new numbered version of how we decide; it decides nothing until it is activated."""
    with transaction.atomic():
        ActivePolicy.locked()
        policy = versions.create(values, by.user, reason)
        record([versions.created_draft(policy, by.name)])
    return policy


def activate_policy(policy: Policy, by: Actor, reason: str) -> None:
    """From now on `policy` decides. An older number works alike: that is a roll-back. Raises ActiveAlready."""
    with transaction.atomic():
        ActivePolicy.locked()
        replaced = versions.activate(policy, by.user, reason)
        record([versions.activated_draft(policy, replaced, by.name, reason)])
    wake.knock(wake.SCORE)


def calibrate(found: Sequence[Labelled], model: RegisteredModel, method: Method, by: Actor) -> tuple[Calibration, bool]:
    """A new version of the map from margin to probability, and whether it is new. Raises CannotCalibrate."""
    policy = ActivePolicy.current()
    present = policy.calibration.values if policy.model == model else UNCALIBRATED
    fitted = calibrating.calibrate(found, model, method, present)
    calibrating.refuse_useless(fitted)
    with transaction.atomic():
        ActivePolicy.locked()
        if known := Calibration.objects.filter(version=fitted.version).first():
            return known, False
        fitted.created_by = by.user
        fitted.save()
        record([calibrating.added_draft(fitted, by.name)])
    return fitted, True
