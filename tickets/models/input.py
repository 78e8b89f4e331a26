"""What was scored: the exact normalised text of one version of a ticket."""

from __future__ import annotations

import hashlib
import secrets

from django.db import models

from tickets.models.ticket import Ticket


def digest_of(nonce: str, text: str) -> str:
    """SHA-256 in hex over nonce and text in UTF-8. Without the nonce nobody can test a guess of the text."""
    return hashlib.sha256(nonce.encode() + text.encode()).hexdigest()


def fresh_nonce() -> str:
    """256 random bits in hex."""
    return secrets.token_hex(32)


class Input(models.Model):
    """One version of a ticket's text. A new message of the requester makes the next version."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="inputs")
    version = models.PositiveIntegerField()
    text = models.TextField()
    nonce = models.CharField(max_length=64, default=fresh_nonce)
    digest = models.CharField(max_length=64)
    normaliser = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ticket", "version"], name="one_input_per_version")]
