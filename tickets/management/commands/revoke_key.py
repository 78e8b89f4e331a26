"""manage.py revoke_key KEY"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tickets import pipeline
from tickets.models import ApiKey


class Command(BaseCommand):
    help = "Revokes an API key, for good: from now on it opens nothing. The log says so."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="its number, or the 8 characters after tri_")

    def handle(self, *args: Any, **options: Any) -> None:
        key = _named(options["key"].strip())
        try:
            entry = pipeline.revoke_key(key.pk, pipeline.Actor("command"))
        except pipeline.RevokedBefore as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Key {key.pk} ({key.name}) is revoked: entry {entry.seq}")


def _named(written: str) -> ApiKey:
    keys = list(ApiKey.objects.order_by("pk"))
    found = [key for key in keys if written in (str(key.pk), key.prefix)]
    if len(found) > 1:
        raise CommandError(f"More than one key is {written!r}; name it in another way:\n{_listed(found)}")
    if not found:
        valid = [key for key in keys if key.revoked_at is None]
        raise CommandError(f"There is no key {written!r}. Not revoked are:\n{_listed(valid) or 'none'}")
    return found[0]


def _listed(keys: Iterable[ApiKey]) -> str:
    """Number, prefix and name, one key a line."""
    return "\n".join(f"{key.pk} {key.prefix} {key.name}" for key in keys)
