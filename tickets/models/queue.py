"""The two queues a ticket can be in."""

from __future__ import annotations

from datetime import timedelta

from django.db import models


class Queue(models.TextChoices):
    """urgent exactly when score > threshold; equal is standard."""

    URGENT = "urgent"
    STANDARD = "standard"

    @property
    def first_response_within(self) -> timedelta:
        return _FIRST_RESPONSE_WITHIN[self]

    @property
    def other(self) -> Queue:
        return Queue.STANDARD if self is Queue.URGENT else Queue.URGENT

    @classmethod
    def of(cls, score: int, threshold: int) -> Queue:
        """The queue of a score; both in millionths."""
        return cls.URGENT if score > threshold else cls.STANDARD


_FIRST_RESPONSE_WITHIN = {Queue.URGENT: timedelta(minutes=15), Queue.STANDARD: timedelta(hours=8)}
