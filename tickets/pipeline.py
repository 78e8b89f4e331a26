"""What the product does with tickets, each verb reading like the picture in docs/architecture.md.

The only place that opens a writing transaction for tickets and the log. Locks are taken in one order everywhere:
tickets by id, what waits, the active policy, and last the head of the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, IntegrityError, transaction
from django.db.models import F

from scoring.keyword import Keyword
from scoring.types import Elsewhere, Evidence, Model, Unavailable
from tickets import presence, wake
from tickets.audit import checkpoints, export, keys
from tickets.audit.export import Wanted
from tickets.flow import erase as erasing
from tickets.flow import explaining, review
from tickets.flow import score as scoring_step
from tickets.flow.explaining import Asked
from tickets.flow.fallback import Overdue, is_overdue, overdue, why
from tickets.flow.idempotency import Once, answered_before, remember
from tickets.flow.ingest import Accepted, NewTicket, add_input, ingest
from tickets.flow.origin import Origin, fallback_values, values_of
from tickets.flow.record import Draft, record
from tickets.flow.score import Claim, Scored, ScoringFailed
from tickets.flow.settle import Case, held_tickets, latest_inputs, point_at_decisions, settle, wait_for_the_model
from tickets.models import (
    ActivePolicy,
    Author,
    Calibration,
    Cause,
    Checkpoint,
    Decision,
    Entry,
    Job,
    JobState,
    Kind,
    Label,
    LogHead,
    Message,
    Policy,
    ProcessKind,
    Queue,
    RegisteredModel,
    SigningKey,
    Ticket,
    User,
    Waiting,
)
from tickets.models.clock import database_now
from tickets.models.label import Origin as LabelOrigin
from tickets.policy import calibrating, versions
from tickets.policy.calibrating import Labelled, Method

log = structlog.get_logger(__name__)

_CONFLICTING_SUBMISSIONS_RETRIED = 3
_DEADLOCK = "40P01"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: `name` for the log ("user:1", "key:2", "sweep"), and the person if it is one."""

    name: str
    user: User | None = None


# --- in -----------------------------------------------------------------------------------------------------------


def submit(submissions: Sequence[NewTicket]) -> list[Accepted]:
    """Stores tickets, each once for its source and external id, and has them scored. All or none are stored."""

    def store(now: datetime) -> list[Accepted]:
        return ingest(submissions, now)

    return _store(store)


def submit_once(submission: NewTicket, once: Once) -> Accepted:
    """`submit` for one ticket with an Idempotency-Key. Raises IdempotencyConflict."""

    def store(now: datetime) -> list[Accepted]:
        if ticket := answered_before(once, now):
            return [Accepted(ticket, created=False)]
        accepted = ingest([submission], now)
        remember(once, accepted[0].ticket, now)
        return accepted

    return _store(store)[0]


def add_message(ticket_id: int, body: str) -> Ticket:
    """A new message of the requester: a new version of the text, which is scored anew. Raises Ticket.DoesNotExist."""
    with transaction.atomic():
        ticket = _held(ticket_id)
        now = database_now()
        Message.objects.create(ticket=ticket, author=Author.REQUESTER, body=body, at=now)
        add_input(ticket, now)
        wake.on_commit(wake.SCORE)
    return ticket


# --- score, decide, route, record ---------------------------------------------------------------------------------


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
            if explain_one(worker, model):
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
    problem = _problem(policy, model)
    presence.note(worker, ProcessKind.WORKER, model.id, problem)
    if problem or not Waiting.objects.filter(available_at__lte=database_now()).exists():
        return None
    with transaction.atomic():
        return scoring_step.claim(database_now(), policy.rubric, settings.BATCH_SIZE)


def settle_claim(held: Claim, scored: Scored, model: Model, worker: str) -> list[Entry]:
    """Decides, routes and records what of the claim is still held, unchanged, under the policy that holds now."""
    with transaction.atomic():
        tickets = held_tickets(held.ticket_ids)
        rows = {row.pk: row for row in Waiting.objects.select_for_update().filter(claim=held.token)}
        policy = ActivePolicy.locked()
        if not rows or not versions.is_carried(policy, model):
            return []
        now, texts = database_now(), latest_inputs(tickets)
        cases = [
            Case(tickets[pk], texts[pk], score, _origin(rows[pk], held, scored, model, worker, now))
            for pk, score in zip(held.ticket_ids, scored.scores, strict=True)
            if pk in rows
        ]
        entries = settle(cases, policy, values_of(policy), now)
        Waiting.objects.filter(pk__in=rows).delete()
        _ship_on_commit()
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


def explain_one(worker: str, model: Model) -> bool:
    """Explains one decision that was asked about; False when there is none. Only when nothing waits for a score."""
    if _problem(ActivePolicy.current(), model) or not explaining.waiting(database_now()).exists():
        return False
    with transaction.atomic():
        held = explaining.claim(database_now())
    if held is None:
        return False
    try:
        asked = explaining.read(*held, model)
        found, milliseconds = explaining.explain(asked)
    except explaining.CannotExplain as error:
        _fail(*held, str(error))
    except Unavailable as error:
        Job.objects.filter(pk=held[0].pk, claim=held[1]).update(attempts=F("attempts") - 1, problem=str(error)[:500])
        return False
    except Exception as error:
        _try_again(*held, f"{type(error).__name__}: {error}")
    else:
        _record_explanation(asked, found, milliseconds, f"worker:{worker}")
    return True


def hand_back(held: Claim, error: Unavailable) -> None:
    """The model is away: the tickets wait as if nobody had claimed them."""
    with transaction.atomic():
        rows = Waiting.objects.filter(claim=held.token)
        rows.update(claim=0, available_at=database_now(), attempts=F("attempts") - 1)
    log.warning("scorer_unavailable", tickets=list(held.ticket_ids), error=str(error))


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
        _ship_on_commit()
    _log_decisions(cases, entries)
    return len(entries)


# --- review -------------------------------------------------------------------------------------------------------


def override(ticket_id: int, queue: Queue, by: Actor, reason: str) -> Entry:
    """A person moves a ticket to the other queue. Raises ReviewRefused, Ticket.DoesNotExist."""
    with transaction.atomic():
        ticket, now = _held(ticket_id), database_now()
        previous = ticket.queue
        kind = review.override(ticket, queue, now)
        entry = _record_review(ticket, kind, by, reason, previous)
        _label(ticket, LabelOrigin.OVERRIDE, by, entry, now)
    return entry


def ask_for_explanation(ticket_id: int, by: Actor) -> Decision:
    """Wants to know which sentences moved the latest score. Raises ReviewRefused, Ticket.DoesNotExist."""
    with transaction.atomic():
        ticket = _held(ticket_id)
        scored = review.explainable(ticket)
        explaining.ask([scored.seq], by.name, database_now())
        wake.on_commit(wake.SCORE)
    return scored


def confirm(ticket_id: int, by: Actor, reason: str = "") -> Entry:
    """A person says the queue is right. Raises ReviewRefused, Ticket.DoesNotExist."""
    with transaction.atomic():
        ticket, now = _held(ticket_id), database_now()
        kind = review.confirm(ticket)
        entry = _record_review(ticket, kind, by, reason, ticket.queue)
        _label(ticket, LabelOrigin.CONFIRMATION, by, entry, now)
    return entry


def undo(ticket_id: int, by: Actor) -> Entry:
    """Takes back the last word of a person; its label is revoked. Raises ReviewRefused, Ticket.DoesNotExist."""
    with transaction.atomic():
        ticket, now = _held(ticket_id), database_now()
        previous = ticket.queue
        kind, undone = review.undo(ticket, now)
        entry = _record_review(ticket, kind, by, "", previous, undoes=undone.seq)
        Label.objects.filter(seq=undone.seq).update(revoked_at=now)
    return entry


# --- policy -------------------------------------------------------------------------------------------------------


def draft_policy(values: dict[str, Any], by: Actor, reason: str) -> Policy:
    """A new numbered version of how we decide; it decides nothing until it is activated."""
    with transaction.atomic():
        ActivePolicy.locked()
        policy = versions.create(values, by.user, reason)
        record([versions.created_draft(policy, by.name)])
    return policy


def activate_policy(policy: Policy, by: Actor, reason: str) -> None:
    """From now on `policy` decides. An older number works alike: that is a roll-back."""
    with transaction.atomic():
        ActivePolicy.locked()
        replaced = versions.activate(policy, by.user, reason)
        record([versions.activated_draft(policy, replaced, by.name, reason)])
    wake.knock(wake.SCORE)


def calibrate(found: Sequence[Labelled], model: RegisteredModel, method: Method, by: Actor) -> tuple[Calibration, bool]:
    """A new version of the map from margin to probability, and whether it is new. Raises TooFewLabels."""
    fitted = calibrating.calibrate(found, model, method)
    with transaction.atomic():
        ActivePolicy.locked()
        if known := Calibration.objects.filter(version=fitted.version).first():
            return known, False
        fitted.created_by = by.user
        fitted.save()
        record([calibrating.added_draft(fitted, by.name)])
    return fitted, True


def sign_if_due() -> Checkpoint | None:
    """A checkpoint of the log, every minute and every thousand entries. Raises what `checkpoints.sign` raises."""
    return sign_log() if checkpoints.is_due(database_now()) else None


def sign_log() -> Checkpoint:
    """A checkpoint of the log as it is now. Raises what `checkpoints.sign` raises."""
    signer = keys.signer()
    with transaction.atomic():
        _, is_new = SigningKey.objects.get_or_create(
            verifier_key=signer.verifier_key, defaults={"since": database_now()}
        )
        if is_new:
            record([Draft(Kind.SIGNING_KEY_ADDED, "log", "system", {"verifier_key": signer.verifier_key})])
    return checkpoints.sign(signer, database_now())


def export_log(folder: Path, wanted: Wanted, by: Actor, progress: Callable[[int], object] = int) -> dict[str, Any]:
    """Signed files of entries. Raises NothingToExport, OSError, and what `sign_log` raises."""
    exported = note(Draft(Kind.EXPORTED, "log", by.name, {"filter": wanted.filter}))
    return export.export(folder, wanted, sign_log(), keys.signer(), exported, progress)


def fork_log(name: str, kept: str, by: Actor, reason: str) -> Entry:
    """Says in the log itself that it goes on from a backup. kept: the checkpoint of what was lost, as a signed note."""
    with transaction.atomic():
        head = LogHead.objects.select_for_update().get(pk=1)
        content = {"name": name, "after": head.seq, "head": head.hash, "lost": kept}
        return record([Draft(Kind.FORKED, "log", by.name, content, reason)])[0]


def erase(email: str, by: Actor, reason: str) -> Entry:
    """All that is stored about a person, for good; the entry says what. Raises NobodyStored, ReasonNamesPerson."""
    with transaction.atomic():
        person = erasing.hold(email)
        erasing.refuse_to_name(person, reason)
        stored = erasing.stored_about(person)
        erasing.forget(person)
        return record([erasing.certificate(stored, by.name, reason)])[0]


def note(draft: Draft) -> Entry:
    """Writes one entry about something other than a ticket: a key made, a role given."""
    with transaction.atomic():
        return record([draft])[0]


# --- the steps' small parts ---------------------------------------------------------------------------------------


def _store(store: Callable[[datetime], list[Accepted]]) -> list[Accepted]:
    """Runs `store` in a transaction; when another process stored the same at the same moment, again: it finds it."""
    for left in reversed(range(_CONFLICTING_SUBMISSIONS_RETRIED)):
        try:
            with transaction.atomic():
                accepted = store(database_now())
                wake.on_commit(wake.SCORE)
                return accepted
        except Error as error:
            if not left or not _is_conflict(error):
                raise
    raise AssertionError("unreachable")


def _is_conflict(error: Error) -> bool:
    """Two processes stored the same ticket at once: one found the other's row, or PostgreSQL ended their deadlock."""
    return isinstance(error, IntegrityError) or getattr(error.__cause__, "pgcode", None) == _DEADLOCK


def _held(ticket_id: int) -> Ticket:
    return Ticket.objects.select_for_update(of=("self",)).get(pk=ticket_id)


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


def _record_explanation(asked: Asked, found: Sequence[Evidence], milliseconds: int, actor: str) -> None:
    with transaction.atomic():
        # A person who was erased meanwhile took ticket and job along.
        tickets = held_tickets([asked.text.ticket_id])
        done, _ = Job.objects.filter(pk=asked.job.pk, claim=asked.token).delete()
        if done:
            record([explaining.draft(tickets[asked.text.ticket_id], asked, found, milliseconds, actor)])
            _ship_on_commit()


def _fail(job: Job, token: int, problem: str) -> None:
    Job.objects.filter(pk=job.pk, claim=token).update(
        state=JobState.FAILED, problem=problem[:500], finished_at=database_now()
    )
    log.warning("job_failed", kind=job.kind, subject=job.subject, error=problem[:500])


def _try_again(job: Job, token: int, problem: str) -> None:
    if job.attempts >= explaining.MOST_ATTEMPTS:
        _fail(job, token, problem)
    else:
        Job.objects.filter(pk=job.pk, claim=token).update(problem=problem[:500])


def _record_review(ticket: Ticket, kind: Kind, by: Actor, reason: str, previous: str, undoes: int = 0) -> Entry:
    policy = ActivePolicy.locked()
    text = latest_inputs({ticket.pk: ticket})[ticket.pk]
    entry = record([review.draft(ticket, text, policy, kind, by.name, reason, previous, undoes)])[0]
    point_at_decisions([ticket], [entry])
    _ship_on_commit()
    log.info("reviewed", ticket=ticket.pk, seq=entry.seq, kind=kind.value, queue=ticket.queue, actor=by.name)
    return entry


def _label(ticket: Ticket, origin: LabelOrigin, by: Actor, entry: Entry, now: datetime) -> None:
    Label.objects.create(
        ticket=ticket,
        input_version=ticket.input_version,
        queue=ticket.queue,
        origin=origin,
        user=by.user,
        seq=entry.seq,
        at=now,
    )


def _problem(policy: Policy, model: Model) -> str:
    if not versions.is_carried(policy, model):
        return _carries_another(policy, model)
    scorer = scoring_step.scorer()
    return scorer.problem() if isinstance(scorer, Elsewhere) else ""


def _carries_another(policy: Policy, model: Model) -> str:
    return (
        f"This worker carries {model.id} ({model.digest[:12]}); policy {policy.number} names {policy.model.name} "
        f"({policy.model.digest[:12]}). Start a worker with that model, or run: manage.py use_scorer"
    )


def _ship_on_commit() -> None:
    if settings.ELASTICSEARCH_URL:
        wake.on_commit(wake.SHIP)


def _log_decisions(cases: Sequence[Case], entries: Sequence[Entry]) -> None:
    for case, entry in zip(cases, entries, strict=True):
        log.info("decided", ticket=case.ticket.pk, seq=entry.seq, kind=entry.kind, queue=case.ticket.queue)
