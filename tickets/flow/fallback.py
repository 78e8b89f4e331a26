"""What decides when no model does: the keyword rules, on the database alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q

from scoring.keyword import Keyword
from scoring.types import Request, Score
from tickets.flow.score import MAX_FAILED_CLAIMS
from tickets.models import Cause, Input, Waiting


@dataclass(frozen=True, slots=True)
class Overdue:
    """A ticket that passed its deadline or broke the model too often, with what the rules say of its text."""

    ticket_id: int
    input_version: int
    score: Score


def overdue(now: datetime, limit: int) -> list[Overdue]:
    """Up to `limit` overdue tickets, oldest first. Reads and scores outside any transaction."""
    rows = Waiting.objects.filter(is_overdue(now)).order_by("accepted_at", "pk").values_list("pk", flat=True)[:limit]
    texts = list(Input.objects.filter(ticket__in=list(rows), version=F("ticket__waiting__input_version")))
    scores = Keyword().score([Request(text.text) for text in texts])
    return [Overdue(text.ticket_id, text.version, score) for text, score in zip(texts, scores, strict=True)]


def is_overdue(now: datetime) -> Q:
    past_deadline = Q(deadline_at__lte=now)
    broke_the_model = Q(attempts__gte=MAX_FAILED_CLAIMS, available_at__lte=now)
    return ~Q(cause=Cause.LATE) & (past_deadline | broke_the_model)


def why(row: Waiting, now: datetime) -> Cause:
    return Cause.DEADLINE if row.deadline_at and row.deadline_at <= now else Cause.FAILURES
