"""Form fields that refuse what the database, the log or a reader could not bear; as strict as those of the API."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from scoring.text import normalise

REASON_MAX = 500


class Text(forms.CharField):
    """Text with something to read in it. A browser's line ends become line feeds before anything is counted."""

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value) or "").replace("\r\n", "\n")
        if text and not normalise(text):
            raise ValidationError("This holds no visible character.")
        return text


class Line(Text):
    """Text on one line; line breaks and runs of blanks become one blank."""

    def to_python(self, value: Any) -> str:
        return " ".join(super().to_python(value).split())


class Email(forms.EmailField):
    """In lower case, as it is kept; that can be longer than what was sent."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").lower()


class Probability(forms.DecimalField):
    """0 to 1, exact to the millionth."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=1, max_digits=7, decimal_places=6, **kwargs)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return super().widget_attrs(widget) | {"step": "any", "inputmode": "decimal"}
