"""From the actors of the log ("user:1", "key:2", "worker:a", "sweep") to names a reader knows."""

from __future__ import annotations

from collections.abc import Iterable

from tickets.models import ApiKey, User


def names_of(actors: Iterable[str]) -> dict[str, str]:
    """A name for each actor; at most two queries, and none for actors that are no people and no keys."""
    wanted = set(actors)
    names = {actor: actor for actor in wanted}
    if ids := _ids(wanted, "user"):
        for user in User.objects.filter(pk__in=ids):
            names[f"user:{user.pk}"] = user.get_full_name() or user.get_username()
    if ids := _ids(wanted, "key"):
        names |= {
            f"key:{pk}": f"key {name}" for pk, name in ApiKey.objects.filter(pk__in=ids).values_list("pk", "name")
        }
    return names


def _ids(actors: set[str], kind: str) -> list[int]:
    parts = [actor.split(":", 1) for actor in actors if actor.startswith(f"{kind}:")]
    return [int(pk) for _, pk in parts if pk.isdecimal()]
