"""Forms whose query string is all that is asked: a page has one address, which means the same to every reader."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime

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


class Asked(forms.Form):
    """Refuses what it has no field for."""

    def clean(self) -> dict[str, Any]:
        if unknown := sorted(set(self.data) - set(self.fields)):
            raise ValidationError(f"There is no filter named {', '.join(unknown)[:200]}.")
        return self.cleaned_data

    def address(self, **changed: Any) -> str:
        """The query string of what is asked. Call after is_valid."""
        values = {name: _written(value) for name, value in (self.cleaned_data | changed).items()}
        query = QueryDict(mutable=True)
        query.update({name: value for name, value in values.items() if value})
        return f"?{query.urlencode(safe=':')}"

    @property
    def is_stable(self) -> bool:
        """Whether no moment in the address depends on the reader's zone. Call after is_valid."""
        moments = [name for name, field in self.fields.items() if isinstance(field, Moment)]
        given = [str(self.data[name]) for name in moments if self.data.get(name)]
        return all(moment and timezone.is_aware(moment) for moment in map(parse_datetime, given))


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if value is True:
        return "on"
    return "" if value in (None, False) else str(value)
