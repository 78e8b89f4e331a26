"""What may be asked of timelines: the query string is all of it, so each page has a stable address."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from tickets.audit.timeline import Acts
from tickets.models import Kind, Policy
from tickets.web.addresses import Asked, Moment

_INT64, _INT31 = 2**63 - 1, 2**31 - 1
_CHOICES_SHOWN, _DIGITS = 200, 10


class After(Asked):
    after = forms.IntegerField(required=False, min_value=1, max_value=_INT64, widget=forms.HiddenInput)


class Before(Asked):
    before = forms.IntegerField(required=False, min_value=1, max_value=_INT64, widget=forms.HiddenInput)


class AfterEach(Asked):
    """Where the lists of people and of keys go on."""

    user = forms.IntegerField(required=False, min_value=1, max_value=_INT31, widget=forms.HiddenInput)
    key = forms.IntegerField(required=False, min_value=1, max_value=_INT31, widget=forms.HiddenInput)


class ActsFilter(Before):
    kind = forms.ChoiceField(required=False, choices=[("", "Any"), *Kind.choices])
    since = Moment(required=False)
    until = Moment(required=False, label="Before")

    def acts(self, actor: str) -> Acts:
        """Call after is_valid."""
        return Acts(actor=actor, **self.cleaned_data)


class TwoPolicies(Asked):
    """`from` and `to`: numbers of policies. "from" is a word of Python, so the fields are made by name."""

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        latest = list(Policy.objects.order_by("-number").values_list("number", flat=True)[:_CHOICES_SHOWN])
        for name in ("from", "to"):
            self.fields[name] = forms.IntegerField(min_value=1, max_value=_INT31, label=name.capitalize())
            self.fields[name].widget = forms.Select(choices=_choices(latest, data.get(name, "")))

    def clean(self) -> dict[str, Any]:
        found = Policy.objects.select_related("model", "calibration").in_bulk(set(self.cleaned_data.values()))
        for name, number in list(self.cleaned_data.items()):
            if number not in found:
                self.add_error(name, f"There is no policy {number}.")
        self.policies = found
        return super().clean()


def _choices(latest: list[int], asked: str) -> list[tuple[str, str]]:
    """An older version that is asked for is among them, too."""
    numbers = [str(number) for number in latest]
    others = [asked] if asked.isdecimal() and asked not in numbers else []
    return [(number, f"Policy {number[:_DIGITS]}") for number in [*numbers, *others]]
