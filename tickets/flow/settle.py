"""Steps 3 to 5 for a batch: decide and route each ticket, and draft what the log will say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scoring.types import Score
from tickets.flow import explaining, tally
from tickets.flow.decide import PolicyValues, Verdict, decide
from tickets.flow.origin import Origin, automatic, kind_of
from tickets.flow.record import Draft, record
from tickets.flow.route import ROUTED_FIELDS, route
from tickets.models import Cause, DecidedBy, Decision, Entry, Input, Kind, Policy, Ticket, Waiting


@dataclass(frozen=True, slots=True)
class Case:
    """One ticket about to be decided, with everything the decision comes from."""

    ticket: Ticket
    text: Input
    score: Score
    origin: Origin


def held_tickets(rows: Sequence[int]) -> dict[int, Ticket]:
    """The tickets, locked in one order everywhere so that no two transactions wait for each other."""
    tickets = Ticket.objects.select_for_update(of=("self",)).filter(pk__in=rows).order_by("pk")
    return {ticket.pk: ticket for ticket in tickets}


def held_ticket(ticket_id: int) -> Ticket:
    """One ticket, locked. Raises Ticket.DoesNotExist."""
    return Ticket.objects.select_for_update(of=("self",)).get(pk=ticket_id)


def latest_inputs(tickets: Mapping[int, Ticket]) -> dict[int, Input]:
    rows = Input.objects.filter(ticket__in=tickets.keys())
    return {row.ticket_id: row for row in rows if row.version == tickets[row.ticket_id].input_version}


def settle(cases: Sequence[Case], policy: Policy, values: PolicyValues, now: datetime) -> list[Entry]:
    """Decides, routes and records a batch inside the caller's transaction; the tickets in it are locked."""
    drafts, counts = [], Counter[str]()
    uncertain: list[int] = []
    for place, case in enumerate(cases):
        verdict = decide(values, case.score)
        kind = kind_of(case.origin.cause, case.ticket)
        by = DecidedBy.FALLBACK if kind is Kind.FALLBACK else DecidedBy.MODEL
        route(case.ticket, verdict, by, now)
        drafts.append(_draft(case, policy, values, verdict, kind))
        _count(counts, case, kind)
        if verdict.needs_check and kind is not Kind.FALLBACK:
            uncertain.append(place)
    if cases:
        tally.observe(counts, "batch", len(cases), tally.BATCH_BUCKETS)
    entries = record(drafts)
    point_at_decisions([case.ticket for case in cases], entries)
    explaining.ask([entries[place].seq for place in uncertain], "system", now)
    tally.add(counts)
    return entries


def point_at_decisions(tickets: Sequence[Ticket], entries: Sequence[Entry]) -> None:
    """Each ticket's latest decision, and whatever routing changed on it."""
    for ticket, entry in zip(tickets, entries, strict=True):
        ticket.decision = Decision(entry_id=entry.seq)
    # An upsert of rows that all exist: a quarter of the time of bulk_update, which builds a CASE for each field.
    Ticket.objects.bulk_create(tickets, update_conflicts=True, unique_fields=["id"], update_fields=ROUTED_FIELDS)


def wait_for_the_model(rows: Sequence[Waiting]) -> None:
    """After a fallback the ticket still waits for its model score, behind live tickets and without a deadline."""
    for row in rows:
        row.cause, row.lane, row.deadline_at = Cause.LATE, 1, None
    Waiting.objects.bulk_update(rows, ["cause", "lane", "deadline_at"])


def _draft(case: Case, policy: Policy, values: PolicyValues, verdict: Verdict, kind: Kind) -> Draft:
    content = automatic(case.ticket, case.text, policy, values, case.score, verdict, case.origin)
    return Draft(kind, f"ticket:{case.ticket.pk}", case.origin.actor, content)


def _count(counts: Counter[str], case: Case, kind: Kind) -> None:
    counts[f"decided:{kind}:{case.ticket.queue}"] += 1
    for stage, milliseconds in case.origin.milliseconds.items():
        tally.observe(counts, f"latency:{stage}", milliseconds, tally.LATENCY_BUCKETS_MS)
