"""Which processes are alive, and which model each worker carries."""

from __future__ import annotations

from django.db import models


class ProcessKind(models.TextChoices):
    WORKER = "worker"
    HOUSEKEEPING = "housekeeping"
    SWEEP = "sweep"


class Process(models.Model):
    """The last word of one process. problem: why it does no work, in words for ops; empty when it works."""

    name = models.CharField(max_length=200, primary_key=True)
    kind = models.CharField(max_length=16, choices=ProcessKind)
    seen_at = models.DateTimeField()
    model_name = models.CharField(max_length=200, blank=True)
    problem = models.CharField(max_length=500, blank=True)
