"""What the log was at a size, signed; and what it takes to prove that an entry was in it."""

from __future__ import annotations

from django.db import models


class Checkpoint(models.Model):
    """A signed note over the first `size` entries (see tickets.audit.notes), at most one for a size."""

    size = models.BigIntegerField(primary_key=True)
    note = models.TextField()
    made_at = models.DateTimeField()


class Tile(models.Model):
    """The Merkle root of 1,024 entries: number 0 has entries 1 to 1,024."""

    number = models.BigIntegerField(primary_key=True)
    root = models.CharField(max_length=64)


class SigningKey(models.Model):
    """A public key that signed checkpoints, as others verify with it. Kept for good: old notes stay verifiable."""

    verifier_key = models.CharField(max_length=300, primary_key=True)
    since = models.DateTimeField()
