"""For ops: today, and how we decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tickets import pipeline
from tickets.audit.explain import exact
from tickets.models import ActivePolicy, Calibration, Policy, Role
from tickets.models.policy import MILLION
from tickets.policy.calibrating import calibrations_for
from tickets.policy.versions import ActiveAlready, like, with_states
from tickets.web.authentication import role_required
from tickets.web.fields import REASON_MAX, Line, Probability
from tickets.web.figures import figures
from tickets.web.policies import compare
from tickets.web.requests import PersonRequest, actor

_POLICIES_SHOWN = 200


class DraftForm(forms.Form):
    """Of a policy like the active one."""

    threshold = Probability(help_text="Urgent is what scores above it; equal is standard.")
    review_band = Probability(help_text="Scores this near the threshold are marked “please check”.")
    calibration = forms.ModelChoiceField(
        Calibration.objects.none(), empty_label=None, help_text="manage.py calibrate makes them from your labels."
    )
    reason = Line(max_length=REASON_MAX, help_text="Why this change?")

    def __init__(self, data: Any, active: Policy) -> None:
        current = {"threshold": exact(active.threshold), "review_band": exact(active.review_band)}
        super().__init__(data, initial=current | {"calibration": active.calibration_id})
        self.fields["calibration"].queryset = calibrations_for(active.model)  # type: ignore[attr-defined]

    @property
    def values(self) -> dict[str, Any]:
        named = {name: int(self.cleaned_data[name] * MILLION) for name in ("threshold", "review_band")}
        return named | {"calibration": self.cleaned_data["calibration"]}


class ActivateForm(forms.Form):
    reason = Line(max_length=REASON_MAX, help_text="Kept in the log with your name.")


@role_required(Role.OPS)
@require_safe
def today(request: PersonRequest) -> HttpResponse:
    template = "ops/_today.html" if request.headers.get("HX-Request") else "ops/today.html"
    return render(request, template, {"figures": figures()})


@role_required(Role.OPS)
@require_http_methods(["GET", "HEAD", "POST"])
def policies(request: PersonRequest) -> HttpResponse:
    active = with_states().get(pk=ActivePolicy.current().pk)
    form = DraftForm(request.POST or None, active)
    if form.is_valid():
        values = like(active) | form.values
        draft = pipeline.draft_policy(values, actor(request), form.cleaned_data["reason"])
        messages.success(
            request, f"Policy {draft.number} is saved as a draft. It decides nothing until you activate it."
        )
        return redirect("policy", draft.number)
    context: dict[str, Any] = {
        "active": active,
        "policies": with_states()[:_POLICIES_SHOWN],
        "calibrations": calibrations_for(active.model),
        "form": form,
    }
    return render(request, "ops/policies.html", context, status=400 if form.errors else 200)


@role_required(Role.OPS)
@require_safe
def policy(request: PersonRequest, number: int) -> HttpResponse:
    return _policy_page(request, number, ActivateForm())


@role_required(Role.OPS)
@require_POST
def activate(request: PersonRequest, number: int) -> HttpResponse:
    form = ActivateForm(request.POST)
    if not form.is_valid():
        return _policy_page(request, number, form)
    wanted = get_object_or_404(Policy, pk=number)
    try:
        pipeline.activate_policy(wanted, actor(request), form.cleaned_data["reason"])
        messages.success(request, f"Policy {number} decides from now on.")
    except ActiveAlready as refused:
        messages.error(request, str(refused))
    return redirect("policies")


def _policy_page(request: PersonRequest, number: int, form: ActivateForm) -> HttpResponse:
    shown, active = get_object_or_404(with_states(), pk=number), ActivePolicy.current()
    context = {
        "policy": shown,
        "active": active,
        "differences": compare(active, shown),
        "events": shown.events.select_related("user"),
        "form": form,
    }
    return render(request, "ops/policy.html", context, status=400 if form.errors else 200)
