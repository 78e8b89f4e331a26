"""What goes in and what comes out, with its limits; the schema is made from this."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from scoring.calibration import UNCALIBRATED
from tickets.api.fields import Email, Line, PastMoment, Strict, Text
from tickets.audit.explain import MILLION, Explanation
from tickets.flow.ingest import NewTicket
from tickets.models import Calibration, Decision, Kind, Policy, PolicyState, Queue, Ticket
from tickets.models.entry import DECISIONS
from tickets.models.ticket import BODY_MAX, SUBJECT_MAX

REASON_MAX = 500
_WORD = RegexValidator(
    r"^[a-z0-9][a-z0-9_.-]*\Z", "Write small letters a to z, digits, and '_', '.' or '-' after the first."
)
TICKET_STATES = [("waiting", "waiting"), ("decided", "decided")]


class RequesterIn(Strict):
    email = Email(max_length=254)
    name = Line(max_length=200, required=False, allow_blank=True)
    region = Line(max_length=64, required=False, allow_blank=True)
    locale = Line(max_length=35, required=False, allow_blank=True)


class TicketIn(Strict):
    """A new ticket. The same source and external_id again is the same ticket and never an edit."""

    subject = Line(max_length=SUBJECT_MAX)
    body = Text(max_length=BODY_MAX)
    requester = RequesterIn()
    # mypy takes a field named source, model or errors for an attribute of the base class.
    source = Text(max_length=32, default="api", validators=[_WORD])  # type: ignore[assignment]
    external_id = Line(max_length=200, required=False)
    received_at = PastMoment(required=False)

    def to_submission(self, *, live: bool = True) -> NewTicket:
        """Call after is_valid."""
        values = dict(self.validated_data)
        return NewTicket(**values.pop("requester"), **values, live=live)


class MessageIn(Strict):
    body = Text(max_length=BODY_MAX)


class OverrideIn(Strict):
    # The usual message repeats what was sent, which may be long or no text at all.
    queue = serializers.ChoiceField(Queue.choices, error_messages={"invalid_choice": "Write urgent or standard."})
    reason = Line(max_length=REASON_MAX)


class NothingIn(Strict):
    """An object without members, or no body at all."""


class ConfirmIn(Strict):
    reason = Line(max_length=REASON_MAX, required=False, allow_blank=True)


class AcceptedOut(serializers.Serializer):
    id = serializers.IntegerField()
    url = serializers.CharField()
    state = serializers.ChoiceField(TICKET_STATES)


class BulkLineOut(serializers.Serializer):
    """line counts from 1. status as the ticket alone would have got: 202 new, 200 known, 400 refused with errors."""

    line = serializers.IntegerField()
    status = serializers.IntegerField()
    id = serializers.IntegerField(required=False)
    url = serializers.CharField(required=False)
    state = serializers.ChoiceField(TICKET_STATES, required=False)
    errors = serializers.DictField(required=False)  # type: ignore[assignment]


class EvidenceOut(serializers.Serializer):
    """start, end: characters in the scored text; weight: logits, positive towards urgent."""

    start = serializers.IntegerField()
    end = serializers.IntegerField()
    text = serializers.CharField()
    weight = serializers.FloatField()


class DecisionDetailOut(serializers.Serializer):
    """score, threshold, confidence in 0..1 with six exact decimals; null where no model has scored the ticket yet."""

    seq = serializers.IntegerField()
    kind = serializers.ChoiceField([kind.value for kind in DECISIONS])
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    queue = serializers.ChoiceField(Queue.choices)
    score = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    confidence = serializers.FloatField(allow_null=True)
    needs_check = serializers.BooleanField()
    policy = serializers.IntegerField()
    model = serializers.CharField(allow_blank=True)
    calibration = serializers.CharField(allow_blank=True)
    evidence = EvidenceOut(many=True)
    sentences = EvidenceOut(many=True)
    reason = serializers.CharField()
    input_version = serializers.IntegerField()


class TicketOut(serializers.Serializer):
    id = serializers.IntegerField()
    url = serializers.CharField()
    state = serializers.ChoiceField(TICKET_STATES)
    queue = serializers.ChoiceField(Queue.choices, allow_null=True)
    subject = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    external_id = serializers.CharField(allow_null=True)
    received_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField()
    input_version = serializers.IntegerField()
    needs_check = serializers.BooleanField()
    decided_by = serializers.CharField(allow_blank=True)
    decision = DecisionDetailOut(allow_null=True)
    decision_archived = serializers.BooleanField()


class DecisionOut(serializers.ModelSerializer):
    seq = serializers.IntegerField()
    ticket = serializers.IntegerField(source="ticket_id")
    score = serializers.SerializerMethodField()
    threshold = serializers.SerializerMethodField()
    confidence = serializers.SerializerMethodField()
    policy = serializers.IntegerField(source="policy_number")
    model = serializers.CharField(source="model_name")
    calibration = serializers.SerializerMethodField()

    class Meta:
        model = Decision
        fields = [
            "seq",
            "at",
            "ticket",
            "input_version",
            "kind",
            "cause",
            "actor",
            "score",
            "threshold",
            "confidence",
            "verdict",
            "queue",
            "needs_check",
            "policy",
            "model",
            "calibration",
        ]

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_score(self, decision: Decision) -> float | None:
        return probability(decision.score)

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_threshold(self, decision: Decision) -> float | None:
        return probability(decision.threshold)

    @extend_schema_field(serializers.CharField(allow_blank=True))
    def get_calibration(self, decision: Decision) -> str:
        """Empty where no score was given."""
        if decision.score is None:
            return ""
        return UNCALIBRATED.version if decision.is_uncalibrated else decision.calibration

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_confidence(self, decision: Decision) -> float | None:
        return probability(decision.confidence)


class PolicyIn(Strict):
    """A draft; what is left out is taken from the active policy."""

    threshold = serializers.DecimalField(max_digits=7, decimal_places=6, min_value=0, max_value=1, required=False)
    review_band = serializers.DecimalField(max_digits=7, decimal_places=6, min_value=0, max_value=1, required=False)
    rubric = Text(max_length=8_000, required=False)
    calibration = Line(max_length=64, required=False, help_text="A version, by its name.")
    reason = Line(max_length=REASON_MAX)

    def validate_calibration(self, version: str) -> Calibration:
        try:
            return Calibration.objects.get(version=version)
        except Calibration.DoesNotExist as error:
            raise serializers.ValidationError("There is no calibration of this name.") from error


class ReasonIn(Strict):
    reason = Line(max_length=REASON_MAX)


class PolicyOut(serializers.Serializer):
    number = serializers.IntegerField()
    state = serializers.ChoiceField(PolicyState.choices)
    threshold = serializers.FloatField()
    review_band = serializers.FloatField()
    rubric = serializers.CharField()
    model = serializers.CharField()
    calibration = serializers.CharField()
    created_at = serializers.DateTimeField()
    reason = serializers.CharField()


class ErrorOut(serializers.Serializer):
    detail = serializers.CharField()


def probability(millionths: int | None) -> float | None:
    return None if millionths is None else millionths / MILLION


def ticket_url(ticket: Ticket) -> str:
    return f"/api/v1/tickets/{ticket.pk}/"


def accepted_out(ticket: Ticket) -> dict[str, Any]:
    return {"id": ticket.pk, "url": ticket_url(ticket), "state": ticket.state}


def ticket_out(ticket: Ticket, explanation: Explanation | None) -> dict[str, Any]:
    plain = (
        "subject",
        "source",
        "external_id",
        "received_at",
        "accepted_at",
        "input_version",
        "needs_check",
        "decided_by",
    )
    return (
        accepted_out(ticket)
        | {"queue": ticket.queue or None}
        | {name: getattr(ticket, name) for name in plain}
        | {"decision": _decision_detail(explanation) if explanation else None}
        | {"decision_archived": ticket.decision_id is not None and explanation is None}
    )


def policy_out(policy: Policy, state: str) -> dict[str, Any]:
    return {
        "number": policy.number,
        "state": state,
        "threshold": probability(policy.threshold),
        "review_band": probability(policy.review_band),
        "rubric": policy.rubric,
        "model": policy.model.name,
        "calibration": policy.calibration.version,
        "created_at": policy.created_at,
        "reason": policy.reason,
    }


def _decision_detail(explanation: Explanation) -> dict[str, Any]:
    decision, scored = explanation.decision, explanation.scored
    return {
        "seq": decision.seq,
        "kind": Kind(decision.kind).value,
        "at": decision.at,
        "actor": decision.actor,
        "queue": decision.queue,
        "score": probability(scored.score) if scored else None,
        "threshold": probability(scored.threshold) if scored else None,
        "confidence": probability(scored.confidence) if scored else None,
        "needs_check": decision.needs_check,
        "policy": decision.policy_number,
        "model": scored.model_name if scored else "",
        "calibration": explanation.calibration,
        "evidence": [asdict(mark) for mark in explanation.evidence],
        "sentences": [asdict(mark) for mark in explanation.sentences],
        "reason": explanation.reason,
        "input_version": decision.input_version,
    }
