"""Commands that ask the model."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from scoring.types import Scorer, Unavailable
from tickets.flow.score import scorer


class AskingCommand(BaseCommand):
    """A model that is away ends it with one line that says why."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except Unavailable as error:
            raise CommandError(f"The model cannot be asked: {error} Nothing was stored; try again later.") from error


def asked() -> Scorer:
    """The configured scorer. Raises CommandError where it cannot be made, Unavailable."""
    try:
        return scorer()
    except (ImportError, OSError, ValueError) as error:
        raise CommandError(f"SCORER={settings.SCORER} cannot be used here: {error}") from error
