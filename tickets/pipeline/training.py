"""A model of the installation's own becomes one that policies may name."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from scoring.types import Model
from tickets.flow.record import record
from tickets.models import ActivePolicy, Calibration, RegisteredModel
from tickets.pipeline.acting import Actor
from tickets.policy import calibrating, training


def register_trained(
    model: Model, card: dict[str, Any], calibration: Calibration, learned_until: datetime | None, by: Actor
) -> tuple[RegisteredModel, Calibration, bool]:
    """The rows of a model and of its calibration, and whether the model is new. No policy names it yet.

    card: base, learned_from, held_out and figures, for the log. calibration: unsaved. learned_until: of labels
    here, the time of the last one.
    """
    with transaction.atomic():
        ActivePolicy.locked()
        row, is_new = RegisteredModel.objects.get_or_create(
            name=model.id, digest=model.digest, defaults={"learned_until": learned_until}
        )
        drafts = [training.registered_draft(row, card, by.name)] if is_new else []
        known = Calibration.objects.filter(version=calibration.version).first()
        if known is None:
            calibration.model, calibration.created_by = row, by.user
            calibration.save()
            drafts.append(calibrating.added_draft(calibration, by.name))
        record(drafts)
    return row, known or calibration, is_new
