"""Score, decide, route, record: batch after batch, by the model or by the keyword rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from scoring.keyword import Keyword
from scoring.types import Model, Unavailable
from tickets import presence, wake
from tickets.flow import score as scoring_step
from tickets.flow.fallback import Overdue, is_overdue, overdue, why
from tickets.flow.origin import Origin, fallback_values, values_of
from tickets.flow.score import Claim, Scored, ScoringFailed
from tickets.flow.settle import Case, held_tickets, latest_inputs, settle, wait_for_the_model
from tickets.models import ActivePolicy, Cause, Entry, ProcessKind, Ticket, Waiting
from tickets.models.clock import database_now
from tickets.pipeline.carrying import problem
from tickets.pipeline.explaining import explain_one
from tickets.pipeline.replaying import replay_one
from tickets.pipeline.shipping import ship_on_commit
from tickets.policy import versions

log = structlog.get_logger(__name__)


def score_waiting(worker: str, budget: timedelta, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Claims, scores and settles batch after batch until nothing waits, the budget is spent or the worker is told to
    stop. Returns how many.
    """
    try:
        model = scoring_step.scorer().model
    except Unavailable as error:
        presence.note(worker, ProcessKind.WORKER, problem=str(error))
        return 0
    until = time.monotonic() + budget.total_seconds()
    decided = 0
    while time.monotonic() < until and not is_stopping():
        held = claim(worker, model)
        if held is None:
            if explain_one(worker, model) or replay_one(worker, model):
                continue
            return decided
        try:
            scored = scoring_step.score(held)
        except ScoringFailed as error:
            put_back(held, error)
        except Unavailable as error:
            hand_back(held, error)
            return decided
        else:
            decided += len(settle_claim(held, scored, model, worker))
    wake.knock(wake.SCORE)
    return decided


def claim(worker: str, model: Model) -> Claim | None:
    """A batch for this worker, or None: nothing waits, or it may not or cannot score."""
    policy = ActivePolicy.current()
    hindrance = problem(policy, model)
    presence.note(worker, ProcessKind.WORKER, model.id, hindrance)
    if hindrance or not Waiting.objects.filter(available_at__lte=database_now()).exists():
        return None
    with transaction.atomic():
        return scoring_step.claim(database_now(), policy.rubric, settings.BATCH_SIZE)


def settle_claim(held: Claim, scored: Scored, model: Model, worker: str) -> list[Entry]:
    """Decides, routes and records what of the claim is still held, unchanged, under the policy that holds now.

    Where that one names another model or rubric than the scores came from, the tickets wait to be scored by it.
    """
    with transaction.atomic():
        tickets = held_tickets(held.ticket_ids)
        rows = {row.pk: row for row in Waiting.objects.select_for_update().filter(claim=held.token)}
        policy = ActivePolicy.locked()
        if not rows or not versions.is_carried(policy, model) or policy.rubric != held.rubric:
            _free(held)
            return []
        now, texts = database_now(), latest_inputs(tickets)
        cases = [
            Case(tickets[pk], texts[pk], score, _origin(rows[pk], held, scored, model, worker, now))
            for pk, score in zip(held.ticket_ids, scored.scores, strict=True)
            if pk in rows
        ]
        entries = settle(cases, policy, values_of(policy), now)
        Waiting.objects.filter(pk__in=rows).delete()
        ship_on_commit()
    _log_decisions(cases, entries)
    return entries


def put_back(held: Claim, error: ScoringFailed) -> None:
    """After a failure the tickets wait a moment, longer each time, and then are tried one by one."""
    with transaction.atomic():
        rows = list(Waiting.objects.select_for_update().filter(claim=held.token))
        now = database_now()
        for row in rows:
            row.claim, row.available_at = 0, now + timedelta(seconds=2**row.attempts - 1)
        Waiting.objects.bulk_update(rows, ["claim", "available_at"])
    log.warning("scoring_failed", tickets=list(held.ticket_ids), error=str(error))


def hand_back(held: Claim, error: Unavailable) -> None:
    """The model is away: the tickets wait as if nobody had claimed them."""
    with transaction.atomic():
        _free(held)
    log.warning("scorer_unavailable", tickets=list(held.ticket_ids), error=str(error))


def _free(held: Claim) -> None:
    """May be claimed at once, and this claim was no attempt. Call inside a transaction."""
    rows = Waiting.objects.filter(claim=held.token)
    rows.update(claim=0, available_at=database_now(), attempts=F("attempts") - 1)


def give_up() -> list[int]:
    """Tickets that the fallback decided and no model will: too many claims failed or never came back. By id."""
    with transaction.atomic():
        spent = Waiting.objects.filter(
            cause=Cause.LATE, attempts__gte=scoring_step.MAX_CLAIMS, available_at__lte=database_now()
        )
        given_up = list(spent.select_for_update().values_list("pk", flat=True))
        Waiting.objects.filter(pk__in=given_up).delete()
    if given_up:
        log.error("given_up", tickets=given_up, consequence="the decision of the keyword rules stays")
    return given_up


def fall_back(limit: int = 200) -> int:
    """The keyword rules decide what passed its deadline or broke the model too often. Returns how many."""
    found = {case.ticket_id: case for case in overdue(database_now(), limit)}
    if not found:
        return 0
    with transaction.atomic():
        tickets = held_tickets(list(found))
        now = database_now()
        rows = [
            row
            for row in Waiting.objects.select_for_update().filter(is_overdue(now), pk__in=tickets)
            if row.input_version == found[row.pk].input_version
        ]
        policy = ActivePolicy.locked()
        texts = latest_inputs(tickets)
        cases = [_fallback_case(tickets[row.pk], texts, found[row.pk], row, now) for row in rows]
        entries = settle(cases, policy, fallback_values(policy), now)
        wait_for_the_model(rows)
        ship_on_commit()
    _log_decisions(cases, entries)
    return len(entries)


def _origin(row: Waiting, held: Claim, scored: Scored, model: Model, worker: str, now: datetime) -> Origin:
    milliseconds = {
        "wait": _milliseconds(row.accepted_at, held.at),
        "score": scored.milliseconds,
        "total": _milliseconds(row.accepted_at, now),
    }
    return Origin(model, f"worker:{worker}", Cause(row.cause), milliseconds)


def _fallback_case(ticket: Ticket, texts: dict[int, Any], found: Overdue, row: Waiting, now: datetime) -> Case:
    milliseconds = {"total": _milliseconds(row.accepted_at, now)}
    return Case(ticket, texts[ticket.pk], found.score, Origin(Keyword.identity(), "sweep", why(row, now), milliseconds))


def _milliseconds(start: datetime, end: datetime) -> int:
    return max(0, (end - start) // timedelta(milliseconds=1))


def _log_decisions(cases: Sequence[Case], entries: Sequence[Entry]) -> None:
    for case, entry in zip(cases, entries, strict=True):
        log.info("decided", ticket=case.ticket.pk, seq=entry.seq, kind=entry.kind, queue=case.ticket.queue)
