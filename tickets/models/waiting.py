"""What waits for a score. Small and hot: a row lives from acceptance until its model score is recorded."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from tickets.models.ticket import Ticket


class Lane(models.IntegerChoices):
    """Served in this order."""

    LIVE = 0
    LATE = 1
    IMPORT = 2


class Cause(models.TextChoices):
    """Why an automatic decision is made."""

    NEW = "new"
    MESSAGE = "message"
    DEADLINE = "deadline"
    FAILURES = "failures"
    LATE = "late"


class Waiting(models.Model):
    """One ticket that waits, and who is at it.

    available_at: a worker may claim the row from then on. A claim moves it behind its lease, a failure behind a pause,
    so an expired lease needs no cleaning up: the row is simply available again.
    claim: the fencing token of whoever claimed last; 0 when the text changed since, so an old score finds nothing.
    attempts: claims of this input version so far.
    """

    ticket = models.OneToOneField(Ticket, on_delete=models.CASCADE, primary_key=True, related_name="waiting")
    input_version = models.PositiveIntegerField()
    cause = models.CharField(max_length=16, choices=Cause, default=Cause.NEW)
    lane = models.PositiveSmallIntegerField(choices=Lane, default=Lane.LIVE)
    accepted_at = models.DateTimeField()
    deadline_at = models.DateTimeField(null=True)
    available_at = models.DateTimeField()
    claim = models.BigIntegerField(default=0, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["lane", "ticket"], name="waiting_in_turn"),
            models.Index(fields=["deadline_at"], name="waiting_overdue", condition=Q(deadline_at__isnull=False)),
        ]
