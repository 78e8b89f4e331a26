"""Work that is asked for and done later by a worker. The row is the queue; a message only wakes."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class JobKind(models.TextChoices):
    EXPLAIN = "explain"
    VERIFY = "verify"
    REPLAY = "replay"


class JobState(models.TextChoices):
    OPEN = "open"
    FAILED = "failed"


class Job(models.Model):
    """subject: what it is about, such as "decision:12"; one open job for each subject and kind. actor: who asked.
    progress, total: how far it is, in steps of its own; total is 0 while nobody knows. Cancelling is deleting the row.

    available_at, claim, attempts: as for a ticket that waits (see Waiting). A job that is done is deleted: its result
    is in the log.
    """

    kind = models.CharField(max_length=16, choices=JobKind)
    subject = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=JobState, default=JobState.OPEN)
    problem = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    available_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    claim = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    progress = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(state=JobState.OPEN), name="one_open_job_a_subject"
            )
        ]
        indexes = [
            models.Index(fields=["kind", "id"], condition=Q(state=JobState.OPEN), name="open_jobs"),
            models.Index(fields=["subject", "kind"], name="jobs_of_subject"),
        ]
