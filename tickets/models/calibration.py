"""Versions of the map from a model's raw margin to a probability."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now

from scoring.calibration import UNCALIBRATED
from scoring.calibration import Calibration as Values
from tickets.models.people import User

MILLION = 1_000_000


class Calibration(models.Model):
    """sigmoid(a * margin + b), or straight lines between knots; a, b and knots in millionths.

    model: whose margins it was fitted on; empty for "uncalibrated", which fits every model.
    data_digest: SHA-256 over the margins and labels it was fitted on. figures: measured on labels left out of fitting.
    """

    version = models.CharField(max_length=64, unique=True)
    model = models.ForeignKey("RegisteredModel", null=True, on_delete=models.PROTECT)
    a_millionths = models.BigIntegerField(default=0)
    b_millionths = models.BigIntegerField(default=0)
    knots_millionths = models.JSONField(default=list)
    data_digest = models.CharField(max_length=64, blank=True)
    figures = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now)
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT)

    def __str__(self) -> str:
        return self.version

    @property
    def values(self) -> Values:
        knots = tuple((margin / MILLION, chance / MILLION) for margin, chance in self.knots_millionths)
        return Values(self.version, self.a_millionths / MILLION, self.b_millionths / MILLION, knots)

    @property
    def is_uncalibrated(self) -> bool:
        return self.version == UNCALIBRATED.version
