"""manage.py setup_elasticsearch"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from elasticsearch import ApiError, Elasticsearch, TransportError

from tickets.audit.elasticsearch import install
from tickets.audit.ship import client
from tickets.models import Shipping

_EXAMPLE = "http://user:password@localhost:9200"


class Command(BaseCommand):
    help = "Installs the index template, roles and users of the log's copy. Can be run again."

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("ELASTICSEARCH_URL", "ELASTICSEARCH_ADMIN_URL"):
            if not getattr(settings, name):
                raise CommandError(f"Set {name}, for example {_EXAMPLE}")
        try:
            with _admin() as admin:
                install(admin, settings.ELASTICSEARCH_URL, settings.ELASTICSEARCH_READER_URL, _generation())
        except (ApiError, TransportError, ValueError) as error:
            raise CommandError(f"Elasticsearch refused: {error}") from error
        self.stdout.write("Elasticsearch is ready: template, writer and reader are installed.")


def _generation() -> int:
    """Of an empty database, before migrating, too."""
    try:
        return Shipping.objects.values_list("generation", flat=True).get(pk=1)
    except (Shipping.DoesNotExist, DatabaseError):
        return 1


def _admin() -> Elasticsearch:
    try:
        return client(settings.ELASTICSEARCH_ADMIN_URL)
    except ValueError:  # whose message repeats the URL, password and all
        raise CommandError(f"ELASTICSEARCH_ADMIN_URL is no URL; write one like {_EXAMPLE}") from None
