"""What the log says about tickets, as typed columns for fast queries. Derived from entries in the same transaction."""

from __future__ import annotations

from django.db import models
from django.db.models import OuterRef, Q, Subquery

from scoring.calibration import UNCALIBRATED
from tickets.models.entry import AUTOMATIC, DECISIONS, Entry, Kind
from tickets.models.policy import Policy
from tickets.models.queue import Queue
from tickets.models.waiting import Cause


class Decisions(models.QuerySet["Decision"]):
    def with_calibration(self) -> Decisions:
        """Each with the version of the calibration that its policy names, which `is_uncalibrated` reads."""
        policies = Policy.objects.filter(number=OuterRef("policy_number"))
        return self.annotate(calibration=Subquery(policies.values("calibration__version")[:1]))


class Decision(models.Model):
    """One entry about one ticket.

    score, threshold, confidence: millionths; score is empty where a person decided.
    verdict: what the score alone says; queue: where the ticket is after it. They differ where a person's word holds.
    """

    entry = models.OneToOneField(
        Entry, primary_key=True, db_column="seq", on_delete=models.DO_NOTHING, db_constraint=False
    )
    at = models.DateTimeField()
    ticket_id = models.BigIntegerField()
    input_version = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.label) for kind in DECISIONS])
    cause = models.CharField(max_length=16, choices=Cause, blank=True)
    actor = models.CharField(max_length=200)
    score = models.PositiveIntegerField(null=True)
    threshold = models.PositiveIntegerField(null=True)
    confidence = models.PositiveIntegerField(null=True)
    verdict = models.CharField(max_length=16, choices=Queue, blank=True)
    queue = models.CharField(max_length=16, choices=Queue)
    needs_check = models.BooleanField(default=False)
    policy_number = models.PositiveIntegerField()
    model_name = models.CharField(max_length=200, blank=True)

    calibration: str
    objects = Decisions.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ticket_id", "input_version", "policy_number", "cause"],
                condition=Q(kind__in=[kind.value for kind in AUTOMATIC]),
                name="one_automatic_decision_per_cause",
            )
        ]
        indexes = [
            models.Index(fields=["ticket_id", "entry"], name="decision_of_ticket"),
            models.Index(fields=["at"], name="decision_by_time"),
            models.Index(fields=["kind", "entry"], name="decision_by_kind"),
        ]

    @property
    def seq(self) -> int:
        return self.entry_id

    @property
    def is_uncalibrated(self) -> bool:
        """Whether the score is no probability: a model without a calibration spoke, or the keyword rules did."""
        return self.kind == Kind.FALLBACK or self.calibration == UNCALIBRATED.version

    @property
    def is_automatic(self) -> bool:
        return self.kind in AUTOMATIC
