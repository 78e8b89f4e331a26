"""How far the log has reached its second witness."""

from __future__ import annotations

from django.db import models


class Shipping(models.Model):
    """One row. Because seq has no gaps, a cursor and the table of failures say all.

    generation: of the copy's indices; re-indexing makes the next one.
    checkpoints_through: the size of the last checkpoint that was shipped.
    """

    shipped_through = models.BigIntegerField(default=0)
    generation = models.PositiveIntegerField(default=1)
    checkpoints_through = models.BigIntegerField(default=0)


class ShippingFailure(models.Model):
    """An entry the second witness refused, or holds with another hash."""

    seq = models.BigIntegerField(primary_key=True)
    error = models.CharField(max_length=500)
    at = models.DateTimeField(auto_now=True)
