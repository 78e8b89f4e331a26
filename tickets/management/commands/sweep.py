"""The process that needs only the database: what no worker decides in time, it decides by the keyword rules."""

from __future__ import annotations

import signal
import socket
import threading
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error, close_old_connections, connection

from tickets import pipeline, presence, wake
from tickets.audit import checkpoints, ship
from tickets.audit.notes import NoteRefused
from tickets.models import ProcessKind, Waiting
from tickets.models.clock import database_now

log = structlog.get_logger(__name__)
_HEARTBEAT_EVERY, _TELL_EVERY = 5, 60
_told: dict[str, int] = {}


class Command(BaseCommand):
    help = "Decides overdue tickets by the keyword rules and wakes workers while anything waits. Runs until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="one round, then exit")
        parser.add_argument("--interval", type=float, default=1.0, help="seconds between rounds (default 1)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            self.stdout.write(f"{_round(0)} decided by the fallback")
            return
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        rounds = 0
        while not stopping.is_set():
            _careful_round(rounds)
            rounds += 1
            stopping.wait(options["interval"])


def _careful_round(number: int) -> None:
    try:
        _round(number)
    except Error as error:
        log.warning("sweep_failed", error=str(error), consequence="it tries again next second")
        connection.close()
    close_old_connections()


def _sign(number: int) -> None:
    """Tickets are decided whether or not their log can be signed. Why not is told once a minute."""
    try:
        pipeline.sign_if_due()
    except (checkpoints.LogContradicted, NoteRefused, OSError) as error:
        if number >= _told.get(str(error), 0):
            _told[str(error)] = number + _TELL_EVERY
            log.warning("not_signed", error=str(error), consequence="the log grows without new checkpoints")


def _round(number: int) -> int:
    presence.note(f"sweep@{socket.gethostname()}", ProcessKind.SWEEP)
    decided = 0
    while count := pipeline.fall_back():
        decided += count
        log.warning("fell_back", count=count)
    pipeline.give_up()
    _sign(number)
    # A knock now and then even when nothing waits: it is also how a worker comes to say that it is alive.
    idle = number % _HEARTBEAT_EVERY != 0
    if not idle or Waiting.objects.filter(available_at__lte=database_now()).exists():
        wake.knock(wake.SCORE)
    if settings.ELASTICSEARCH_URL and (not idle or ship.unshipped()):
        wake.knock(wake.SHIP)
    if pipeline.startable_jobs().exists():
        wake.knock(wake.JOBS)
    return decided
