"""The series of policy versions as the log tells it: who made each, when and why, and when it decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tickets.audit.timeline import Event, about, events_of
from tickets.models import Entry, Kind
from tickets.models.clock import moment

PERIODS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which a version decided. until: None while it does."""

    began: Event
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Version:
    """periods: the latest ones, latest first; earlier: how many more there were."""

    number: int
    created: Event
    periods: Sequence[Period]
    earlier: int

    @property
    def previous(self) -> int:
        """The version before it, or 0: numbers have no gaps."""
        return self.number - 1

    @property
    def is_active(self) -> bool:
        return any(period.until is None for period in self.periods)


@dataclass(frozen=True, slots=True)
class Series:
    versions: Sequence[Version]
    continues: bool


def series(before: int | None, size: int) -> Series:
    """At most `size` versions made before the entry `before`, latest first, in four queries."""
    made = Entry.objects.filter(about("policy"), kind=Kind.POLICY_CREATED).order_by("-seq")
    created = list((made if before is None else made.filter(seq__lt=before))[: size + 1])
    periods = _periods()
    shown = {entry.subject: periods[entry.subject][:PERIODS_SHOWN] for entry in created[:size]}
    began = _by_seq([seq for of_one in shown.values() for seq, _ in of_one])
    versions = [
        Version(
            number=int(event.entry.subject.removeprefix("policy:")),
            created=event,
            periods=[Period(began[seq], until) for seq, until in shown[event.entry.subject]],
            earlier=len(periods[event.entry.subject]) - len(shown[event.entry.subject]),
        )
        for event in events_of(created[:size])
    ]
    return Series(versions, len(created) > size)


def _periods() -> Mapping[str, list[tuple[int, datetime | None]]]:
    """By subject, latest first: the entry that began each, and when another one began. Without bodies: all are read."""
    begun = Entry.objects.filter(about("policy"), kind=Kind.POLICY_ACTIVATED).order_by("-seq")
    found: dict[str, list[tuple[int, datetime | None]]] = defaultdict(list)
    until = None
    for seq, subject, at in begun.values_list("seq", "subject", "at"):
        found[subject].append((seq, until))
        until = moment(at)
    return found


def _by_seq(seqs: Sequence[int]) -> dict[int, Event]:
    return {event.entry.seq: event for event in events_of(list(Entry.objects.filter(seq__in=seqs)))}
