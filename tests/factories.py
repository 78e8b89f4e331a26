"""Plain makers of what tests need. Each goes through the pipeline, as production does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from tickets import pipeline
from tickets.flow.ingest import NewTicket
from tickets.models import ActivePolicy, ApiKey, Policy, Scope, Ticket, User, Waiting
from tickets.pipeline import Actor
from tickets.policy.versions import like

URGENT = "URGENT production outage, payments failing, data loss right now"
CALM = "Could you send me last month's invoice again when you have a moment? Thank you."
SOON = timedelta(seconds=30)
_numbers = count(1)


def new_ticket(body: str = URGENT, **values: Any) -> NewTicket:
    number = next(_numbers)
    given = {"subject": f"Ticket {number}", "email": f"{number}@example.com", "source": "api"} | values
    return NewTicket(body=body, **given)


def submitted(body: str = URGENT, **values: Any) -> Ticket:
    """A ticket that waits for its score."""
    return pipeline.submit([new_ticket(body, **values)])[0].ticket


def scored(body: str = URGENT, **values: Any) -> Ticket:
    """A ticket that the model has decided, with everything that waited before it."""
    ticket = submitted(body, **values)
    pipeline.score_waiting("test", SOON)
    return Ticket.objects.get(pk=ticket.pk)


def fallen_back(number: int, body: str = URGENT) -> list[Ticket]:
    """Tickets that passed their deadline, so that the keyword rules decided."""
    accepted = pipeline.submit([new_ticket(body) for _ in range(number)])
    pass_deadlines()
    pipeline.fall_back()
    return list(Ticket.objects.filter(pk__in=[one.ticket.pk for one in accepted]).order_by("pk"))


def pass_deadlines() -> None:
    """What waits with a deadline has passed it."""
    Waiting.objects.filter(deadline_at__isnull=False).update(deadline_at=timezone.now() - timedelta(seconds=1))


def end_leases() -> None:
    """Leases and pauses are over: whatever waits may be claimed."""
    Waiting.objects.update(available_at=timezone.now() - timedelta(seconds=1))


def person(role: str) -> User:
    user = User.objects.create_user(f"some-{role}-{next(_numbers)}", password="a long password")
    user.groups.add(Group.objects.get(name=role))
    return user


def acting(user: User) -> Actor:
    return Actor(f"user:{user.pk}", user)


def api_key(scopes: Iterable[str] = Scope.values, *, days: float = 1) -> str:
    """The secret of a key with the scopes; negative days: expired."""
    secret = ApiKey.fresh_secret()
    ApiKey.objects.create(
        name="test",
        prefix=ApiKey.prefix_of(secret),
        digest=ApiKey.digest_of(secret),
        scopes=sorted(scopes),
        expires_at=timezone.now() + timedelta(days=days),
    )
    return secret


def decide_by(**values: Any) -> Policy:
    """From now on a policy decides that is like the active one but for `values`."""
    by = Actor("test")
    policy = pipeline.draft_policy(like(ActivePolicy.current()) | values, by, "a test")
    pipeline.activate_policy(policy, by, "a test")
    return policy
