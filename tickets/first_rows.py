"""What every installation has after migrating: the roles, the log's head, and policy number 1."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from scoring.calibration import UNCALIBRATED
from scoring.calibration import Calibration as CalibrationValues
from scoring.types import Model
from scoring.verdicts import RUBRIC
from tickets.flow.decide import millionths
from tickets.flow.record import Draft, record
from tickets.flow.score import scorer_class
from tickets.models import (
    ActivePolicy,
    Calibration,
    Kind,
    LogHead,
    PolicyEvent,
    PolicyState,
    RegisteredModel,
    Role,
    Shipping,
)
from tickets.policy import calibrating, versions

FIRST_THRESHOLD = 700_000
FIRST_REVIEW_BAND = 50_000


class VersionTaken(ValueError):
    """A calibration was shipped under the version of another one; says what to do."""


def ensure_first_rows(**kwargs: Any) -> None:
    """Idempotent; runs after each `migrate`. Policy 1 names the scorer configured at that moment."""
    with transaction.atomic():
        LogHead.objects.get_or_create(pk=1)
        Shipping.objects.get_or_create(pk=1)
        for role in Role:
            Group.objects.get_or_create(name=role)
        if not ActivePolicy.objects.exists():
            _first_policy()


def register(identity: Model, calibration: CalibrationValues) -> tuple[RegisteredModel, Calibration]:
    """The rows of a model and of the calibration it is shipped with, and their entries if they are new.

    Raises VersionTaken.
    """
    model, is_new_model = RegisteredModel.objects.get_or_create(name=identity.id, digest=identity.digest)
    row, is_new_calibration = _calibration(calibration, None if calibration == UNCALIBRATED else model)
    drafts = []
    if is_new_model:
        drafts.append(
            Draft(
                Kind.MODEL_REGISTERED, f"model:{model.pk}", "system", {"name": identity.id, "digest": identity.digest}
            )
        )
    if is_new_calibration:
        drafts.append(calibrating.added_draft(row, "system"))
    record(drafts)
    return model, row


def _calibration(shipped: CalibrationValues, model: RegisteredModel | None) -> tuple[Calibration, bool]:
    """Its row, and whether it is new. Known by model and numbers: the row may be older than the version it has now."""
    fitted = {"model": model, "a_millionths": millionths(shipped.a), "b_millionths": millionths(shipped.b)}
    if known := Calibration.objects.filter(**fitted).first():
        return known, False
    if Calibration.objects.filter(version=shipped.version).exists():
        raise VersionTaken(
            f"There is another calibration {shipped.version}, with other numbers or of another model. "
            "Give the one in the scorer's calibration.json a version of its own."
        )
    return Calibration.objects.create(version=shipped.version, **fitted), True


def _first_policy() -> None:
    scorer = scorer_class()
    model, calibration = register(scorer.identity(), scorer.calibration())
    policy = versions.create(
        {
            "threshold": FIRST_THRESHOLD,
            "review_band": FIRST_REVIEW_BAND,
            "rubric": RUBRIC,
            "model": model,
            "calibration": calibration,
        },
        user=None,
        reason="The policy every installation begins with.",
    )
    ActivePolicy.objects.create(pk=1, policy=policy)
    PolicyEvent.objects.create(policy=policy, state=PolicyState.ACTIVE, user=None, reason=policy.reason)
    record(
        [versions.created_draft(policy, "system"), versions.activated_draft(policy, policy, "system", policy.reason)]
    )
