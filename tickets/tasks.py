"""Thin Celery tasks: each calls one verb. No argument carries work; the work waits in the database."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_process_init, worker_ready
from django.conf import settings

from tickets import pipeline, presence, wake
from tickets.audit import ship
from tickets.flow import score
from tickets.models import ProcessKind

_DRAIN_FOR = timedelta(seconds=10)
"""Then the task ends and knocks again, so that a stopping worker need not wait long, and the hard time limit
is there for one batch that hangs rather than for a long queue."""


@shared_task(name=wake.SCORE, bind=True)
def score_tickets(self: Any) -> None:
    pipeline.score_waiting(_worker_name(self.request.hostname), _DRAIN_FOR)


@shared_task(name=wake.SHIP, bind=True)
def ship_entries(self: Any) -> None:
    presence.note(_worker_name(self.request.hostname), ProcessKind.HOUSEKEEPING)
    ship.ship_waiting()


@worker_process_init.connect
def load_the_model(**kwargs: Any) -> None:
    """In the child: CUDA does not survive a fork. Housekeeping workers carry no model."""
    if _serves_scoring():
        score.scorer()


@worker_ready.connect
def look_for_work(sender: Any, **kwargs: Any) -> None:
    """Knocks that came while no worker lived have expired."""
    for task, queue in wake.QUEUES.items():
        if queue in sender.app.amqp.queues.consume_from:
            wake.knock(task)


def _serves_scoring() -> bool:
    from celery import current_app

    return wake.QUEUES[wake.SCORE] in current_app.amqp.queues.consume_from


def _worker_name(celery_name: str | None) -> str:
    return settings.WORKER_NAME or celery_name or socket.gethostname()
