"""manage.py use_scorer --reason "..." """

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from scoring.calibration import Calibration
from scoring.types import Model
from tickets import pipeline
from tickets.first_rows import register
from tickets.flow.score import scorer_class
from tickets.management import reasons
from tickets.models import ActivePolicy
from tickets.policy.versions import is_carried, like


class Command(BaseCommand):
    help = "Activates, or drafts, a policy like the present one that names the model of the configured SCORER."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="why, for the log")
        parser.add_argument("--draft", action="store_true", help="draft it and activate nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        reason = reasons.checked(options["reason"])
        try:
            scorer = scorer_class()
            identity, calibration = scorer.identity(), scorer.calibration()
            with transaction.atomic():
                said = _use(identity, calibration, reason, is_draft=options["draft"])
        except (ImportError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(said)


def _use(identity: Model, calibration: Calibration, reason: str, *, is_draft: bool) -> str:
    """What came of it, in a sentence. Call inside a transaction. Raises VersionTaken."""
    active = ActivePolicy.locked()
    if is_carried(active, identity):
        return f"Policy {active.number} names {active.model} already; nothing to do."
    by = pipeline.Actor("command")
    model, row = register(identity, calibration)
    policy = pipeline.draft_policy(like(active) | {"model": model, "calibration": row}, by, reason)
    if not is_draft:
        pipeline.activate_policy(policy, by, reason)
    state = "a draft; activate it at /ops/policies/" if is_draft else "active"
    return f"Policy {policy.number} is {state}; it names {model} of {settings.SCORER}."
