"""Reasons given on the command line, held to the limits of those given elsewhere."""

from __future__ import annotations

from django.core.management.base import CommandError

from tickets.api.serializers import ReasonIn


def checked(written: str) -> str:
    """Raises CommandError, which says what is wrong with it."""
    given = ReasonIn(data={"reason": written})
    if not given.is_valid():
        raise CommandError(f"--reason: {' '.join(given.errors['reason'])}")
    return str(given.validated_data["reason"])
