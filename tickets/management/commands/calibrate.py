"""manage.py calibrate [FILE] [--method platt|isotonic]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from scoring.calibration import UNCALIBRATED
from scoring.types import Request
from tickets import pipeline
from tickets.intake.labelled import labelled_tickets
from tickets.management.asking import AskingCommand, carried
from tickets.models import ActivePolicy, Calibration, RegisteredModel
from tickets.policy.calibrating import Labelled, Method, labelled_by_people

_BATCH = 64


class Command(AskingCommand):
    help = (
        "Fits the map from the active model's margin to a probability, on what people confirmed and overrode, or on a "
        "file of labelled tickets. Stores a new version with its figures; it is used once a policy names it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, help="JSON lines with subject, body and urgent (true or false)"
        )
        parser.add_argument("--method", choices=Method.values, default=Method.PLATT.value)
        parser.add_argument("--json", action="store_true", help="the new version as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        policy = ActivePolicy.current()
        try:
            found = self._from_file(options["file"]) if options["file"] else labelled_by_people(policy.model)
            row, is_new = pipeline.calibrate(found, policy.model, Method(options["method"]), pipeline.Actor("command"))
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"version": row.version, "figures": row.figures}))
            return
        self._tell(row, policy.model, is_new=is_new)

    def _from_file(self, file: Path) -> list[Labelled]:
        """Scored here, now, by the model that the active policy names."""
        policy = ActivePolicy.current()
        scorer = carried(policy)
        tickets, found = list(labelled_tickets(file)), []
        for start in range(0, len(tickets), _BATCH):
            batch = tickets[start : start + _BATCH]
            scores = scorer.score([Request(ticket.text, policy.rubric) for ticket in batch])
            found += [Labelled(score.margin, one.urgent) for score, one in zip(scores, batch, strict=True)]
            if self.stderr.isatty():
                self.stderr.write(f"\r{len(found):,} of {len(tickets):,} scored", style_func=str, ending="")
        return found

    def _tell(self, row: Calibration, model: RegisteredModel, *, is_new: bool) -> None:
        self.stdout.write(f"{row.version} for {model}{'' if is_new else ' (it existed already)'}")
        present = row.figures.get("present", UNCALIBRATED.version)
        self.stdout.write(f"{row.figures['labels']} labels, {row.figures['urgent']} urgent; before: {present},")
        self.stdout.write("which may know some of them; after: this one, by fifths left out of fitting")
        self.stdout.write(f"{'':<14}{'before':>10}{'after':>10}")
        for name, after in row.figures["after"].items():
            self.stdout.write(f"{name:<14}{row.figures['before'][name]:>10.4f}{after:>10.4f}")
        self.stdout.write("It decides nothing yet: draft a policy with it at /ops/policies/ and activate that.")
