"""manage.py reindex_decisions"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from elasticsearch import ApiError, TransportError

from tickets.audit.reindex import ReindexRefused, reindex
from tickets.audit.ship import client, indices_of
from tickets.models import LogHead


class Command(BaseCommand):
    help = (
        "Builds the Elasticsearch copy anew from the log, under the next generation, and swaps the alias to it. Needs "
        "ELASTICSEARCH_ADMIN_URL. The old generation stays until you delete it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.ELASTICSEARCH_ADMIN_URL:
            raise CommandError("Set ELASTICSEARCH_ADMIN_URL: http://user:password@host:9200")
        last = LogHead.objects.get(pk=1).seq

        def show(seq: int) -> None:
            if self.stderr.isatty():
                self.stderr.write(f"\r{seq:,} of {last:,}", style_func=str, ending="")

        try:
            with client(settings.ELASTICSEARCH_ADMIN_URL) as admin:
                generation = reindex(admin, show)
        except (ReindexRefused, ApiError, TransportError) as error:
            raise CommandError(f"Not swapped, the old copy stays in place: {error}") from error
        self.stdout.write(
            f"Generation {generation} is in place. Compare it: manage.py verify_log --elasticsearch. "
            f"Then the old one may go: DELETE {indices_of(generation - 1)}*"
        )
