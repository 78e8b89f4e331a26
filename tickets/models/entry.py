"""The log: one gapless order of entries, each chained to the one before it. The database refuses to change them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.db import models

GENESIS = "0" * 64


class Kind(models.TextChoices):
    """What an entry tells. The first group are decisions about a ticket."""

    SCORED = "scored"
    FALLBACK = "fallback"
    RESCORED = "rescored"
    OVERRIDE = "override"
    CONFIRMED = "confirmed"
    UNDONE = "undone"
    EXPLAINED = "explained"

    MODEL_REGISTERED = "model_registered"
    CALIBRATION_ADDED = "calibration_added"
    POLICY_CREATED = "policy_created"
    POLICY_ACTIVATED = "policy_activated"
    ROLE_CHANGED = "role_changed"
    KEY_CREATED = "key_created"
    KEY_REVOKED = "key_revoked"
    EXPORTED = "exported"
    ERASED = "erased"
    AUDIT_SEARCHED = "audit_searched"
    AUDIT_OPENED = "audit_opened"
    SIGNING_KEY_ADDED = "signing_key_added"
    FORKED = "forked"
    VERIFIED = "verified"
    ARCHIVED = "archived"
    HELD = "held"
    RELEASED = "released"
    EVALUATED = "evaluated"
    MOVED = "moved"
    REPLAYED = "replayed"


AUTOMATIC = (Kind.SCORED, Kind.FALLBACK, Kind.RESCORED)
BY_PERSON = (Kind.OVERRIDE, Kind.CONFIRMED)
DECISIONS = (*AUTOMATIC, *BY_PERSON, Kind.UNDONE, Kind.EXPLAINED)


BY_SOMEBODY = models.Q(actor__startswith="user:") | models.Q(actor__startswith="key:")
"""Entries of a person or of a program with a key of its own; a query must name it for its index to serve."""


class Entry(models.Model):
    """One row of the log. at: microseconds since 1970 UTC. body: canonical JSON, the bytes that are hashed."""

    seq = models.BigIntegerField(primary_key=True)
    at = models.BigIntegerField(db_index=True)
    kind = models.CharField(max_length=32, choices=Kind)
    subject = models.CharField(max_length=64, db_index=True)
    actor = models.CharField(max_length=200)
    body = models.BinaryField()
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["seq"]
        indexes = [
            # What a person or a key did: few beside what workers do.
            models.Index(fields=["actor", "seq"], name="entry_of_person", condition=BY_SOMEBODY),
        ]
        verbose_name_plural = "entries"


def bodies(seqs: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The bodies of entries by number, in order; of those that are there."""
    rows = Entry.objects.filter(seq__in=list(seqs)).order_by("seq").values_list("seq", "body")
    return {seq: json.loads(bytes(body)) for seq, body in rows}


class LogHead(models.Model):
    """One row: where the log ends. Locked last in a transaction, it makes the order gapless."""

    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=GENESIS)
    at = models.BigIntegerField(default=0)


class Reason(models.Model):
    """The free text of a reason: personal data, so beside the entry, which holds its digest alone."""

    seq = models.BigIntegerField(primary_key=True)
    text = models.CharField(max_length=500)
    nonce = models.CharField(max_length=64)


class Tally(models.Model):
    """Running totals for /metrics, counted in the transaction that makes them true."""

    name = models.CharField(max_length=120, primary_key=True)
    value = models.BigIntegerField()
