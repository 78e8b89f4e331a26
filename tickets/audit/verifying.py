"""What a job verifies: a range of the log, and the copy of it where that is asked for; as the log tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import structlog
from django.conf import settings
from elasticsearch import ApiError, TransportError

from tickets.audit import ship
from tickets.audit.archive import archived_through
from tickets.audit.compare import Difference, compare, published_notes
from tickets.audit.verify import verify
from tickets.models import LogHead, Shipping

_WHAT_MAX, _NAME_MAX, _FORKS_MAX = 500, 200, 20
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
_END, _COPY = "end", "copy"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Range:
    """Entries `first` to `last` (None: to where the log ends then). copy: whether Elasticsearch is compared, too."""

    first: int = 1
    last: int | None = None
    copy: bool = False

    @property
    def subject(self) -> str:
        """As a job names it: "log:1:5000", "log:1:end:copy"."""
        return ":".join(["log", str(self.first), str(self.last or _END), *([_COPY] if self.copy else [])])

    @classmethod
    def of(cls, subject: str) -> Range:
        """The inverse of `subject`."""
        _, first, last, *copy = subject.split(":")
        return cls(int(first), None if last == _END else int(last), bool(copy))

    def steps(self, end: int) -> int:
        """How many there are when the log ends at `end`: one for each entry, and one more where it is compared."""
        return max(0, (self.last or end) - self.first + 1) * (1 + self.copy)


def verification(wanted: Range, progress: Callable[[int, int], object]) -> dict[str, Any]:
    """What the log will say. progress: called with the steps done and those there are; may raise to end it.

    What was archived is not here to be read, so a range begins behind it.
    """
    end, archived = LogHead.objects.get(pk=1).seq, archived_through()
    read = replace(wanted, first=max(wanted.first, archived + 1))
    report = verify(
        read.first,
        read.last,
        lambda seq: progress(seq - read.first + 1, read.steps(max(seq, end))),
        _published() if read.copy else (),
    )
    last = wanted.last or max(end, read.first - 1 + report.entries)
    content: dict[str, Any] = {
        "first": read.first,
        "last": last,
        "entries": report.entries,
        "head": report.head,
        "checkpoints": report.checkpoints,
        "forks": [_bounded(fork, _NAME_MAX) for fork in report.forks[:_FORKS_MAX]],
    }
    if wanted.first <= archived:
        content["archived"] = archived
    if report.fault:
        content["fault"] = {"seq": report.fault.seq, "what": _bounded(report.fault.what, _WHAT_MAX)}
    if wanted.copy:
        total, here = read.steps(last), last - read.first + 1
        content["copy"] = _compared(read, last, lambda seq: progress(here + seq - read.first + 1, total))
    return content


def _published() -> list[str]:
    """Checkpoints in the copy; where it cannot be asked, comparing says so."""
    try:
        with ship.client(settings.ELASTICSEARCH_READER_URL) as elasticsearch:
            return list(published_notes(elasticsearch))
    except (ApiError, TransportError) as error:
        log.warning("copy_not_asked", error=str(error)[:300], consequence="its checkpoints are not compared")
        return []


def _compared(wanted: Range, last: int, progress: Callable[[int], object]) -> dict[str, Any]:
    """`through`: what was shipped of the range; `differences`: how many; `first`: the first of them.

    `problem`: why it ended before its time; what was found until then counts.
    """
    content: dict[str, Any] = {"through": min(last, Shipping.objects.get(pk=1).shipped_through), "differences": 0}
    try:
        for one in _differences(wanted, progress):
            content.setdefault("first", {"seq": one.seq, "what": _bounded(one.what, _WHAT_MAX)})
            content["differences"] += 1
    except (ApiError, TransportError) as error:
        log.warning("copy_not_compared", error=str(error)[:300], consequence="the result says so")
        content["problem"] = "Elasticsearch could not be asked; the log of the worker has more."
    except _UNREADABLE as error:
        log.warning("copy_not_compared", error=repr(error)[:300], consequence="the result says so")
        content["problem"] = "An entry of the range cannot be read, so the copy cannot be held against it."
    return content


def _differences(wanted: Range, progress: Callable[[int], object]) -> Iterator[Difference]:
    with ship.client(settings.ELASTICSEARCH_READER_URL) as elasticsearch:
        yield from compare(elasticsearch, wanted.first, wanted.last, progress)


def _bounded(text: str, most: int) -> str:
    """Bytes of a forged entry may hold half a character pair, which has no UTF-8."""
    return text[:most].encode("utf-8", "replace").decode()
