"""For support agents: the queues, a ticket, and their word about its queue."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tickets import pipeline
from tickets.audit.explain import Explanation, explain
from tickets.audit.holds import is_held
from tickets.flow.explaining import is_explaining
from tickets.flow.record import Draft
from tickets.flow.review import ReviewRefused
from tickets.models import Entry, Input, Kind, Queue, Role, Ticket
from tickets.web.authentication import role_required
from tickets.web.conversation import conversation, decided_about, said_in
from tickets.web.fields import REASON_MAX, Line
from tickets.web.queues import Wish, board, version
from tickets.web.requests import PersonRequest, actor, back

_OTHER_TICKETS = 10
_DIGITS = 18


class MoveForm(forms.Form):
    queue = forms.ChoiceField(choices=Queue.choices)
    reason = Line(max_length=REASON_MAX)


@role_required(Role.AGENT, Role.OPS, Role.AUDITOR)
@require_safe
def queues(request: PersonRequest) -> HttpResponse:
    """Home. An auditor's home is the log."""
    if not request.user.has_role(Role.AGENT, Role.OPS):
        return redirect("audit")
    return render(request, "agents/queues.html", {"board": board(Wish.of(request.GET))})


@role_required(Role.AGENT, Role.OPS)
@require_safe
def lists(request: PersonRequest) -> HttpResponse:
    """The lists alone, asked for every two seconds; nothing at all where nothing changed."""
    if request.GET.get("version") == version():
        return HttpResponse(status=204)
    return render(request, "agents/_lists.html", {"board": board(Wish.of(request.GET))})


@role_required(Role.AGENT, Role.OPS, Role.AUDITOR)
@require_safe
def ticket(request: PersonRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(Ticket.objects.select_related("requester"), pk=pk)
    may_decide = request.user.has_role(Role.AGENT, Role.OPS)
    if not may_decide:
        # Who works on tickets reads them all day; an auditor's reads are in the log.
        pipeline.note(Draft(Kind.AUDIT_OPENED, f"page:ticket:{pk}", actor(request).name))
    explanation, decided = explain(shown), decided_about(shown)
    scored = explanation.scored if explanation else None
    context = {
        "ticket": shown,
        "held": is_held(shown),
        "explanation": explanation,
        "input": Input.objects.filter(ticket=shown, version=scored.input_version).first() if scored else None,
        "story": conversation(said_in(shown), [one for one in decided if one.decision.kind != Kind.EXPLAINED]),
        "decided": decided,
        "others": shown.requester.tickets.exclude(pk=pk).order_by("-pk")[:_OTHER_TICKETS],
        "targets": [queue for queue in Queue if queue != shown.queue],
        "may_decide": may_decide,
        "reason_max": REASON_MAX,
    }
    return render(request, "agents/ticket.html", context | _asking(explanation))


@role_required(Role.AGENT, Role.OPS)
@require_POST
def override(request: PersonRequest, pk: int) -> HttpResponse:
    form = MoveForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Not moved: say in a few words why it belongs in the other queue.")
        return back(request, "ticket", pk)
    queue, reason = Queue(form.cleaned_data["queue"]), form.cleaned_data["reason"]
    return _review(
        request,
        pk,
        lambda seen: pipeline.override(pk, queue, actor(request), reason, seen),
        f"T-{pk} moved to {queue.label}.",
    )


@role_required(Role.AGENT, Role.OPS)
@require_POST
def explain_sentences(request: PersonRequest, pk: int) -> HttpResponse:
    try:
        pipeline.ask_for_explanation(pk, actor(request))
    except Ticket.DoesNotExist as error:
        raise Http404(f"There is no ticket T-{pk}.") from error
    except ReviewRefused as refused:
        messages.error(request, str(refused))
    return back(request, "ticket", pk)


@role_required(Role.AGENT, Role.OPS)
@require_safe
def sentences(request: PersonRequest, pk: int) -> HttpResponse:
    """The part of the card that waits for a worker, asked for every two seconds."""
    shown = get_object_or_404(Ticket, pk=pk)
    explanation = explain(shown)
    context = {"ticket": shown, "explanation": explanation, "may_decide": True} | _asking(explanation)
    return render(request, "agents/_sentences.html", context)


@role_required(Role.AGENT, Role.OPS)
@require_POST
def confirm(request: PersonRequest, pk: int) -> HttpResponse:
    done = f"The queue of T-{pk} is confirmed."
    return _review(request, pk, lambda seen: pipeline.confirm(pk, actor(request), seen=seen), done)


@role_required(Role.AGENT, Role.OPS)
@require_POST
def undo(request: PersonRequest, pk: int) -> HttpResponse:
    done = f"Undone for T-{pk}."
    return _review(request, pk, lambda seen: pipeline.undo(pk, actor(request), seen), done, offer_undo=False)


def _asking(explanation: Explanation | None) -> dict[str, bool]:
    scored = explanation.scored if explanation else None
    if scored is None:
        return {}
    return {"is_explaining": is_explaining(scored.seq), "may_explain": scored.kind != Kind.FALLBACK}


def _review(
    request: PersonRequest, pk: int, review: Callable[[int | None], Entry], done: str, *, offer_undo: bool = True
) -> HttpResponse:
    try:
        word = review(_seen(request))
    except Ticket.DoesNotExist as error:
        raise Http404(f"There is no ticket T-{pk}.") from error
    except ReviewRefused as refused:
        messages.error(request, str(refused))
    else:
        # The tag is where the message offers to undo this word, and no later one.
        undo_it = f"{reverse('undo', args=[pk])}?seen={word.seq}"
        messages.success(request, done, extra_tags=undo_it if offer_undo else "")
    return back(request, "ticket", pk)


def _seen(request: PersonRequest) -> int | None:
    """The latest decision that the page knew, 0 if there was none; None where it does not say. Raises BadRequest."""
    given = request.GET.get("seen", "")
    if given and not (given.isascii() and given.isdigit() and len(given) <= _DIGITS):
        raise BadRequest("seen is the number of a decision.")
    return int(given) if given else None
