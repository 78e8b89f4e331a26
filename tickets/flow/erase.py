"""A person is erased: all that is stored about them goes for good, and the log keeps digests that nobody can open.

Their tickets go as rows and are not kept empty. An empty ticket would stand in a queue as work and take the next
message of an integration, so that the person's words came back; a missing one is a 404 to every page and verb already,
and whatever hangs from a ticket goes with it. Decisions and running totals name a ticket by its number alone, which is
never given again, so they stay: counts by queue, kind, policy and day do not move. Only what counts rows of tickets,
the inflow of the last day and the median time to a decision, falls by what was erased.

Labels go, too: a word about a text that is gone can be judged by nobody, and who is erased shapes no map any more. That
somebody confirmed or overrode is an entry of the log and is counted from there; calibrations hold figures alone.

Whoever writes again is a new person; a source and external id, or an Idempotency-Key, known before makes a new ticket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from django.db.models import CharField, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from tickets.flow.record import Draft
from tickets.models import (
    Decision,
    Entry,
    IdempotencyKey,
    Input,
    Job,
    Kind,
    Label,
    LegalHold,
    Message,
    Reason,
    Requester,
    SavedSearch,
    Ticket,
    Waiting,
)


class NobodyStored(Exception):
    """There is nobody with this address, so nothing to erase."""


class Held(Exception):
    """A legal hold keeps the person, one of their tickets, or the log; says which."""


class ReasonNamesPerson(ValueError):
    """The reason of an erasure is stored, so it must not hold what is erased."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored about a person. tickets: numbers; inputs: digests; reasons: seqs of the entries they stand beside.

    counts: rows by kind, those three and all others.
    """

    person: int
    tickets: list[int]
    inputs: list[str]
    reasons: list[int]
    counts: dict[str, int]


def find(email: str) -> Requester:
    """The address in any case, as it is stored in one. Raises NobodyStored."""
    return _found(Requester.objects.all(), email)


def hold(email: str) -> Requester:
    """The person and their tickets, locked until the end of the transaction. Raises NobodyStored.

    The person first: a submission that is under way fails at its commit then, and is stored anew as a new person's.
    """
    person = _found(Requester.objects.select_for_update(), email)
    list(_tickets(person).select_for_update().order_by("pk").values_list("pk"))
    list(Waiting.objects.filter(ticket__in=_tickets(person)).select_for_update().order_by("pk").values_list("pk"))
    return person


def stored_about(person: Requester) -> Stored:
    tickets = list(_tickets(person).order_by("pk").values_list("pk", flat=True))
    inputs = Input.objects.filter(ticket__requester=person).order_by("ticket", "version")
    reasons = list(_reasons(person).order_by("pk").values_list("pk", flat=True))
    others = with_tickets(person) | {"jobs": _jobs(person), "saved_searches": _searches(person)}
    counts = {name: rows.count() for name, rows in others.items()}
    return Stored(
        person=person.pk,
        tickets=tickets,
        inputs=list(inputs.values_list("digest", flat=True)),
        reasons=reasons,
        counts={"tickets": len(tickets), "reasons": len(reasons)} | counts,
    )


def with_tickets(person: Requester) -> dict[str, QuerySet[Any]]:
    """Rows that hang from the person's tickets, by the name their count has in the log."""
    theirs = Q(ticket__requester=person)
    return {
        "messages": Message.objects.filter(theirs),
        "inputs": Input.objects.filter(theirs),
        "labels": Label.objects.filter(theirs),
        "waiting": Waiting.objects.filter(theirs),
        "idempotency_keys": IdempotencyKey.objects.filter(theirs),
    }


def refuse_to_name(person: Requester, reason: str) -> None:
    """Raises ReasonNamesPerson."""
    names = [re.escape(name) for name in (person.email, person.name) if name]
    if re.search(rf"(?<!\w)({'|'.join(names)})(?!\w)", reason, re.IGNORECASE):
        raise ReasonNamesPerson("The reason names the person, and it is kept: say it without name and address.")


def refuse_held(stored: Stored) -> None:
    """Raises Held. No hold comes in between where the head of the log is locked already."""
    subjects = ["log", f"person:{stored.person}", *(f"ticket:{ticket}" for ticket in stored.tickets)]
    held = LegalHold.objects.filter(released_at=None, subject__in=subjects).order_by("seq").first()
    if held:
        raise Held(
            f"Nothing is erased: a legal hold keeps {held.subject} since {held.since:%Y-%m-%d} (entry {held.seq} says "
            f"why). Release it first: manage.py legal_hold release {held.subject}"
        )


def forget(person: Requester) -> None:
    """Deletes all that `stored_about` counts, and the person. Call while they are held."""
    _jobs(person).delete()
    _searches(person).delete()
    _reasons(person).delete()
    _tickets(person).delete()
    person.delete()


def certificate(stored: Stored, actor: str, reason: str) -> Draft:
    """What the log says of it: nothing personal, and which digests can no longer be opened."""
    content = {
        "tickets": stored.tickets,
        "inputs": stored.inputs,
        "reasons": stored.reasons,
        "counts": stored.counts,
    }
    return Draft(Kind.ERASED, f"person:{stored.person}", actor, content, reason)


def _found(people: QuerySet[Requester], email: str) -> Requester:
    person = people.filter(email=email.strip().lower()).first()
    if person is None:
        raise NobodyStored(f"Nobody here has the address {email.strip()!r}, or they are erased: nothing is left.")
    return person


def _tickets(person: Requester) -> QuerySet[Ticket]:
    return Ticket.objects.filter(requester=person)


def _reasons(person: Requester) -> QuerySet[Reason]:
    """Beside entries about their tickets, and wherever the address was written, as by who searched the log for it."""
    entries = Entry.objects.filter(subject__in=_named("ticket", _tickets(person), "pk"))
    return Reason.objects.filter(Q(seq__in=entries.values("seq")) | Q(text__icontains=person.email))


def _searches(person: Requester) -> QuerySet[SavedSearch]:
    """Whose name or address holds the person's. Read here: escapes in an address have no case to ignore."""
    rows = SavedSearch.objects.values_list("pk", "name", "query")
    named = [pk for pk, name, query in rows if person.email in f"{name}\n{unquote_plus(query)}".lower()]
    return SavedSearch.objects.filter(pk__in=named)


def _jobs(person: Requester) -> QuerySet[Job]:
    decisions = Decision.objects.filter(ticket_id__in=_tickets(person).values("pk"))
    return Job.objects.filter(subject__in=_named("decision", decisions, "entry"))


def _named(noun: str, rows: QuerySet[Any], number: str) -> QuerySet[Any]:
    """As entries and jobs name their subject: "ticket:12"."""
    return rows.annotate(named=Concat(Value(f"{noun}:"), Cast(number, CharField()))).values("named")
