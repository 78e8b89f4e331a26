"""Registered models: who names them, and what was found out about each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import BadRequest
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from scoring.suites.words import in_words
from tickets.models import Calibration, Evaluation, RegisteredModel, Role
from tickets.policy.suites import SOURCE
from tickets.policy.telling import labelled_in_words
from tickets.policy.versions import with_states
from tickets.web.authentication import role_required
from tickets.web.model_making import making_of
from tickets.web.requests import PersonRequest

_MODELS_SHOWN = 100
_POLICIES_SHOWN = 200
PAGE = 20
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Kept:
    """An evaluation in words. since: when the same data were first judged under the same policy."""

    evaluation: Evaluation
    since: datetime

    @property
    def of_suites(self) -> bool:
        return self.evaluation.source == SOURCE

    @property
    def suites(self) -> dict[str, Any]:
        return in_words(self.evaluation.figures)

    @property
    def labelled(self) -> list[dict[str, str]]:
        return list(labelled_in_words(self.evaluation.figures))


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known of a model. policies: that name it, with their states."""

    model: RegisteredModel
    policies: Sequence[Any]
    calibrations: Sequence[Calibration]
    labelled: Kept | None = None
    suites: Kept | None = None

    @property
    def is_active(self) -> bool:
        return self.calibration_in_use is not None

    @property
    def calibration_in_use(self) -> int | None:
        """Its key; None where another model is active."""
        return next((policy.calibration_id for policy in self.policies if policy.state == "active"), None)


@role_required(Role.OPS, Role.AUDITOR)
@require_safe
def models(request: PersonRequest) -> HttpResponse:
    return render(request, "ops/models.html", {"cards": _cards()})


@role_required(Role.OPS, Role.AUDITOR)
@require_safe
def model(request: PersonRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(RegisteredModel, pk=pk)
    before = _before(request)
    rows = list(_with_since(Evaluation.objects.filter(model=shown, seq__lt=before)).order_by("-seq")[: PAGE + 1])
    context = {
        "card": ModelCard(shown, _policies_of([shown]), _calibrations_of([shown])),
        "making": making_of(shown),
        "kept": [Kept(row, row.since) for row in rows[:PAGE]],
        "is_first": before == _LARGEST,
        "following": rows[PAGE - 1].seq if len(rows) > PAGE else None,
    }
    return render(request, "ops/model.html", context)


def _cards() -> list[ModelCard]:
    """In four queries, however much is kept."""
    shown = list(
        RegisteredModel.objects.annotate(
            labelled=Subquery(_latest().exclude(source=SOURCE).values("pk")[:1]),
            suites=Subquery(_latest().filter(source=SOURCE).values("pk")[:1]),
        ).order_by("-pk")[:_MODELS_SHOWN]
    )
    wanted = {pk for one in shown for pk in (one.labelled, one.suites) if pk}
    kept = {row.pk: Kept(row, row.since) for row in _with_since(Evaluation.objects.filter(pk__in=wanted))}
    policies, calibrations = _policies_of(shown), _calibrations_of(shown)
    return [
        ModelCard(
            model=one,
            policies=[policy for policy in policies if policy.model_id == one.pk],
            calibrations=[row for row in calibrations if row.model_id == one.pk],
            labelled=kept.get(one.labelled),
            suites=kept.get(one.suites),
        )
        for one in shown
    ]


def _latest() -> QuerySet[Evaluation]:
    return Evaluation.objects.filter(model=OuterRef("pk")).order_by("-seq")


def _with_since(rows: QuerySet[Evaluation]) -> QuerySet[Any]:
    """The same weights say the same of the same data: verdicts hold since the first measurement by a policy."""
    same = Evaluation.objects.annotate(policy=KT("figures__policy")).filter(
        model=OuterRef("model"),
        source=OuterRef("source"),
        data_digest=OuterRef("data_digest"),
        policy=OuterRef("policy"),
    )
    return rows.annotate(policy=KT("figures__policy")).annotate(since=Subquery(same.order_by("seq").values("at")[:1]))


def _policies_of(shown: Iterable[RegisteredModel]) -> list[Any]:
    return list(with_states().filter(model__in=shown)[:_POLICIES_SHOWN])


def _calibrations_of(shown: Iterable[RegisteredModel]) -> list[Calibration]:
    return list(Calibration.objects.filter(model__in=shown).order_by("-pk")[:_POLICIES_SHOWN])


def _before(request: PersonRequest) -> int:
    """Entries before this one are shown. Raises BadRequest."""
    written = request.GET.get("before", str(_LARGEST))
    if not (written.isascii() and written.isdecimal() and len(written) <= len(str(_LARGEST))):
        raise BadRequest(f"before is {written[:50]!r}; it is the number of an entry.")
    return min(int(written), _LARGEST)
