"""Each process says now and then that it is alive, and why it does no work if it does none."""

from __future__ import annotations

import time
from datetime import timedelta

from tickets.models import Process, ProcessKind
from tickets.models.clock import database_now

ALIVE_WITHIN = timedelta(seconds=20)
_SAY_IT_EVERY_SECONDS = 2.0
_said: dict[str, tuple[float, str]] = {}


def note(name: str, kind: ProcessKind, model_name: str = "", problem: str = "") -> None:
    """At most every two seconds, at once when the problem changed."""
    said_at, said_problem = _said.get(name, (float("-inf"), ""))
    if time.monotonic() - said_at < _SAY_IT_EVERY_SECONDS and problem == said_problem:
        return
    _said[name] = (time.monotonic(), problem)
    Process.objects.update_or_create(
        name=name,
        defaults={
            "kind": kind,
            "seen_at": database_now(),
            "model_name": model_name,
            "problem": problem[:500],
        },
    )


def alive() -> list[Process]:
    """Processes heard of lately, by name."""
    return list(Process.objects.filter(seen_at__gte=database_now() - ALIVE_WITHIN).order_by("name"))
