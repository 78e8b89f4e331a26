"""Fits the map from a model's raw margin to a probability on labels, and says how good it is on others."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet, TextChoices

from scoring.calibration import UNCALIBRATED, fit, fit_isotonic
from scoring.calibration import Calibration as Values
from scoring.measures import brier, ece, log_loss
from tickets.flow.canonical import without_floats
from tickets.flow.decide import MILLION, millionths
from tickets.flow.origin import calibration_content
from tickets.flow.record import Draft
from tickets.models import Calibration, Decision, Kind, Queue, RegisteredModel
from tickets.models.entry import AUTOMATIC, bodies
from tickets.policy.labels import unknown_to

FEWEST = {"platt": 20, "isotonic": 200}
"""Labels. A free-form map fitted on fewer follows their chance (Niculescu-Mizil and Caruana 2005)."""
_FOLDS = 5
_SEED = 0
_PLACES = 4


class Method(TextChoices):
    PLATT = "platt"
    ISOTONIC = "isotonic"


class CannotCalibrate(ValueError):
    """Says what is missing."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the model said of a ticket, and what was true."""

    margin: float
    urgent: bool


def labelled_by_people(model: RegisteredModel) -> list[Labelled]:
    """One for each ticket with a label that holds and that the model has not learned from: the latest, and this model's
    margin for the text it is about.
    """
    labels = {label.ticket_id: label for label in unknown_to(model)}
    decisions = Decision.objects.filter(ticket_id__in=labels, kind__in=AUTOMATIC, model_name=model.name)
    of_label = {
        decision.ticket_id: decision.seq
        for decision in decisions.order_by("entry")
        if decision.input_version == labels[decision.ticket_id].input_version
    }
    said = bodies(of_label.values())
    return [
        Labelled(said[seq]["margin"] / MILLION, labels[ticket].queue == Queue.URGENT)
        for ticket, seq in of_label.items()
        if said[seq]["model"]["digest"] == model.digest
    ]


def calibrate(
    found: Sequence[Labelled], model: RegisteredModel, method: Method, present: Values | None = None
) -> Calibration:
    """An unsaved version. Its figures come from folds: each label is judged by a map that was fitted without it, and,
    under "before", by the one in use, `present`, which may know some of them: then it looks better than it is. A new
    model has none.
    """
    _refuse_too_few(found, method)
    ordered = _drawn(found)
    whole = _fitted(ordered, method)
    digest = data_digest(found)
    return Calibration(
        version=f"{method}-{digest[:12]}",
        model=model,
        a_millionths=millionths(whole.a),
        b_millionths=millionths(whole.b),
        knots_millionths=[[millionths(margin), millionths(chance)] for margin, chance in whole.knots],
        data_digest=digest,
        figures={
            "labels": len(found),
            "urgent": sum(one.urgent for one in found),
            **({"present": present.version} if present else {}),
            "before": _figures(ordered, [present or UNCALIBRATED] * _FOLDS),
            "after": _figures(ordered, [_fitted(_without(ordered, fold), method) for fold in range(_FOLDS)]),
        },
    )


def refuse_useless(row: Calibration) -> None:
    """Raises CannotCalibrate where a higher margin does not mean a higher probability."""
    values = row.values
    if values.a <= 0 if not values.knots else values.knots[0][1] == values.knots[-1][1]:
        raise CannotCalibrate(
            "Among these labels the urgent tickets score no higher than the standard ones, so nothing makes the scores "
            "of this model probabilities. Look at the labels first; if they are right, use another model."
        )


def data_digest(found: Sequence[Labelled]) -> str:
    """SHA-256 in hex over the sorted lines "margin in millionths, 0 or 1"."""
    lines = sorted(f"{millionths(one.margin)} {int(one.urgent)}\n" for one in found)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def calibrations_for(model: RegisteredModel) -> QuerySet[Calibration]:
    """Those that say something about the model's margins, latest first, and "uncalibrated"."""
    return Calibration.objects.filter(Q(model=model) | Q(model=None)).order_by("-pk")


def added_draft(row: Calibration, actor: str) -> Draft:
    """The log entry of a new version, whole: with the data it came from and its figures."""
    content = calibration_content(row.values)
    if row.model:
        content |= {"model": {"name": row.model.name, "digest": row.model.digest}}
    if row.data_digest:
        content |= {"data_digest": row.data_digest, "figures": without_floats(row.figures)}
    return Draft(Kind.CALIBRATION_ADDED, f"calibration:{row.pk}", actor, content)


def _refuse_too_few(found: Sequence[Labelled], method: Method) -> None:
    urgent = sum(one.urgent for one in found)
    if len(found) < FEWEST[method] or not _FOLDS <= urgent <= len(found) - _FOLDS:
        raise CannotCalibrate(
            f"{len(found)} labels, {urgent} of them urgent: {method} takes at least {FEWEST[method]}, and "
            f"{_FOLDS} of each queue. Confirm or override more decisions, of both queues, or give a file."
        )


def _fitted(found: Sequence[Labelled], method: Method) -> Values:
    margins, labels = [one.margin for one in found], [one.urgent for one in found]
    if method == Method.ISOTONIC:
        return Values(method, 0.0, 0.0, fit_isotonic(margins, labels))
    return Values(method, *fit(margins, labels))


def _drawn(found: Sequence[Labelled]) -> list[Labelled]:
    """In an order that comes from the labels alone, each queue by itself, so that every fifth has its share of both.

    Not by margin: each fifth would be a copy of the others, and a map be judged by what it was fitted to, all but.
    """
    ordered = sorted(found, key=lambda one: (one.margin, one.urgent))
    random.Random(_SEED).shuffle(ordered)
    return sorted(ordered, key=lambda one: one.urgent)


def _without(ordered: Sequence[Labelled], fold: int) -> list[Labelled]:
    """Every fifth label is left out."""
    return [one for place, one in enumerate(ordered) if place % _FOLDS != fold]


def _figures(ordered: Sequence[Labelled], maps: Sequence[Values]) -> dict[str, float]:
    chances = [maps[place % _FOLDS].probability(one.margin) for place, one in enumerate(ordered)]
    labels = [one.urgent for one in ordered]
    measured = {"ece": ece, "brier": brier, "log_loss": log_loss}
    return {name: round(measure(chances, labels), _PLACES) for name, measure in measured.items()}
