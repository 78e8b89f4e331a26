"""manage.py api_key NAME --scope tickets:write --scope tickets:read"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from tickets import pipeline
from tickets.flow.record import Draft
from tickets.models import ApiKey, Kind, Scope

_LONGEST_NAME = 100
_MOST_DAYS = 3_650


class Command(BaseCommand):
    help = "Makes an API key and prints it, alone and only this once; the database keeps its SHA-256."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="who will use it, for people to read")
        parser.add_argument("--scope", action="append", choices=Scope.values, required=True, help="may be repeated")
        parser.add_argument("--days", type=int, default=365, help="days until it expires (default 365)")

    def handle(self, *args: Any, **options: Any) -> None:
        name, days = options["name"].strip(), options["days"]
        if not 1 <= days <= _MOST_DAYS:
            raise CommandError(f"--days must be 1 to {_MOST_DAYS:,}.")
        if not name.isprintable() or not 1 <= len(name) <= _LONGEST_NAME:
            raise CommandError(f"The name must be 1 to {_LONGEST_NAME} characters on one line.")
        secret = ApiKey.fresh_secret()
        with transaction.atomic():
            key = ApiKey.objects.create(
                name=name,
                prefix=ApiKey.prefix_of(secret),
                digest=ApiKey.digest_of(secret),
                scopes=sorted(set(options["scope"])),
                expires_at=timezone.now() + timedelta(days=days),
            )
            content = {"name": key.name, "scopes": key.scopes, "days": days}
            pipeline.note(Draft(Kind.KEY_CREATED, f"key:{key.pk}", "command", content))
        # The secret stands alone on standard output; its number is for `revoke_key`.
        self.stderr.write(f"key {key.pk}", style_func=str)
        self.stdout.write(secret)
