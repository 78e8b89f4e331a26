"""Fields that refuse what the database, the log or a reader could not bear."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers

from scoring.text import normalise

CLOCK_SKEW = timedelta(minutes=1)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class Strict(serializers.Serializer):
    """Refuses fields it does not know: a misspelt one must not be lost silently."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else ()
        if unknown:
            raise serializers.ValidationError({printable(name): ["Unknown field."] for name in sorted(unknown)})
        return super().to_internal_value(data)


class StrictScheme(OpenApiSerializerExtension):
    """Tells readers of the schema what `Strict` does."""

    target_class = Strict
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)  # noqa: SLF001
        return schema | {"additionalProperties": False}


class Text(serializers.CharField):
    """Text with something to read in it. Numbers are not text: a client that sends one has a bug."""

    default_error_messages = {"not_text": "Not a string.", "invisible": "This field holds no visible character."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        text = super().to_internal_value(data)
        if text and not normalise(text):
            self.fail("invisible")
        return text


class Line(Text):
    """Text on one line; line breaks and runs of blanks become one blank."""

    def to_internal_value(self, data: Any) -> str:
        return " ".join(super().to_internal_value(data).split())


class Email(serializers.EmailField):
    """In lower case, as it is kept; that can be longer than what was sent."""

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).lower()


class Moment(serializers.DateTimeField):
    """An aware moment, in UTC. A naive one is refused: nobody knows which zone it means."""

    default_error_messages = {
        "naive": "Say the time zone, for example 2026-11-01T09:30:00Z.",
        "out_of_range": "Lies outside the years 1 to 9999 in UTC.",
    }

    def enforce_timezone(self, value: datetime) -> datetime:
        if timezone.is_naive(value):
            self.fail("naive")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            self.fail("out_of_range")


class PastMoment(Moment):
    """A moment that has been."""

    default_error_messages = {"future": "Lies in the future.", "too_early": "Lies before 1970."}

    def to_internal_value(self, value: Any) -> datetime:
        moment = super().to_internal_value(value)
        if moment > timezone.now() + CLOCK_SKEW:
            self.fail("future")
        if moment < _EARLIEST:
            self.fail("too_early")
        return moment


def printable(name: object) -> str:
    """A field name as it may stand in an answer: short, without surrogates or control characters."""
    text = str(name)[:100].encode("utf-8", "replace").decode()
    return "".join(character for character in text if unicodedata.category(character)[0] != "C") or "(unprintable)"
