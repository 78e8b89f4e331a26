"""A measurement as a table for the terminal, and as a page in one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.template.loader import render_to_string

from scoring.suites.words import in_words, share
from tickets.policy.evaluating import Outcome
from tickets.policy.measured import Measured
from tickets.policy.plots import plots
from tickets.policy.suites import SOURCE
from tickets.policy.telling import labelled_in_words

_GROUPS_SHOWN = 8
"""The largest of a kind; JSON and the report have all."""
_NAME_WIDTH = 52


def page(measured: Measured, outcomes: Sequence[Outcome]) -> str:
    """One HTML file that asks for nothing else."""
    found = measured.figures
    if measured.source == SOURCE:
        return render_to_string("reports/suites.html", {"found": found} | in_words(found))
    drawn = plots(outcomes, found["calibration_table"], found["threshold"])
    context = {"found": found, "rows": list(labelled_in_words(found)), "plots": drawn, "source": measured.source}
    return render_to_string("reports/evaluation.html", context)


def table(measured: Measured) -> list[str]:
    return _suite_table(measured.figures) if measured.source == SOURCE else _labelled_table(measured.figures)


def _suite_table(found: dict[str, Any]) -> list[str]:
    rows = in_words(found)
    return [
        f"{sum(found['texts'].values())} texts; policy {found['policy']}, {found['model']}, threshold "
        f"{found['threshold']}, calibration {found['calibration']}",
        f"{'':<{_NAME_WIDTH}}{'the model':<34}keyword rules",
        *(
            f"{row['name']:<{_NAME_WIDTH}}{row['model']:<34}{row['rules']}"
            for kind in ("shares", "associations", "style_control")
            for row in rows[kind]
        ),
        "before: texts as they are; after: the same contents in plain words. By language: --json or --html.",
    ]


def _labelled_table(found: dict[str, Any]) -> list[str]:
    people = found["people"]
    lines = [
        f"{found['tickets']:,} tickets, {found['urgent']:,} urgent; policy {found['policy']}, {found['model']}, "
        f"threshold {found['threshold']}, calibration {found['calibration']}",
        *(_line(row) for row in labelled_in_words(found)),
        f"{'Brier score':<24}{found['brier']:.3f}; log loss {found['log_loss']:.3f}",
    ]
    if found.get("calibrated_on"):
        lines.insert(
            1,
            f"{found['calibrated_on']:,} of them were labelled before that calibration was made; if it was fitted on "
            "them, its error is larger than it looks here",
        )
    if found.get("left_out"):
        lines.insert(1, f"{found['left_out']:,} labelled tickets are left out: the model may have learned from them")
    for name, groups in found["groups"].items():
        largest = sorted(groups, key=lambda value: -groups[value]["tickets"])[:_GROUPS_SHOWN]
        lines += [
            f"{name + ' ' + value:<24}{share(group['accuracy'])}, {group['tickets']:,} tickets, "
            f"{group['missed']:,} missed, {group['false_alarms']:,} false alarms"
            for value in largest
            if (group := groups[value])
        ]
    if people["pairs"]:
        agreement = f"{share(people['agreement'])} on {people['pairs']:,} tickets"
        lines.append(f"{'two people here agree':<24}{agreement}, {_kappa(people)}")
    return lines


def _line(row: dict[str, str]) -> str:
    interval = f" ({row['interval']})" if row["interval"] else ""
    return f"{row['name']:<24}{row['value']}{interval}"


def _kappa(people: dict[str, Any]) -> str:
    if "kappa" not in people:
        return "all with one and the same word, so kappa has nothing to tell"
    low, high = people["kappa_between"]
    return f"kappa {people['kappa']:.2f} ({low:.2f} to {high:.2f})"
