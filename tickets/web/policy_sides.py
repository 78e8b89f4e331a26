"""The two versions that a page compares, each with what the log says of its making."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tickets.audit.timeline import Event, events_of
from tickets.models import Entry, Kind, Policy
from tickets.policy.versions import content_of
from tickets.web.names import names_of


@dataclass(frozen=True, slots=True)
class Side:
    """created: None where the log has no such entry. differing: values in which the row is not what the log says."""

    policy: Policy
    created: Event | None
    who: str
    differing: Sequence[str]


def sides(policies: Mapping[int, Policy], numbers: Sequence[int]) -> list[Side]:
    """One for each number, in order; in four queries."""
    subjects = {f"policy:{number}": number for number in numbers}
    entries = Entry.objects.filter(subject__in=subjects, kind=Kind.POLICY_CREATED)
    made = {subjects[event.entry.subject]: event for event in events_of(list(entries))}
    names = names_of(event.entry.actor for event in made.values())
    return [_side(policies[number], made.get(number), names) for number in numbers]


def _side(policy: Policy, created: Event | None, names: Mapping[str, str]) -> Side:
    if created is None:
        return Side(policy, None, "", ())
    body = json.loads(bytes(created.entry.body))
    differing = [name.replace("_", " ") for name, value in content_of(policy).items() if body.get(name) != value]
    return Side(policy, created, names[created.entry.actor], differing)
