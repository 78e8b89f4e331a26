"""Each dependency in a word, or in a sentence where something is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from celery import current_app
from django.conf import settings
from django.db import Error, connection

from tickets import presence
from tickets.audit import checkpoints, ship
from tickets.models import ProcessKind, ShippingFailure
from tickets.models.clock import database_now

OK = "ok"
_SIGNED_WITHIN = timedelta(minutes=2)


def checks() -> dict[str, str]:
    """By name: "ok", or what is wrong and what to do."""
    results = {"database": _database()}
    if results["database"] != OK:
        return results
    return results | {
        "broker": _careful(_broker),
        "elasticsearch": _careful(_elasticsearch),
        "checkpoints": _careful(_checkpoints),
        **_processes(),
    }


def _careful(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        return f"unreachable: {error}".strip()[:300]
    return OK


def _broker() -> str:
    with current_app.connection_for_write(connect_timeout=1, transport_options={"socket_timeout": 2}) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    return OK


def _elasticsearch() -> str:
    if not settings.ELASTICSEARCH_URL:
        return "not configured; the database answers searches"
    with ship.client(settings.ELASTICSEARCH_URL).options(request_timeout=2) as elasticsearch:
        elasticsearch.security.authenticate()
    behind, failures = ship.unshipped(), ShippingFailure.objects.count()
    if failures:
        return f"{failures} entries refused; see the table of shipping failures"
    return OK if behind < ship.BATCH else f"{behind} entries behind"


def _checkpoints() -> str:
    if checkpoints.waits_since(database_now() - _SIGNED_WITHIN):
        return "entries have waited for their signature for minutes; sweep logs why as not_signed"
    return OK


def _processes() -> dict[str, str]:
    alive = presence.alive()
    workers = [process for process in alive if process.kind == ProcessKind.WORKER]
    swept = any(process.kind == ProcessKind.SWEEP for process in alive)
    return {
        "sweep": OK if swept else "not heard of lately; start: manage.py sweep",
        "score workers": OK if any(not worker.problem for worker in workers) else "none able to score is alive",
        **{f"worker {worker.name}": worker.problem or OK for worker in workers},
    }
