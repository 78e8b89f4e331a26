"""The log as a whole, for auditors and ops: figures of a window of time, at an address that can be cited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tickets import pipeline
from tickets.audit.analysis import analyse
from tickets.audit.analysis_figures import Window
from tickets.flow.record import Draft
from tickets.models import Kind, Role
from tickets.web.addresses import Asked, Moment
from tickets.web.analysis_charts import charts
from tickets.web.authentication import role_required
from tickets.web.requests import PersonRequest, actor

_SHOWN, _SECOND = timedelta(days=7), timedelta(seconds=1)
_LONGEST = timedelta(days=20 * 366)
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = (("24 hours", 1), ("7 days", 7), ("30 days", 30), ("year", 365))


class AnalysedTime(Asked):
    """The query string is all of it. What is not given is filled in: up to now, and seven days."""

    since = Moment(required=False, label="From")
    until = Moment(required=False, label="Before")

    def clean(self) -> dict[str, Any]:
        super().clean()
        if self.errors:
            return self.cleaned_data
        # The whole second that it is now: what was decided a moment ago is in it.
        until = self.cleaned_data["until"] or timezone.now() + _SECOND
        since = self.cleaned_data["since"] or max(until - _SHOWN, _FIRST)
        if since >= until:
            self.add_error("until", "Choose a later time than that it begins with.")
        elif until - since > _LONGEST:
            self.add_error("since", "Choose at most 20 years.")
        return {"since": since, "until": until}

    def window(self) -> Window:
        """Call after is_valid. It ends now where the form says later: the log knows nothing of that."""
        until = min(self.cleaned_data["until"], timezone.now())
        return Window(min(self.cleaned_data["since"], until), until)

    @property
    def is_stable(self) -> bool:
        """Whether both moments are given, too. Call after is_valid."""
        return all(self.data.get(name) for name in self.fields) and super().is_stable


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def analysis(request: PersonRequest) -> HttpResponse:
    asked = AnalysedTime(request.GET)
    if not asked.is_valid():
        return render(request, "audit/analysis.html", {"asked": asked}, status=400)
    if not asked.is_stable:
        return redirect(f"{request.path}{asked.address()}")
    found = analyse(asked.window())
    pipeline.note(Draft(Kind.AUDIT_SEARCHED, "log", actor(request).name, {"query": f"analysis{asked.address()}"}))
    context = {
        "asked": asked,
        "analysis": found,
        "figures": found.figures,
        "charts": charts(found.window, found.figures),
        "within": asked.address().removeprefix("?"),
        "latest": [(name, f"?since={_days_ago(days)}") for name, days in _LATEST],
    }
    return render(request, "audit/analysis.html", context)


def _days_ago(days: int) -> str:
    return f"{timezone.now().astimezone(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
