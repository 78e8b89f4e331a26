"""How good a model was found to be, kept for each of its versions."""

from __future__ import annotations

from django.db import models

from tickets.models.policy import RegisteredModel


class Evaluation(models.Model):
    """One measurement of one model. source: "suites", "labels" or the name of a file; data_digest: SHA-256 of its data.

    figures: as `manage.py evaluate --json` gives them. seq: the entry that tells of it.
    """

    model = models.ForeignKey(RegisteredModel, on_delete=models.PROTECT, related_name="evaluations")
    source = models.CharField(max_length=200)
    data_digest = models.CharField(max_length=64)
    figures = models.JSONField()
    seq = models.BigIntegerField(unique=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["model", "source", "-seq"], name="evaluations_of_model")]
