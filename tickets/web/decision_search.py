"""Which decisions an auditor asks for: the query string is the whole search, so its address is a stable link."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from tickets.audit.search_query import Query
from tickets.flow.record import Draft
from tickets.models import Cause, Kind, Queue
from tickets.models.entry import DECISIONS
from tickets.models.policy import MILLION
from tickets.web.fields import REASON_MAX, Probability

_INT64, _INT31 = 2**63 - 1, 2**31 - 1
_ANY = [("", "Any")]
_FREE = ("model", "actor", "reason")
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


class Moment(forms.DateTimeField):
    """Typed in the reader's zone; in the address it is written in UTC."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"})

    def to_python(self, value: Any) -> datetime | None:
        at = super().to_python(value)
        if at is not None and not _FIRST_YEAR <= at.year <= _LAST_YEAR:
            raise ValidationError(f"Write a year from {_FIRST_YEAR} to {_LAST_YEAR}.")
        return at

    def prepare_value(self, value: Any) -> Any:
        """As the browser's field wants it: local, without a zone. What cannot be read stays as it is."""
        try:
            at = self.to_python(value)
        except ValidationError:
            return value
        return f"{timezone.localtime(at):%Y-%m-%dT%H:%M:%S}" if at else ""


class DecisionSearch(forms.Form):
    ticket = forms.IntegerField(required=False, min_value=1, max_value=_INT64)
    kind = forms.ChoiceField(required=False, choices=_ANY + [(kind.value, kind.label) for kind in DECISIONS])
    cause = forms.ChoiceField(required=False, choices=_ANY + Cause.choices)
    queue = forms.ChoiceField(required=False, choices=_ANY + Queue.choices)
    verdict = forms.ChoiceField(required=False, choices=_ANY + Queue.choices)
    policy = forms.IntegerField(required=False, min_value=1, max_value=_INT31)
    model = forms.CharField(required=False, max_length=200)
    actor = forms.CharField(
        required=False, max_length=200, widget=forms.TextInput(attrs={"placeholder": "user:1, key:2, sweep"})
    )
    since = Moment(required=False)
    until = Moment(required=False, label="Before")
    score_min = Probability(required=False, label="Score from")
    score_max = Probability(required=False, label="Score to")
    reason = forms.CharField(required=False, max_length=REASON_MAX, label="Reason says")
    needs_check = forms.BooleanField(required=False, label="Please check")
    before = forms.IntegerField(required=False, min_value=1, max_value=_INT64, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        if unknown := sorted(set(self.data) - set(self.fields)):
            raise ValidationError(f"There is no filter named {', '.join(unknown)[:200]}.")
        return self.cleaned_data

    def query(self) -> Query:
        """Call after is_valid."""
        values = self.cleaned_data
        scores = {name: _millionths(values[name]) for name in ("score_min", "score_max")}
        return Query(**(values | scores))

    def draft(self, actor: str) -> Draft:
        """The log entry of this search; what somebody typed freely may be personal, so it stays beside it."""
        query = self.address(before=None, **dict.fromkeys(_FREE)).removeprefix("?")
        typed = "; ".join(f"{name}: {value}" for name in _FREE if (value := self.cleaned_data[name]))
        return Draft(Kind.AUDIT_SEARCHED, "log", actor, {"query": query}, typed[:REASON_MAX])

    def address(self, **changed: Any) -> str:
        """The query string of this search, the same for readers in every zone. Call after is_valid."""
        values = {name: _written(value) for name, value in (self.cleaned_data | changed).items()}
        query = QueryDict(mutable=True)
        query.update({name: value for name, value in values.items() if value})
        return f"?{query.urlencode(safe=':')}"

    @property
    def is_stable(self) -> bool:
        """Whether no moment in the address depends on the reader's zone. Call after is_valid."""
        given = [str(self.data[name]) for name in ("since", "until") if self.data.get(name)]
        return all(moment and timezone.is_aware(moment) for moment in map(parse_datetime, given))


def _millionths(probability: Any) -> int | None:
    return None if probability is None else int(probability * MILLION)


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if value is True:
        return "on"
    return "" if value in (None, False) else str(value)
