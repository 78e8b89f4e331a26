"""What left the database for an archive, and what must not."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Archive(models.Model):
    """The log up to `through` is in files elsewhere, as the entry `seq` ("archived") says; written once.

    The database lets go of entries that a row here covers, and of no others. head: hash of the entry `through`; root:
    the Merkle root of the first `through` entries; sha256: of the file with the entries that left this time.
    """

    through = models.BigIntegerField(primary_key=True)
    seq = models.BigIntegerField(unique=True)
    head = models.CharField(max_length=64)
    root = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()

    @classmethod
    def latest(cls) -> Archive | None:
        return cls.objects.order_by("-through").first()


class LegalHold(models.Model):
    """What is kept although its time is over or its person asks to be erased. subject: "ticket:12", "person:3", "log".

    seq, released_seq: the entries that say who, when and why.
    """

    subject = models.CharField(max_length=64)
    since = models.DateTimeField()
    seq = models.BigIntegerField(unique=True)
    released_at = models.DateTimeField(null=True)
    released_seq = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject"], condition=Q(released_at=None), name="one_hold_a_subject")
        ]
