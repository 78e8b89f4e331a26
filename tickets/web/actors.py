"""Who can act under a name of their own: people with a role, and keys of programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.timezone import now

from tickets.models import ApiKey, User


@dataclass(frozen=True, slots=True)
class Somebody:
    """actor: as the log names them. may: roles or scopes. state: why they cannot act now, or empty."""

    actor: str
    name: str
    may: str
    since: datetime
    state: str


def people(after: int, size: int) -> tuple[list[Somebody], bool]:
    """At most `size` people with a role and a higher number than `after`, and whether there are more."""
    with_a_role = User.objects.filter(Q(groups__isnull=False) | Q(is_superuser=True), pk__gt=after).distinct()
    found = list(with_a_role.prefetch_related("groups").order_by("pk")[: size + 1])
    return [_person(user) for user in found[:size]], len(found) > size


def keys(after: int, size: int) -> tuple[list[Somebody], bool]:
    """At most `size` keys with a higher number than `after`, and whether there are more."""
    found = list(ApiKey.objects.filter(pk__gt=after).order_by("pk")[: size + 1])
    return [_key(key) for key in found[:size]], len(found) > size


def last_number(shown: Sequence[Somebody]) -> int:
    return int(shown[-1].actor.partition(":")[2])


def _person(user: User) -> Somebody:
    roles = sorted(group.name for group in user.groups.all()) + (["superuser"] if user.is_superuser else [])
    name = user.get_full_name() or user.get_username()
    return Somebody(f"user:{user.pk}", name, ", ".join(roles), user.date_joined, "" if user.is_active else "inactive")


def _key(key: ApiKey) -> Somebody:
    state = "revoked" if key.revoked_at else "expired" if key.expires_at <= now() else ""
    return Somebody(f"key:{key.pk}", key.name, ", ".join(key.scopes), key.created_at, state)
