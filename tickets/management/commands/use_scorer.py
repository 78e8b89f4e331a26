"""manage.py use_scorer --reason "..." """

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

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
        scorer = scorer_class()
        active = ActivePolicy.current()
        try:
            identity = scorer.identity()
        except ValueError as error:
            raise CommandError(str(error)) from error
        if is_carried(active, identity):
            self.stdout.write(f"Policy {active.number} names {active.model} already; nothing to do.")
            return
        by = pipeline.Actor("command")
        with transaction.atomic():
            model, calibration = register(identity, scorer.calibration())
            values = like(active) | {"model": model, "calibration": calibration}
            policy = pipeline.draft_policy(values, by, reason)
            if not options["draft"]:
                pipeline.activate_policy(policy, by, reason)
        state = "a draft; activate it at /ops/policies/" if options["draft"] else "active"
        self.stdout.write(f"Policy {policy.number} is {state}; it names {model} of {settings.SCORER}.")
