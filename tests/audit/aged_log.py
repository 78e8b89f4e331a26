"""A log that is months long within a second, and an archive of its beginning."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tests.commands.running import output_of
from tests.factories import URGENT, acting, person, scored
from tickets import pipeline
from tickets.audit.archive import beginning_of
from tickets.audit.verify import Fault, verify
from tickets.flow.record import Draft, record
from tickets.models import Archive, Kind, LogHead, Queue, Ticket
from tickets.models.clock import microseconds

JANUARY, FEBRUARY, MARCH, APRIL = "2098-01", "2098-02", "2098-03", "2098-04"


def month_begins(month: str) -> datetime:
    """From now on entries are of this month: times in the log never fall, and those of months to come are later."""
    LogHead.objects.update(at=microseconds(beginning_of(month)))
    return beginning_of(month)


def fill(number: int) -> None:
    record([Draft(Kind.EXPORTED, "log", "test", {"through": n}) for n in range(number)])


def months() -> Ticket:
    """A ticket decided and moved by a person, the first of a log of three months and more than two tiles."""
    moved = scored(URGENT)
    pipeline.override(moved.pk, Queue(moved.queue).other, acting(person("agent")), "no outage")
    month_begins(JANUARY)
    fill(1_100)
    pipeline.sign_log()
    month_begins(FEBRUARY)
    fill(1_100)
    month_begins(MARCH)
    fill(3)
    return moved


def archive(folder: Path, before: str, *more: str) -> str:
    """What the command prints."""
    return output_of("archive_log", "--before", before, "--to", str(folder), "--reason", "Kept for two months", *more)


def latest() -> Archive:
    found = Archive.latest()
    assert found is not None
    return found


def fault() -> Fault:
    """What verifying finds; it must find something."""
    found = verify().fault
    assert found is not None
    return found
