"""For auditors: every decision, and everything one of them came from. What they look at is itself in the log."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from tickets import pipeline
from tickets.audit.search import search as find
from tickets.flow.record import Draft
from tickets.models import Kind, Role
from tickets.web.authentication import role_required
from tickets.web.decision_results import results
from tickets.web.decision_search import DecisionSearch
from tickets.web.log import entry_page, other_entries
from tickets.web.names import names_of
from tickets.web.requests import PersonRequest, actor

PAGE = 50


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def decisions(request: PersonRequest) -> HttpResponse:
    search = DecisionSearch(request.GET)
    if not search.is_valid():
        return render(request, "audit/decisions.html", {"search": search}, status=400)
    if not search.is_stable:
        return redirect(f"{request.path}{search.address()}")
    answer = find(search.query(), PAGE)
    if not search.cleaned_data["before"]:
        pipeline.note(search.draft(actor(request).name))
    return render(request, "audit/decisions.html", results(search, answer))


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
    page = entry_page(seq)
    pipeline.note(Draft(Kind.AUDIT_OPENED, f"entry:{seq}", actor(request).name))
    return render(request, "audit/decision.html", {"page": page})
