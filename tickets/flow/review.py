"""A person changes, confirms or takes back a decision. A person's word is last: no model overrules it."""

from __future__ import annotations

from datetime import datetime

from tickets.flow.origin import about
from tickets.flow.record import Draft
from tickets.flow.route import move
from tickets.models import Archive, DecidedBy, Decision, Input, Kind, Label, Policy, Queue, Ticket, Waiting
from tickets.models.clock import microseconds
from tickets.models.entry import AUTOMATIC, BY_PERSON


class ReviewRefused(Exception):
    """What was asked makes no sense for the ticket as it is now; says why."""


def refuse_unseen(ticket: Ticket, seen: int | None) -> None:
    """A word about a decision that is not the latest any more. seen: the number of the one it is about, 0 where there
    was none yet, None where that is not known.

    What came later and left the queue as it was is no other decision, unless a person said it.
    """
    if seen is None or ticket.decision_id in {None, seen}:
        return
    about_it = Decision.objects.filter(ticket_id=ticket.pk)
    known = about_it.filter(entry=seen, queue=ticket.queue).exists()
    if not known or about_it.filter(entry__gt=seen, kind__in=[*BY_PERSON, Kind.UNDONE]).exists():
        raise ReviewRefused(
            f"T-{ticket.pk} was decided anew meanwhile: it is in the {ticket.queue} queue now. "
            "Look at it and decide again."
        )


def override(ticket: Ticket, queue: Queue, now: datetime) -> Kind:
    """Into the queue a person chose. Asking for the queue it is in already is refused: that is confirming."""
    if ticket.queue == queue:
        raise ReviewRefused(f"The ticket is in the {queue} queue already; confirm it instead.")
    move(ticket, queue, now)
    _decided_by_person(ticket)
    return Kind.OVERRIDE


def confirm(ticket: Ticket) -> Kind:
    if not ticket.queue:
        raise ReviewRefused("The ticket has no decision yet; wait for it or choose a queue.")
    _decided_by_person(ticket)
    return Kind.CONFIRMED


def undo(ticket: Ticket, now: datetime) -> tuple[Kind, Decision]:
    """Back to what held before the last word of a person; returns that word too."""
    words, automatic = _words_and_last_automatic(ticket)
    archived = _archived_word(ticket)
    if not words:
        raise ReviewRefused(
            "What a person said last about this ticket is in an archive; choose the other queue instead."
            if archived
            else "No person has decided this ticket, so there is nothing to undo."
        )
    undone = words.pop()
    if words:
        move(ticket, Queue(words[-1].queue), now)
    elif archived:
        move(ticket, Queue(archived.queue), now)
    elif automatic:
        move(ticket, Queue(automatic.verdict), now)
        ticket.decided_by = DecidedBy.FALLBACK if automatic.kind == Kind.FALLBACK else DecidedBy.MODEL
        ticket.needs_check = automatic.needs_check
    else:
        raise ReviewRefused("The ticket has no automatic decision to return to; choose the other queue instead.")
    return Kind.UNDONE, undone


def explainable(ticket: Ticket) -> Decision:
    """The latest score of a model."""
    scored = _last_automatic(ticket)
    if scored is None and not Waiting.objects.filter(ticket=ticket).exists():
        raise ReviewRefused("The score of this ticket is in an archive, so it is not explained any more.")
    if scored is None:
        raise ReviewRefused("The ticket has no score yet, so there is nothing to explain.")
    if scored.kind == Kind.FALLBACK:
        raise ReviewRefused("The keyword rules decided: the words they found are marked in the text already.")
    return scored


def draft(
    ticket: Ticket, text: Input, policy: Policy, kind: Kind, actor: str, reason: str, previous: str, undoes: int
) -> Draft:
    """The log entry of a review. previous: the queue before it, empty if there was none; undoes: a seq, or 0."""
    content = about(ticket, text, policy) | {"previous_queue": previous}
    if undoes:
        content["undoes"] = undoes
    if judged := _last_automatic(ticket):
        content["judges"] = {
            "seq": judged.seq,
            "at": microseconds(judged.at),
            "model": judged.model_name,
            "verdict": judged.verdict,
        }
    return Draft(kind, f"ticket:{ticket.pk}", actor, content, reason)


def _last_automatic(ticket: Ticket) -> Decision | None:
    return Decision.objects.filter(ticket_id=ticket.pk, kind__in=AUTOMATIC).order_by("-entry").first()


def _decided_by_person(ticket: Ticket) -> None:
    ticket.decided_by = DecidedBy.PERSON
    ticket.needs_check = False


def _archived_word(ticket: Ticket) -> Label | None:
    """The latest word of a person that holds and whose decision was archived: its label stays."""
    archive = Archive.latest()
    labels = Label.objects.filter(ticket=ticket, revoked_at=None, seq__lte=archive.through if archive else 0)
    return labels.order_by("-seq").first()


def _words_and_last_automatic(ticket: Ticket) -> tuple[list[Decision], Decision | None]:
    """Words of people that still hold, oldest first, and the latest automatic decision."""
    words: list[Decision] = []
    automatic = None
    for decision in Decision.objects.filter(ticket_id=ticket.pk).order_by("entry"):
        if decision.kind in BY_PERSON:
            words.append(decision)
        elif decision.kind == Kind.UNDONE and words:  # else the word it took back is in an archive
            words.pop()
        elif decision.is_automatic:
            automatic = decision
    return words, automatic
