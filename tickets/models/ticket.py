"""One request of one requester, and what was said in it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from tickets.models.people import Requester, User
from tickets.models.queue import Queue

SUBJECT_MAX = 300
BODY_MAX = 65_536
MESSAGES_MAX = 1_000
TEXT_MAX = 1_048_576


class Source(models.TextChoices):
    """The way in. Any other short word is allowed too: an integration names itself."""

    API = "api"
    FORM = "form"
    EMAIL = "email"
    CHAT = "chat"
    IMPORT = "import"


class DecidedBy(models.TextChoices):
    """Whose word the queue of a ticket is. A person's word is last."""

    NOBODY = ""
    FALLBACK = "fallback"
    MODEL = "model"
    PERSON = "person"


class Ticket(models.Model):
    """One request of one requester; its queue and triage state as they are now. The log holds how they came about."""

    source = models.CharField(max_length=32)
    external_id = models.CharField(max_length=200, null=True)  # noqa: DJ001  (null: not unique)
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="tickets")
    subject = models.CharField(max_length=SUBJECT_MAX)
    received_at = models.DateTimeField()
    accepted_at = models.DateTimeField(db_index=True)
    input_version = models.PositiveIntegerField(default=1)

    queue = models.CharField(max_length=16, choices=Queue, blank=True)
    decided_by = models.CharField(max_length=16, choices=DecidedBy, blank=True)
    needs_check = models.BooleanField(default=False)
    decision = models.ForeignKey(
        "tickets.Decision", null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    routed_at = models.DateTimeField(null=True)
    respond_by = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"],
                condition=Q(external_id__isnull=False),
                name="one_ticket_per_external_id",
            )
        ]
        indexes = [
            # The page of a queue: soonest due first, by keyset.
            models.Index(fields=["queue", "respond_by", "id"], name="ticket_queue_due"),
            models.Index(fields=["needs_check", "queue"], name="ticket_please_check", condition=Q(needs_check=True)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.subject}"

    @property
    def state(self) -> str:
        """`waiting` until something decided its queue, then `decided`."""
        return "decided" if self.queue else "waiting"

    @property
    def decided_by_person(self) -> bool:
        return self.decided_by == DecidedBy.PERSON


class Author(models.TextChoices):
    REQUESTER = "requester"
    AGENT = "agent"


class Message(models.Model):
    """One thing said in a ticket. Those of the requester are what is scored."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="messages")
    author = models.CharField(max_length=16, choices=Author)
    user = models.ForeignKey(User, null=True, on_delete=models.PROTECT)
    body = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
