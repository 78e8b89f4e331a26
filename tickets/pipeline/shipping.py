"""Entries go to the second witness as soon as they are committed, where there is one."""

from __future__ import annotations

from django.conf import settings

from tickets import wake


def ship_on_commit() -> None:
    if settings.ELASTICSEARCH_URL:
        wake.on_commit(wake.SHIP)
