"""Tells workers there is work: on commit, coalesced, never failing or delaying a request.

A message is a knock, not a letter: it carries nothing, expires after seconds, and losing one costs little, since
`sweep` knocks again each second while anything waits. Brokers drop an expired message only when a worker takes it, so
where none does, a queue that became long is emptied before the next knock.
"""

from __future__ import annotations

import os
import threading
import time
from functools import partial

import structlog
from celery import current_app
from django.db import transaction

SCORE = "tickets.score_tickets"
SHIP = "tickets.ship_entries"
JOBS = "tickets.run_job"
QUEUES = {SCORE: "score", SHIP: "housekeeping", JOBS: "housekeeping"}
KNOCK_EXPIRES_SECONDS = 5
MOST_KNOCKS = 100
"""In a queue, give or take those that are sent at the same moment; more would wake nobody."""
# Between two knocks: short beside the time to score a ticket, long beside the time to send a message.
_PAUSE_SECONDS = 0.02
_PAUSE_AFTER_FAILURE_SECONDS = 2

log = structlog.get_logger(__name__)


def on_commit(task: str) -> None:
    """Knocks for `task` when the current transaction has committed, at once where there is none."""
    transaction.on_commit(partial(knock, task), robust=True)


def knock(task: str) -> None:
    """Asks this process's knocker to send a message soon. Returns at once."""
    _knocker(task).rang.set()


def send(task: str) -> None:
    """Sends the message now, the only one in its queue where too many stood. Raises what the broker raises."""
    queue = QUEUES[task]
    with current_app.producer_or_acquire() as producer:
        if producer.channel.queue_declare(queue).message_count >= MOST_KNOCKS:
            producer.channel.queue_purge(queue)
        current_app.send_task(
            task, queue=queue, expires=KNOCK_EXPIRES_SECONDS, ignore_result=True, retry=False, producer=producer
        )


class _Knocker(threading.Thread):
    """Sends one message for all that rang while it was busy; rung after a commit, so no commit goes unheard."""

    def __init__(self, task: str) -> None:
        super().__init__(name=f"knock {task}", daemon=True)
        self.task = task
        self.rang = threading.Event()

    def run(self) -> None:
        while True:
            self.rang.wait()
            self.rang.clear()
            time.sleep(self._send())

    def _send(self) -> float:
        try:
            send(self.task)
        except Exception as error:
            log.warning("wake_failed", task=self.task, error=str(error), consequence="sweep will try again")
            return _PAUSE_AFTER_FAILURE_SECONDS
        return _PAUSE_SECONDS


_knockers: dict[tuple[int, str], _Knocker] = {}
_lock = threading.Lock()


def _knocker(task: str) -> _Knocker:
    """One thread for each task in each process: a fork leaves its parent's threads behind."""
    key = (os.getpid(), task)
    with _lock:
        if key not in _knockers or not _knockers[key].is_alive():
            _knockers[key] = _Knocker(task)
            _knockers[key].start()
        return _knockers[key]
