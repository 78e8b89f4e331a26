"""A numbered version of "how we decide". Content never changes; what it is used for is a series of events."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import models

from tickets.models.calibration import Calibration
from tickets.models.people import User

MILLION = 1_000_000


class RegisteredModel(models.Model):
    """A scorer's identity that policies may name. digest: SHA-256 of its weights.

    learned_until: the time of the last label here that it learned from; None where it learned from none of them.
    """

    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    registered_at = models.DateTimeField(auto_now_add=True)
    learned_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "digest"], name="one_row_per_model")]

    def __str__(self) -> str:
        return self.name


class Policy(models.Model):
    """How we decide, under one number. threshold and review_band in millionths; band: distance from the threshold."""

    # Counted by hand while the active row is locked: a sequence would leave gaps.
    number = models.PositiveIntegerField(primary_key=True)
    threshold = models.PositiveIntegerField()
    review_band = models.PositiveIntegerField()
    rubric = models.TextField()
    model = models.ForeignKey(RegisteredModel, on_delete=models.PROTECT)
    calibration = models.ForeignKey(Calibration, on_delete=models.PROTECT)
    style_ranges = models.JSONField(default=dict)
    reply_floor = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT)
    reason = models.CharField(max_length=500)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.CheckConstraint(condition=models.Q(threshold__lte=MILLION), name="threshold_is_a_probability"),
            models.CheckConstraint(condition=models.Q(review_band__lte=MILLION), name="band_is_a_probability"),
        ]

    def __str__(self) -> str:
        return f"policy {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise ValueError("A policy never changes: save a new one, which gets the next number.")
        super().save(*args, **kwargs)

    @property
    def rubric_digest(self) -> str:
        return hashlib.sha256(self.rubric.encode()).hexdigest()


class PolicyState(models.TextChoices):
    DRAFT = "draft"
    SHADOW = "shadow"
    ACTIVE = "active"
    RETIRED = "retired"


class PolicyEvent(models.Model):
    """When, why and by whom a policy entered a state; the latest one is its state now."""

    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="events")
    state = models.CharField(max_length=16, choices=PolicyState)
    at = models.DateTimeField(auto_now_add=True)
    user = models.ForeignKey(User, null=True, on_delete=models.PROTECT)
    reason = models.CharField(max_length=500)

    class Meta:
        ordering = ["id"]


class ActivePolicy(models.Model):
    """One row, locked by whoever decides or activates, that says which policy holds."""

    policy = models.ForeignKey(Policy, on_delete=models.PROTECT)

    @classmethod
    def current(cls) -> Policy:
        """The policy that holds now."""
        return cls._row(cls.objects.all())

    @classmethod
    def locked(cls) -> Policy:
        """The policy that holds until the end of this transaction: activating waits for it."""
        return cls._row(cls.objects.select_for_update(of=("self",)))

    @staticmethod
    def _row(rows: models.QuerySet[ActivePolicy]) -> Policy:
        return rows.select_related("policy__model", "policy__calibration").get(pk=1).policy
