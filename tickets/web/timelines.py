"""For auditors and ops: the story of a ticket, of the policy, and of what somebody did. Opening one is in the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tickets import pipeline
from tickets.audit import difference as differences
from tickets.audit import policy_series
from tickets.audit.policy_series import Period, Version
from tickets.audit.timeline import Timeline, erasure_of, of_actor, of_ticket
from tickets.flow.record import Draft
from tickets.models import ActivePolicy, Archive, Kind, LogHead, Policy, Role, Ticket
from tickets.web import actors
from tickets.web.authentication import role_required
from tickets.web.names import names_of
from tickets.web.policy_sides import sides
from tickets.web.requests import PersonRequest
from tickets.web.requests import actor as reader
from tickets.web.timeline_forms import ActsFilter, After, AfterEach, Before, TwoPolicies

PAGE = 100
_INT64 = 2**63 - 1
POLICIES, PEOPLE = 50, 100


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def ticket(request: PersonRequest, pk: int) -> HttpResponse:
    """Everything that the log says about one, whether it is still stored or not."""
    asked = After(request.GET)
    if not asked.is_valid():
        return render(request, "audit/timeline.html", {"asked": asked, "number": pk}, status=400)
    after = asked.cleaned_data["after"] or 0
    timeline, is_stored = of_ticket(pk, after, PAGE), Ticket.objects.filter(pk=pk).exists()
    if pk > _INT64 or not (is_stored or after or timeline.events or Archive.objects.exists()):
        raise Http404(f"Neither the tickets nor the log have a T-{pk}.")
    context = {
        "asked": asked,
        "number": pk,
        "is_stored": is_stored,
        "erasure": None if is_stored else erasure_of(pk),
        "after": after,
        "later": f"?after={timeline.events[-1].entry.seq}" if timeline.continues else "",
        **_rows(timeline),
    }
    return _opened(request, "audit/timeline.html", context, f"ticket:{pk}", asked.address())


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def policies(request: PersonRequest) -> HttpResponse:
    """The versions and when each decided, as the log tells it."""
    asked = Before(request.GET)
    if not asked.is_valid():
        return render(request, "audit/policies.html", {"asked": asked}, status=400)
    before = asked.cleaned_data["before"]
    found = policy_series.series(before, POLICIES)
    context = {
        "asked": asked,
        "before": before,
        "older": f"?before={found.versions[-1].created.entry.seq}" if found.continues else "",
        "versions": _named(found.versions),
    }
    return _opened(request, "audit/policies.html", context, "policies", asked.address())


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def difference(request: PersonRequest) -> HttpResponse:
    """Two versions side by side; without a choice, the active one and the latest."""
    if not request.GET:
        latest = Policy.objects.values_list("number", flat=True)[0]
        return redirect(f"{request.path}?from={ActivePolicy.current().number}&to={latest}")
    asked = TwoPolicies(request.GET)
    if not asked.is_valid():
        return render(request, "audit/difference.html", {"asked": asked}, status=400)
    numbers = [asked.cleaned_data["from"], asked.cleaned_data["to"]]
    before, after = (asked.policies[number] for number in numbers)
    context = {
        "asked": asked,
        "sides": sides(asked.policies, numbers),
        "values": differences.values(before, after),
        "is_same_rubric": before.rubric == after.rubric,
        "lines": differences.lines(before.rubric, after.rubric),
    }
    return _opened(request, "audit/difference.html", context, f"policies:{numbers[0]}:{numbers[1]}")


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def people(request: PersonRequest) -> HttpResponse:
    """Who can act under a name of their own."""
    asked = AfterEach(request.GET)
    if not asked.is_valid():
        return render(request, "audit/people.html", {"asked": asked}, status=400)
    user, key = asked.cleaned_data["user"] or 0, asked.cleaned_data["key"] or 0
    (persons, more_persons), (keys, more_keys) = actors.people(user, PEOPLE), actors.keys(key, PEOPLE)
    context = {
        "asked": asked,
        "people": persons,
        "people_after": actors.last_number(persons) if more_persons else None,
        "keys": keys,
        "keys_after": actors.last_number(keys) if more_keys else None,
    }
    return _opened(request, "audit/people.html", context, "people", asked.address())


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def person(request: PersonRequest, actor: str) -> HttpResponse:
    """What somebody did, latest first."""
    asked = ActsFilter(request.GET)
    if not asked.is_valid():
        return render(request, "audit/person.html", {"asked": asked, "actor": actor}, status=400)
    if not asked.is_stable:
        return redirect(f"{request.path}{asked.address()}")
    timeline, name = of_actor(asked.acts(actor), PAGE), names_of([actor])[actor]
    first, before = asked.address(before=None), asked.cleaned_data["before"]
    if name == actor and not timeline.events and first == "?" and not before:
        raise Http404(f"Nobody was ever {actor} here.")
    context = {
        "asked": asked,
        "actor": actor,
        "name": name,
        "is_filtered": first != "?",
        "newest": first if before else "",
        "older": asked.address(before=timeline.events[-1].entry.seq) if timeline.continues else "",
        **_rows(timeline),
    }
    return _opened(request, "audit/person.html", context, actor, asked.address())


def _rows(timeline: Timeline) -> dict[str, Any]:
    names = names_of(event.entry.actor for event in timeline.events)
    return {"rows": [(event, names[event.entry.actor]) for event in timeline.events]}


def _named(versions: Sequence[Version]) -> list[tuple[Version, str, list[tuple[Period, str]]]]:
    """Each version with who made it, and each of its periods with who began it."""
    acts = [act for version in versions for act in (version.created, *(period.began for period in version.periods))]
    names = names_of(act.entry.actor for act in acts)
    return [
        (
            version,
            names[version.created.entry.actor],
            [(period, names[period.began.entry.actor]) for period in version.periods],
        )
        for version in versions
    ]


def _opened(
    request: PersonRequest, template: str, context: dict[str, Any], what: str, asked: str = "?"
) -> HttpResponse:
    """The page, with what its print says of the log. what, asked: for the log, asked being the filter and the page."""
    paper = {
        "origin": settings.LOG_ORIGIN,
        "head": LogHead.objects.get(pk=1),
        "made_at": timezone.now(),
        "address": request.build_absolute_uri(),
    }
    query = asked.removeprefix("?")
    content = {"query": query} if query else {}
    pipeline.note(Draft(Kind.AUDIT_OPENED, f"timeline:{what}", reader(request).name, content))
    return render(request, template, context | {"paper": paper, "archive": Archive.latest()})
