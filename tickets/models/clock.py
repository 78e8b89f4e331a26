"""One clock for leases, deadlines and the log: the database's, since hosts disagree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def database_now() -> datetime:
    """Aware, in UTC. SQLite has no server, so there it is this machine's clock."""
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0].astimezone(UTC)


def microseconds(moment: datetime) -> int:
    """Since 1970 UTC, exact: no float on the way."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """The inverse of `microseconds`."""
    return _EPOCH + timedelta(microseconds=at)
