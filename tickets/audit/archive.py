"""Which entries may leave the log for an archive: whole tiles from its beginning that no hold keeps here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings

from tickets.audit import holds, merkle
from tickets.models import Archive, Entry, Shipping
from tickets.models.clock import microseconds, moment

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_FIRST_YEAR = 1970


class NothingLeaves(Exception):
    """No whole tile may leave; says why."""


class ArchivingRefused(Exception):
    """Entries could leave and must not; says why, and what to do. Nothing was removed."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """Entries `first` to `through`, the last one from `until`. kept_by: the hold without which more would leave."""

    first: int
    through: int
    until: datetime
    kept_by: str = ""

    @property
    def count(self) -> int:
        return self.through - self.first + 1


def archived_through() -> int:
    """The last entry that is in an archive; 0 where none is."""
    archive = Archive.latest()
    return archive.through if archive else 0


def archive_of(seq: int) -> Archive | None:
    """The archive that an entry went to; None where it did not."""
    return Archive.objects.filter(through__gte=seq).order_by("through").first()


def beginning_of(month: str) -> datetime:
    """Of "2026-01", in UTC. Raises ValueError."""
    found = _MONTH.fullmatch(month)
    if not found or int(found[1]) < _FIRST_YEAR:
        raise ValueError(f"{month[:20]!r} is no month; write one like 2026-01")
    return datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)


def months_before(now: datetime, number: int) -> datetime:
    """The beginning of the month that lies `number` months before the running one."""
    months = now.year * 12 + now.month - 1 - number
    return datetime(max(months // 12, 1), months % 12 + 1, 1, tzinfo=UTC)


def leaving(before: datetime) -> Leaving:
    """The longest beginning of the log that is older than `before` and whole tiles long, so that those stand for it.

    Raises NothingLeaves; ArchivingRefused where the copy lacks some of it.
    """
    first, last = archived_through() + 1, _last_before(before)
    kept = holds.earliest_entry()
    is_kept = kept is not None and kept[0] <= last
    through = (kept[0] - 1 if kept and is_kept else last) // merkle.TILE * merkle.TILE
    kept_by = f"entry {kept[0]:,} is kept by the legal hold of {kept[1]}" if kept and is_kept else ""
    if through < first:
        raise NothingLeaves(_why_nothing(first, last, before, kept_by))
    _refuse_unshipped(through)
    at = Entry.objects.values_list("at", flat=True).get(seq=through)
    return Leaving(first, through, moment(at), kept_by)


def _last_before(before: datetime) -> int:
    """Times never fall in the log, so what is older than a moment is a beginning of it."""
    older = Entry.objects.filter(at__lt=microseconds(before)).order_by("-at", "-seq")
    return older.values_list("seq", flat=True).first() or 0


def _why_nothing(first: int, last: int, before: datetime, kept_by: str) -> str:
    if kept_by:
        return f"Nothing leaves: {kept_by}."
    older = max(0, last - first + 1)
    return f"Nothing leaves: {older:,} entries are older than {before:%Y-%m}, and whole runs of {merkle.TILE:,} leave."


def _refuse_unshipped(through: int) -> None:
    if settings.ELASTICSEARCH_URL and (shipped := Shipping.objects.get(pk=1).shipped_through) < through:
        raise ArchivingRefused(
            f"The copy in Elasticsearch ends at entry {shipped:,}, and entries up to {through:,} are to leave: "
            "let sweep ship them first."
        )
