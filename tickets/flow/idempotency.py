"""The same request twice is one ticket: answers kept for a key and an Idempotency-Key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tickets.models import ApiKey, IdempotencyKey, Ticket

KEPT_FOR = timedelta(hours=24)


class IdempotencyConflict(Exception):
    """The Idempotency-Key was used before with another body."""


@dataclass(frozen=True, slots=True)
class Once:
    """What makes a request the same again. digest: SHA-256 in hex of its body."""

    key: ApiKey
    value: str
    digest: str


def answered_before(once: Once, now: datetime) -> Ticket | None:
    """The ticket of the first request. Raises IdempotencyConflict when that one had another body."""
    IdempotencyKey.objects.filter(key=once.key, value=once.value, at__lt=now - KEPT_FOR).delete()
    row = IdempotencyKey.objects.filter(key=once.key, value=once.value).select_related("ticket").first()
    if row is None:
        return None
    if row.request_digest != once.digest:
        raise IdempotencyConflict("This Idempotency-Key was used with another body; use a new one for a new request.")
    return row.ticket


def remember(once: Once, ticket: Ticket, now: datetime) -> None:
    IdempotencyKey.objects.create(key=once.key, value=once.value, request_digest=once.digest, ticket=ticket, at=now)
