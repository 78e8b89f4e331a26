"""What decisions can be filtered by. A value that cannot be read is refused, never ignored."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tickets.api.fields import Moment
from tickets.audit.explain import MILLION
from tickets.models import Decision, Queue
from tickets.models.entry import DECISIONS

_NAME_MAX = 200
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class TruthField(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        if not value:
            return None
        if value.lower() not in _TRUTHS:
            raise ValidationError("Write true or false.")
        return _TRUTHS[value.lower()]


class MomentField(forms.Field):
    def to_python(self, value: Any) -> Any:
        if not value:
            return None
        try:
            return Moment().run_validation(value)
        except serializers.ValidationError as error:
            raise ValidationError([str(detail) for detail in error.detail]) from error


class TruthFilter(django_filters.BooleanFilter):
    field_class = TruthField


class MomentFilter(django_filters.IsoDateTimeFilter):
    field_class = MomentField


@extend_schema_field({"type": "integer", "minimum": 1})
class WholeNumberFilter(django_filters.NumberFilter):
    field_class = forms.IntegerField

    def __init__(self, **extra: Any) -> None:
        super().__init__(min_value=1, **extra)


@extend_schema_field({"type": "string", "maxLength": _NAME_MAX})
class NameFilter(django_filters.CharFilter):
    def __init__(self, **extra: Any) -> None:
        super().__init__(max_length=_NAME_MAX, **extra)


@extend_schema_field({"type": "number", "minimum": 0, "maximum": 1})
class ProbabilityFilter(django_filters.NumberFilter):
    """Scores are whole millionths; `rounding` says which of the two next to the bound is still within it."""

    def __init__(self, rounding: str, **extra: Any) -> None:
        super().__init__(field_name="score", min_value=0, max_value=1, **extra)
        self.rounding = rounding

    def filter(self, qs: QuerySet[Any], value: Decimal | None) -> QuerySet[Any]:
        return super().filter(qs, None if value is None else int((value * MILLION).to_integral_value(self.rounding)))


class DecisionFilter(django_filters.FilterSet):
    ticket = WholeNumberFilter(field_name="ticket_id", max_value=2**63 - 1)
    queue = django_filters.ChoiceFilter(choices=Queue.choices)
    kind = django_filters.ChoiceFilter(choices=[(kind.value, kind.label) for kind in DECISIONS])
    policy = WholeNumberFilter(field_name="policy_number", max_value=2**31 - 1)
    model = NameFilter(field_name="model_name")
    actor = NameFilter(field_name="actor")
    needs_check = TruthFilter()
    score_min = ProbabilityFilter(ROUND_CEILING, lookup_expr="gte")
    score_max = ProbabilityFilter(ROUND_FLOOR, lookup_expr="lte")
    since = MomentFilter(field_name="at", lookup_expr="gte")
    until = MomentFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = Decision
        fields: list[str] = []
