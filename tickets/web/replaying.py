"""For auditors and ops: a decision made again by its model, asked for on its page, and what came of it."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from tickets import pipeline
from tickets.audit.replay import results_of
from tickets.flow import replaying
from tickets.models import Decision, JobState, Role
from tickets.web.authentication import role_required
from tickets.web.names import names_of
from tickets.web.requests import PersonRequest, actor


def shown(seq: int) -> dict[str, Any]:
    """What audit/_replay.html shows of an automatic decision. results: bodies and who asked, latest first."""
    bodies, job = results_of(seq), replaying.asked_last(seq)
    names = names_of(body["asked_by"] for body in bodies)
    return {
        "seq": seq,
        "is_replaying": bool(job and job.state == JobState.OPEN),
        "failure": job.problem if job and job.state == JobState.FAILED else "",
        "results": [(body, names[body["asked_by"]]) for body in bodies],
    }


@role_required(Role.AUDITOR, Role.OPS)
@require_POST
def replay(request: PersonRequest, seq: int) -> HttpResponse:
    try:
        pipeline.ask_for_replay(seq, actor(request))
    except Decision.DoesNotExist as error:
        raise Http404(f"Entry {seq} is no decision of a model or the rules.") from error
    return redirect("decision", seq)


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def replays(request: PersonRequest, seq: int) -> HttpResponse:
    """The part of the page that waits for a worker, asked for every two seconds."""
    return render(request, "audit/_replay.html", shown(seq))
