"""Thin Celery tasks: each calls one verb. No argument carries work; the work waits in the database."""

from __future__ import annotations

import mmap
import socket
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_process_init, worker_process_shutdown, worker_ready, worker_shutting_down
from django.conf import settings

from tickets import pipeline, presence, wake, warm
from tickets.audit import ship
from tickets.flow import score
from tickets.models import ProcessKind

_DRAIN_FOR = timedelta(seconds=10)
"""Then the task ends and knocks again, so that a stopping worker need not wait long, and the hard time limit
is there for one batch that hangs rather than for a long queue."""

_JOB_SECONDS = 12 * 60 * 60
"""As long as it takes to verify some hundreds of millions of entries. A job that hangs loses its lease long before."""

_stopping = mmap.mmap(-1, 1)
"""One byte that the worker shares with its child, 1 once it was told to stop. No lock, since a signal's handler writes
it. A child that is spawned rather than forked has one of its own, and stops when `_DRAIN_FOR` is over."""


@shared_task(name=wake.SCORE, bind=True)
def score_tickets(self: Any) -> None:
    pipeline.score_waiting(_worker_name(self.request.hostname), _DRAIN_FOR, _is_stopping)


@shared_task(name=wake.SHIP, bind=True)
def ship_entries(self: Any) -> None:
    presence.note(_worker_name(self.request.hostname), ProcessKind.HOUSEKEEPING)
    ship.ship_waiting()


@shared_task(name=wake.JOBS, bind=True, time_limit=_JOB_SECONDS)
def run_job(self: Any) -> None:
    while not _is_stopping() and pipeline.run_job(_worker_name(self.request.hostname), _is_stopping):
        pass


@worker_process_init.connect
def load_the_model(**kwargs: Any) -> None:
    """In the child: CUDA does not survive a fork. Housekeeping workers carry no model."""
    warm.say_not_ready()
    if _serves_scoring():
        score.scorer()
    if not _is_stopping():
        warm.say_ready()


@worker_shutting_down.connect
def claim_nothing_more(**kwargs: Any) -> None:
    """In the parent, at SIGTERM. The child ends the batch it has, and meanwhile the worker is not ready."""
    _stopping[0] = 1
    warm.say_not_ready()


@worker_process_shutdown.connect
def say_not_ready(**kwargs: Any) -> None:
    """In the child, which is replaced by one that has yet to load its model."""
    warm.say_not_ready()


@worker_ready.connect
def look_for_work(sender: Any, **kwargs: Any) -> None:
    """Knocks that came while no worker lived have expired."""
    for task, queue in wake.QUEUES.items():
        if queue in sender.app.amqp.queues.consume_from:
            wake.knock(task)


def _is_stopping() -> bool:
    return _stopping[0] == 1


def _serves_scoring() -> bool:
    from celery import current_app

    return wake.QUEUES[wake.SCORE] in current_app.amqp.queues.consume_from


def _worker_name(celery_name: str | None) -> str:
    return settings.WORKER_NAME or celery_name or socket.gethostname()
