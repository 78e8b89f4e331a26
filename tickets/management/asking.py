"""Commands that ask the model."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from scoring.types import Scorer, Unavailable
from tickets.flow.score import scorer
from tickets.models import Policy
from tickets.policy.versions import is_carried


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


def carried(policy: Policy) -> Scorer:
    """The configured scorer, if the policy names its model. Raises CommandError, Unavailable."""
    found = asked()
    if not is_carried(policy, found.model):
        raise CommandError(f"The active policy names {policy.model}; set SCORER to it, or run manage.py use_scorer.")
    return found
