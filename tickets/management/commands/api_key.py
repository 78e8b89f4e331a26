"""manage.py api_key NAME --scope tickets:write --scope tickets:read"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from tickets import pipeline
from tickets.flow.record import Draft
from tickets.models import ApiKey, Kind, Scope


class Command(BaseCommand):
    help = "Makes an API key and prints it, alone and only this once; the database keeps its SHA-256."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="who will use it, for people to read")
        parser.add_argument("--scope", action="append", choices=Scope.values, required=True, help="may be repeated")
        parser.add_argument("--days", type=int, default=365, help="days until it expires (default 365)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["days"] < 1:
            raise CommandError("--days must be at least 1.")
        secret = ApiKey.fresh_secret()
        key = ApiKey.objects.create(
            name=options["name"],
            prefix=ApiKey.prefix_of(secret),
            digest=ApiKey.digest_of(secret),
            scopes=sorted(set(options["scope"])),
            expires_at=timezone.now() + timedelta(days=options["days"]),
        )
        content = {"name": key.name, "scopes": key.scopes, "days": options["days"]}
        pipeline.note(Draft(Kind.KEY_CREATED, f"key:{key.pk}", "command", content))
        self.stdout.write(secret)
