"""Keys to the API that are taken back."""

from __future__ import annotations

from django.db import transaction

from tickets.flow.record import Draft, record
from tickets.models import ApiKey, Entry, Kind
from tickets.models.clock import moment
from tickets.pipeline.acting import Actor


class RevokedBefore(Exception):
    """The key opens nothing any more; says since when."""


def revoke_key(number: int, by: Actor) -> Entry:
    """From now on the key opens nothing, for good. Raises ApiKey.DoesNotExist, RevokedBefore."""
    with transaction.atomic():
        key = ApiKey.objects.select_for_update().get(pk=number)
        if key.revoked_at:
            raise RevokedBefore(f"Key {key.pk} ({key.name}) is revoked since {key.revoked_at:%Y-%m-%d %H:%M} UTC.")
        entry = record([Draft(Kind.KEY_REVOKED, f"key:{key.pk}", by.name, {"name": key.name})])[0]
        ApiKey.objects.filter(pk=key.pk).update(revoked_at=moment(entry.at))
    return entry
