"""Which decisions an auditor asks for: the query string is the whole search, so its address is a stable link."""

from __future__ import annotations

from typing import Any

from django import forms

from tickets.audit.search_query import Query
from tickets.flow.record import Draft
from tickets.models import Cause, Kind, Queue
from tickets.models.entry import DECISIONS
from tickets.models.policy import MILLION
from tickets.web.addresses import Asked, Moment
from tickets.web.fields import REASON_MAX, Probability

_INT64, _INT31 = 2**63 - 1, 2**31 - 1
_ANY = [("", "Any")]
_FREE = ("model", "actor", "reason")


class DecisionSearch(Asked):
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

    def query(self) -> Query:
        """Call after is_valid."""
        values = self.cleaned_data
        scores = {name: _millionths(values[name]) for name in ("score_min", "score_max")}
        return Query(**(values | scores))

    def draft(self, actor: str) -> Draft:
        """The log entry of this page of a search; what is typed freely may be personal, so it stays beside it."""
        query = self.address(**dict.fromkeys(_FREE)).removeprefix("?")
        typed = "; ".join(f"{name}: {value}" for name in _FREE if (value := self.cleaned_data[name]))
        return Draft(Kind.AUDIT_SEARCHED, "log", actor, {"query": query}, typed[:REASON_MAX])


def _millionths(probability: Any) -> int | None:
    return None if probability is None else int(probability * MILLION)
