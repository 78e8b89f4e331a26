"""For auditors: every decision, and everything one of them came from. What they look at is itself in the log."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tickets import pipeline
from tickets.audit.search import search as find
from tickets.flow.record import Draft
from tickets.models import Kind, Role, SavedSearch
from tickets.web.authentication import role_required
from tickets.web.decision_results import results
from tickets.web.decision_search import DecisionSearch
from tickets.web.log import entry_page, other_entries
from tickets.web.names import names_of
from tickets.web.requests import PersonRequest, actor, back
from tickets.web.saved_searches import SaveForm, saved_by

PAGE = 50


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def decisions(request: PersonRequest) -> HttpResponse:
    search = DecisionSearch(request.GET)
    if search.is_valid() and not search.is_stable:
        return redirect(f"{request.path}{search.address()}")
    return _found(request, search, SaveForm(search), 200)


@role_required(Role.AUDITOR, Role.OPS)
@require_http_methods(["GET", "HEAD", "POST"])
def save_search(request: PersonRequest) -> HttpResponse:
    if request.method != "POST":
        # The page of one that was not saved has this address; its links and a reload lead back to the search.
        return redirect(f"{reverse('audit')}?{request.GET.urlencode()}")
    search = DecisionSearch(QueryDict(request.POST.get("query", "")))
    form = SaveForm(search, request.POST)
    if search.is_valid() and form.is_valid() and form.save(request.user):
        messages.success(request, f"“{form.cleaned_data['name']}” is saved.")
        return redirect(f"{reverse('audit')}?{form.query}")
    return _found(request, search, form, 409 if form.can_replace else 400)


@role_required(Role.AUDITOR, Role.OPS)
@require_POST
def delete_search(request: PersonRequest, pk: int) -> HttpResponse:
    saved = get_object_or_404(SavedSearch, pk=pk, user=request.user)
    saved.delete()
    messages.success(request, f"“{saved.name}” is deleted.")
    return back(request, "audit")


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def changes(request: PersonRequest) -> HttpResponse:
    """What the log says beside decisions: policies, models, roles, keys, exports. The latest ones."""
    entries = other_entries()
    names = names_of(entry.actor for entry in entries)
    pipeline.note(Draft(Kind.AUDIT_OPENED, "page:changes", actor(request).name))
    return render(request, "audit/changes.html", {"rows": [(entry, names[entry.actor]) for entry in entries]})


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def decision(request: PersonRequest, seq: int) -> HttpResponse:
    page = entry_page(seq)
    pipeline.note(Draft(Kind.AUDIT_OPENED, f"entry:{seq}", actor(request).name))
    return render(request, "audit/decision.html", {"page": page})


def _found(request: PersonRequest, search: DecisionSearch, form: SaveForm, status: int) -> HttpResponse:
    """Whatever is shown of a search is in the log, also where only its name could not be saved."""
    if not search.is_valid():
        context = {"search": search, "saved": saved_by(request.user, None)}
        return render(request, "audit/decisions.html", context, status=400)
    answer = find(search.query(), PAGE)
    pipeline.note(search.draft(actor(request).name))
    context = {"saved": saved_by(request.user, form.query), "save_form": form}
    return render(request, "audit/decisions.html", results(search, answer) | context, status=status)
