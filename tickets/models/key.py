"""Keys to the API, and the answers kept for repeated requests."""

from __future__ import annotations

import hashlib
import secrets

from django.db import models

from tickets.models.people import User
from tickets.models.ticket import Ticket

PREFIX_LENGTH = 8


class Scope(models.TextChoices):
    """What a key may do."""

    TICKETS_WRITE = "tickets:write"
    TICKETS_READ = "tickets:read"
    TICKETS_DECIDE = "tickets:decide"
    DECISIONS_READ = "decisions:read"
    POLICIES_WRITE = "policies:write"


class ApiKey(models.Model):
    """256 random bits, shown once; kept as a prefix to find it by and a SHA-256 to know it by."""

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=PREFIX_LENGTH, db_index=True)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def fresh_secret() -> str:
        return f"tri_{secrets.token_urlsafe(32)}"

    @staticmethod
    def prefix_of(secret: str) -> str:
        return secret[4 : 4 + PREFIX_LENGTH]

    @staticmethod
    def digest_of(secret: str) -> str:
        """SHA-256 in hex; enough for 256 random bits, where a password would need a slow hash."""
        return hashlib.sha256(secret.encode()).hexdigest()


class IdempotencyKey(models.Model):
    """The first answer to a request with an Idempotency-Key; kept for 24 hours."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE)
    value = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE)
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "value"], name="one_answer_per_idempotency_key")]
