"""manage.py evaluate suites|labels|FILE [--store] [--json] [--html FILE]"""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from scoring.text import normalise
from scoring.types import Scorer
from tickets import pipeline
from tickets.intake.labelled import BadLabel, labelled_tickets
from tickets.management import evaluation
from tickets.management.asking import AskingCommand, carried
from tickets.models import ActivePolicy, Policy, RegisteredModel
from tickets.policy.evaluating import GROUPS, Case, Outcome, judge, labelled_by_people, measured, sample
from tickets.policy.measured import LABELS, Measured
from tickets.policy.suites import SOURCE, measure_suites

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class _Found:
    """outcomes: of labelled tickets, for plots; empty for suites."""

    measured: Measured
    outcomes: Sequence[Outcome] = ()


class Command(AskingCommand):
    help = (
        "How good the active policy is, with 95 % intervals, next to the keyword rules on the same texts: on labelled "
        "tickets, or on the suites (the obvious, style, orders to the classifier, false alarms, calm emergencies, "
        "paraphrases)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "source",
            help="JSON lines with subject, body, urgent (true or false) and, where known, language, region, channel "
            "and stratum; or the word labels: what people confirmed and overrode here, but for "
            "what the model has learned from; or the word suites",
        )
        parser.add_argument(
            "--sample", type=_positive, metavar="N", help="N tickets: 70 %% technical, 20 %% open, 10 %% controversial"
        )
        parser.add_argument("--seed", type=int, default=0, help="of the sample")
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--html", type=Path, metavar="FILE", help="a report in one file, with plots")
        parser.add_argument(
            "--store", action="store_true", help="keep the figures for the model, shown at /ops/models/"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        policy = ActivePolicy.current()
        model = carried(policy)
        try:
            _check_report(options["html"], options["source"])
            found = self._found(policy, model, options)
            if options["html"]:
                options["html"].write_text(evaluation.page(found.measured, found.outcomes), encoding="utf-8")
        except (BadLabel, OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        self._tell(found.measured, options)

    def _found(self, policy: Policy, model: Scorer, options: dict[str, Any]) -> _Found:
        source, number = options["source"], options["sample"]
        if source == SOURCE:
            if number:
                raise CommandError("--sample: the suites are judged whole.")
            return _Found(measure_suites(policy, model, self._show))
        cases = labelled_by_people(policy.model) if source == LABELS else _from_file(Path(source))
        cases = sample(cases, number, options["seed"]) if number else cases
        if not cases:
            raise CommandError(_none(policy.model) if source == LABELS else f"{source} holds no labelled ticket.")
        outcomes = judge(cases, policy, model, self._show)
        return _Found(measured(_name(source), outcomes, policy), outcomes)

    def _tell(self, found: Measured, options: dict[str, Any]) -> None:
        kept = pipeline.record_evaluation(found, pipeline.Actor("command")) if options["store"] else None
        if options["json"]:
            self.stdout.write(json.dumps(found.figures | ({"entry": kept.seq} if kept else {}), indent=2))
            return
        self.stdout.write("\n".join(evaluation.table(found)))
        if kept:
            self.stdout.write(f"Kept as entry {kept.seq} of the log; /ops/models/{kept.model_id}/ shows it.")

    def _show(self, count: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{count:,} scored", style_func=str, ending="")


def _none(model: RegisteredModel) -> str:
    what = f"There is no labelled ticket{f' that {model} has not learned from' if model.learned_until else ''}: "
    return what + "confirm or override decisions, or give a file."


def _positive(written: str) -> int:
    if (number := int(written)) < 1:
        raise ArgumentTypeError("at least 1")
    return number


def _check_report(report: Path | None, source: str) -> None:
    """Before anything is scored. Raises CommandError."""
    if report is None:
        return
    if report.is_dir() or not report.parent.is_dir():
        raise CommandError(f"--html: {report} is no file that could be written.")
    if report.exists() and Path(source).exists() and report.samefile(source):
        raise CommandError("--html: that is the file of labelled tickets, which the report would replace.")


def _about(row: dict[str, object], name: str) -> str:
    """On one line: a group's name stands in a table."""
    return " ".join(normalise(str(row.get(name) or "")).split())[:_LONGEST_NAME]


def _from_file(file: Path) -> list[Case]:
    return [
        Case(
            one.text,
            one.urgent,
            {name: value for name in GROUPS if (value := _about(one.row, name))},
        )
        for one in labelled_tickets(file)
    ]


def _name(source: str) -> str:
    """What a source is kept under: a file by its name, which must not pass for one of the words."""
    if source == LABELS:
        return source
    name = normalise(Path(source).name)[:_LONGEST_NAME] or "a file without a name"
    return f"./{name}" if name in {SOURCE, LABELS} else name
