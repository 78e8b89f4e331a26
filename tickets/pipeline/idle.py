"""What a score worker takes up when nothing waits for a score."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from scoring.types import Model
from tickets.flow import jobs
from tickets.flow.jobs import Held
from tickets.models import ActivePolicy, JobKind
from tickets.models.clock import database_now
from tickets.pipeline.carrying import problem


def take(kind: JobKind, model: Model) -> Held | None:
    """The oldest job of the kind, held; None where there is none, or this worker may not ask its model."""
    now = database_now()
    if problem(ActivePolicy.current(), model) or not jobs.waiting(kind, now).exists():
        return None
    with transaction.atomic():
        return jobs.claim(jobs.waiting(kind, now), now, settings.LEASE)
