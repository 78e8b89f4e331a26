"""The same request twice is one ticket: answers kept for a key and an Idempotency-Key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tickets.models import ApiKey, IdempotencyKey, Ticket

KEPT_FOR = timedelta(hours=24)
_PURGED_AT_ONCE = 100


class IdempotencyConflict(Exception):
    """The Idempotency-Key was used before, for another address or with another body."""


@dataclass(frozen=True, slots=True)
class Once:
    """What makes a request the same again. digest: SHA-256 in hex of its address and body."""

    key: ApiKey
    value: str
    digest: str


def answered_before(once: Once, now: datetime) -> Ticket | None:
    """The ticket of the first request. Raises IdempotencyConflict when that one was another."""
    IdempotencyKey.objects.filter(key=once.key, value=once.value, at__lt=now - KEPT_FOR).delete()
    row = IdempotencyKey.objects.filter(key=once.key, value=once.value).select_related("ticket").first()
    if row is None:
        return None
    if row.request_digest != once.digest:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another body or address; use a new one for a new request."
        )
    return row.ticket


def remember(once: Once, ticket: Ticket, now: datetime) -> None:
    """Also forgets a few that expired, of any key; those that another transaction holds are left to it."""
    expired = IdempotencyKey.objects.filter(at__lt=now - KEPT_FOR).select_for_update(skip_locked=True)
    IdempotencyKey.objects.filter(pk__in=list(expired.values_list("pk", flat=True)[:_PURGED_AT_ONCE])).delete()
    IdempotencyKey.objects.create(key=once.key, value=once.value, request_digest=once.digest, ticket=ticket, at=now)
