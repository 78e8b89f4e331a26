"""manage.py evaluate FILE|labels"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.loader import render_to_string

from tickets.flow.score import scorer
from tickets.intake.labelled import BadLabel, labelled_tickets
from tickets.models import ActivePolicy
from tickets.policy.evaluating import GROUPS, Case, agreement, judge, labelled_by_people, report, sample
from tickets.policy.versions import is_carried

_GROUPS_SHOWN = 8
"""The largest of a kind; JSON and the report have all."""


class Command(BaseCommand):
    help = (
        "How good the active policy is on labelled tickets, with 95 % intervals, next to the keyword rules on the same "
        "ones. Stores nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "source",
            help="JSON lines with subject, body, urgent (true or false) and, where known, language, region, channel "
            "and stratum; or the word labels: what people confirmed and overrode here",
        )
        parser.add_argument(
            "--sample", type=int, metavar="N", help="N tickets: 70 %% technical, 20 %% open, 10 %% controversial"
        )
        parser.add_argument("--seed", type=int, default=0, help="of the sample")
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--html", type=Path, metavar="FILE", help="a report in one file, with plots")

    def handle(self, *args: Any, **options: Any) -> None:
        policy, model = ActivePolicy.current(), scorer()
        if not is_carried(policy, model.model):
            raise CommandError(
                f"The active policy names {policy.model}; set SCORER to it, or run manage.py use_scorer."
            )
        try:
            cases = labelled_by_people() if options["source"] == "labels" else _from_file(Path(options["source"]))
            cases = sample(cases, options["sample"], options["seed"]) if options["sample"] else cases
        except (BadLabel, OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        if not cases:
            raise CommandError("There is no labelled ticket: confirm or override decisions, or give a file.")
        found = report(judge(cases, policy, model, self._show), policy) | {"people": agreement()}
        if options["html"]:
            options["html"].write_text(_page(found), encoding="utf-8")
        self.stdout.write(json.dumps(found, indent=2) if options["json"] else "\n".join(_table(found)))

    def _show(self, count: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{count:,} scored", style_func=str, ending="")


def _from_file(file: Path) -> list[Case]:
    return [
        Case(one.text, one.urgent, {name: str(value) for name in GROUPS if (value := one.row.get(name))})
        for one in labelled_tickets(file)
    ]


def _page(found: dict[str, Any]) -> str:
    rows = [dict(zip(("name", "value", "interval"), row, strict=True)) for row in _rows(found)]
    plot = [
        {"x": 300 * one["score"], **{name: 300 - 300 * one["urgent"][n] for n, name in enumerate(("y", "low", "high"))}}
        for one in found["calibration_table"]
    ]
    return render_to_string("reports/evaluation.html", {"found": found, "rows": rows, "plot": plot})


def _rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, value, interval."""
    points = found["points_over_rules"]
    shares = {"accuracy": found["accuracy"], "keyword rules": found["accuracy_rules"]}
    for queue, figures in found["queues"].items():
        shares |= {f"{queue}, {name}": share for name, share in figures.items()}
    rows = [
        (name, f"{100 * share[0]:.1f} %", f"{100 * share[1]:.1f} to {100 * share[2]:.1f}")
        for name, share in shares.items()
    ]
    rows.insert(2, ("difference", f"{points[0]:+.1f} points", f"{points[1]:+.1f} to {points[2]:+.1f}"))
    return [*rows, ("AUC", f"{found['auc']:.3f}", f"keyword rules {found['auc_rules']:.3f}")]


def _table(found: dict[str, Any]) -> list[str]:
    people = found["people"]
    lines = [
        f"{found['tickets']:,} tickets, {found['urgent']:,} urgent; policy {found['policy']}, {found['model']}, "
        f"threshold {found['threshold']}, calibration {found['calibration']}",
        *(f"{name:<24}{value} ({interval})" for name, value, interval in _rows(found)),
        f"{'calibration error':<24}{found['ece']:.3f}; Brier {found['brier']:.3f}, log loss {found['log_loss']:.3f}",
    ]
    for name, groups in found["groups"].items():
        largest = sorted(groups, key=lambda value: -groups[value]["tickets"])[:_GROUPS_SHOWN]
        lines += [
            f"{name + ' ' + value:<24}{_share(group['accuracy'])}, {group['tickets']:,} tickets, "
            f"{group['missed']:,} missed, {group['false_alarms']:,} false alarms"
            for value in largest
            if (group := groups[value])
        ]
    if people["pairs"]:
        lines.append(
            f"{'two people agree':<24}{_share(people['agreement'])} on {people['pairs']:,} tickets, "
            f"kappa {people['kappa']:.2f}"
        )
    return lines


def _share(share: tuple[float, float, float]) -> str:
    return f"{100 * share[0]:.1f} % ({100 * share[1]:.1f} to {100 * share[2]:.1f})"
