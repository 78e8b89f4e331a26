"""What people said is true, with the texts they said it about: what calibrating, evaluating and training read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from tickets.models import Calibration, Input, Label, RegisteredModel


def by_people() -> QuerySet[Label]:
    """Labels that hold, oldest first; a program's are no one's."""
    return Label.objects.filter(revoked_at=None).exclude(user=None).order_by("seq")


def unknown_to(model: RegisteredModel) -> QuerySet[Label]:
    """Those of tickets that it has not learned from, which alone can say how good it is."""
    return by_people().exclude(ticket__in=_labelled_until(model.learned_until))


def learned_by(model: RegisteredModel) -> QuerySet[Label]:
    """Those of tickets that it may have learned from, whoever labelled them again since."""
    return by_people().filter(ticket__in=_labelled_until(model.learned_until))


def calibrated_on(calibration: Calibration) -> QuerySet[Label]:
    """Those of tickets that it may have been fitted on: where `calibrate` made it, which the figures show. What comes
    with a model was fitted on none of them, or on what the model learned from.
    """
    until = calibration.created_at if "present" in calibration.figures else None
    return by_people().filter(ticket__in=_labelled_until(until))


def _labelled_until(until: datetime | None) -> QuerySet[Any]:
    """Tickets. A label that was taken back since counts, too: then, it held."""
    known = Label.objects.exclude(user=None).filter(at__lte=until) if until else Label.objects.none()
    return known.values("ticket")


def last_said(said: QuerySet[Label]) -> list[tuple[Label, Input]]:
    """The last label of each ticket, and its text; without those whose text is no longer stored."""
    labels = {label.ticket_id: label for label in said.select_related("ticket__requester")}
    texts = {(row.ticket_id, row.version): row for row in Input.objects.filter(ticket__in=labels)}
    return [
        (label, text)
        for label in labels.values()
        if (text := texts.get((label.ticket_id, label.input_version))) is not None
    ]
