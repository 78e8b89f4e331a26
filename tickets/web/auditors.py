"""For auditors: every decision, and everything one of them came from."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from tickets.models import Role
from tickets.web.authentication import role_required
from tickets.web.decision_search import DecisionSearch
from tickets.web.log import entry_page, other_entries
from tickets.web.names import names_of
from tickets.web.requests import PersonRequest

PAGE = 50


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def decisions(request: PersonRequest) -> HttpResponse:
    search = DecisionSearch(request.GET)
    if not search.is_valid():
        return render(request, "audit/decisions.html", {"search": search}, status=400)
    if not search.is_stable:
        return redirect(f"{request.path}{search.address()}")
    found = list(search.decisions()[: PAGE + 1])
    rows = found[:PAGE]
    names = names_of(decision.actor for decision in rows)
    context = {
        "search": search,
        "rows": [(decision, names[decision.actor]) for decision in rows],
        "older": search.address(before=rows[-1].seq) if len(found) > PAGE else "",
        "newest": search.address(before=None) if search.cleaned_data["before"] else "",
        "is_filtered": search.address(before=None) != "?",
    }
    return render(request, "audit/decisions.html", context)


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def changes(request: PersonRequest) -> HttpResponse:
    """What the log says beside decisions: policies, models, roles, keys, exports. The latest ones."""
    entries = other_entries()
    names = names_of(entry.actor for entry in entries)
    return render(request, "audit/changes.html", {"rows": [(entry, names[entry.actor]) for entry in entries]})


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def decision(request: PersonRequest, seq: int) -> HttpResponse:
    return render(request, "audit/decision.html", {"page": entry_page(seq)})
