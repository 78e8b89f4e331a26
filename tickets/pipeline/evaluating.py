"""How good a model was found to be, kept for its version."""

from __future__ import annotations

from django.db import transaction

from tickets.flow.record import record
from tickets.models import Evaluation
from tickets.models.clock import moment
from tickets.pipeline.acting import Actor
from tickets.policy.measured import Measured, evaluated_draft


def record_evaluation(measured: Measured, by: Actor) -> Evaluation:
    """A row of its own each time, and the entry that tells of it. Nothing that was measured earlier is replaced."""
    with transaction.atomic():
        entry = record([evaluated_draft(measured, by.name)])[0]
        return Evaluation.objects.create(
            model=measured.policy.model,
            source=measured.source,
            data_digest=measured.data_digest,
            figures=measured.figures,
            seq=entry.seq,
            at=moment(entry.at),
        )
