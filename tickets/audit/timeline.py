"""What the log says about one ticket, in the order it happened, and what one person or key did, latest first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from tickets.audit.facts import Fact, facts_of
from tickets.models import Entry, Kind, Reason
from tickets.models.clock import microseconds, moment
from tickets.models.entry import BY_SOMEBODY, DECISIONS
from tickets.models.input import digest_of

_ERASURES_READ = 1_000


@dataclass(frozen=True, slots=True)
class Event:
    """An entry as a reader needs it. is_erased: a reason was given whose text is no longer stored.

    is_forged: the text that is stored is not the one that was given, by the entry's digest.
    """

    entry: Entry
    facts: tuple[Fact, ...]
    reason: str
    is_erased: bool
    is_forged: bool

    @property
    def at(self) -> datetime:
        return moment(self.entry.at)


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page. continues: there is more of it behind its last event."""

    events: Sequence[Event]
    continues: bool


@dataclass(frozen=True, slots=True)
class Acts:
    """Which acts of an actor: every given condition must hold. since is included, until is not; before: a seq."""

    actor: str
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


def of_ticket(number: int, after: int, size: int) -> Timeline:
    """At most `size` events behind the entry `after`, oldest first."""
    about_it = Entry.objects.filter(subject=f"ticket:{number}")
    entries = list(about_it.filter(seq__gt=after).order_by("seq")[: size + 1])
    earlier = about_it.filter(seq__lte=after, kind__in=DECISIONS).order_by("-seq").first() if after else None
    return Timeline(events_of(entries[:size], _body(earlier)["queue"] if earlier else ""), len(entries) > size)


def of_actor(acts: Acts, size: int) -> Timeline:
    """At most `size` events, latest first."""
    entries = list(acts_of(acts)[: size + 1])
    return Timeline(events_of(entries[:size]), len(entries) > size)


def acts_of(acts: Acts) -> QuerySet[Entry]:
    """Latest first."""
    conditions = {
        "kind": acts.kind or None,
        "at__gte": acts.since and microseconds(acts.since),
        "at__lt": acts.until and microseconds(acts.until),
        "seq__lt": acts.before,
    }
    given = {name: value for name, value in conditions.items() if value is not None}
    return Entry.objects.filter(BY_SOMEBODY, actor=acts.actor, **given).order_by("-seq")


def erasure_of(ticket: int) -> Event | None:
    """What says that the ticket was erased; None where none of the first thousand erasures since names it."""
    last = Entry.objects.filter(subject=f"ticket:{ticket}").order_by("-seq").values("seq")[:1]
    since = last[0]["seq"] if last else 0
    erasures = Entry.objects.filter(about("person"), kind=Kind.ERASED, seq__gt=since).order_by("seq")
    naming = (entry for entry in erasures[:_ERASURES_READ] if ticket in _body(entry)["tickets"])
    return next(iter(events_of(list(islice(naming, 1)))), None)


def about(noun: str) -> Q:
    """Entries with a subject such as "policy:3", by its index.

    PostgreSQL's order of punctuation depends on the installation, so only LIKE is right there; SQLite has no index for
    LIKE, and orders by bytes.
    """
    if connection.vendor == "sqlite":
        return Q(subject__gte=f"{noun}:", subject__lt=f"{noun};")
    return Q(subject__startswith=f"{noun}:")


def events_of(entries: Sequence[Entry], queue: str | None = None) -> list[Event]:
    """In the order given, in one query. queue: where the ticket was before the first; None where they are no story."""
    reasons = Reason.objects.in_bulk([entry.seq for entry in entries])
    events = []
    for entry in entries:
        body, reason = _body(entry), reasons.get(entry.seq)
        events.append(
            Event(
                entry,
                facts_of(body, queue or ""),
                reason.text if reason else "",
                is_erased="reason_digest" in body and reason is None,
                is_forged=reason is not None and digest_of(reason.nonce, reason.text) != body.get("reason_digest"),
            )
        )
        queue = None if queue is None else body.get("queue", queue)
    return events


def _body(entry: Entry) -> dict[str, Any]:
    return json.loads(bytes(entry.body))
