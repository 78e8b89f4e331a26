"""What turned out to be true; what calibration and training learn from."""

from __future__ import annotations

from django.db import models

from tickets.models.people import User
from tickets.models.queue import Queue
from tickets.models.ticket import Ticket


class Origin(models.TextChoices):
    OVERRIDE = "override"
    CONFIRMATION = "confirmation"


class Label(models.Model):
    """The queue one version of a ticket belongs in, by the word of a person. Undoing that word revokes the label."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="labels")
    input_version = models.PositiveIntegerField()
    queue = models.CharField(max_length=16, choices=Queue)
    origin = models.CharField(max_length=16, choices=Origin)
    user = models.ForeignKey(User, null=True, on_delete=models.PROTECT)
    seq = models.BigIntegerField(unique=True)
    at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
