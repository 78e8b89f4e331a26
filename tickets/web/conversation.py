"""A ticket's story in the order it happened: what was said, and what was decided, by whom and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tickets.audit.explain import decisions_of, sentence
from tickets.models import Decision, Message, Reason, Ticket
from tickets.web.names import names_of

_MESSAGES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Said:
    at: datetime
    message: Message


@dataclass(frozen=True, slots=True)
class Decided:
    """reason: a person's own words, or the comparison an automatic decision made."""

    at: datetime
    decision: Decision
    who: str
    reason: str


def conversation(said: Sequence[Said], decided: Sequence[Decided]) -> list[Said | Decided]:
    return sorted([*said, *decided], key=lambda event: event.at)


def said_in(ticket: Ticket) -> list[Said]:
    """The latest messages, oldest first."""
    latest = ticket.messages.select_related("user").order_by("-pk")[:_MESSAGES_SHOWN]
    return [Said(message.at, message) for message in reversed(latest)]


def decided_about(ticket: Ticket) -> list[Decided]:
    """Every decision, latest first."""
    return told(decisions_of(ticket))


def told(decisions: Sequence[Decision]) -> list[Decided]:
    """The decisions with names and reasons, in at most three queries however many there are."""
    names = names_of(decision.actor for decision in decisions)
    by_person = [decision.seq for decision in decisions if not decision.is_automatic]
    reasons = dict(Reason.objects.filter(pk__in=by_person).values_list("pk", "text")) if by_person else {}
    return [
        Decided(
            decision.at,
            decision,
            names[decision.actor],
            sentence(decision) if decision.is_automatic else reasons.get(decision.seq, ""),
        )
        for decision in decisions
    ]
