"""What was measured on labelled tickets, as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from scoring.suites.words import NONE, is_untold

Row = dict[str, str]


def labelled_in_words(found: dict[str, Any]) -> Iterator[Row]:
    """name, value and interval of the main figures of `evaluating.report`."""
    points = found["points_over_rules"]
    yield _row("accuracy", found["accuracy"])
    yield _row("keyword rules", found["accuracy_rules"])
    yield {
        "name": "difference",
        "value": f"{points[0]:+.1f} points",
        "interval": f"{points[1]:+.1f} to {points[2]:+.1f}",
    }
    for queue, figures in found["queues"].items():
        for name, value in figures.items():
            yield _row(f"{queue}, {name}", value)
    for name, figure in (("AUC", "auc"), ("AUC, keyword rules", "auc_rules"), ("calibration error", "ece")):
        yield _figure(name, found[figure], found.get("between", {}).get(figure))


def _figure(name: str, value: float, between: Sequence[float] | None) -> Row:
    """What was kept before there were such intervals has none."""
    if between is None:
        return {"name": name, "value": f"{value:.3f}", "interval": "no interval was kept"}
    if is_untold((value, *between)):
        return {"name": name, "value": NONE, "interval": ""}
    return {"name": name, "value": f"{value:.3f}", "interval": f"{between[0]:.3f} to {between[1]:.3f}"}


def _row(name: str, share: Sequence[float]) -> Row:
    if is_untold(share):
        return {"name": name, "value": NONE, "interval": ""}
    return {
        "name": name,
        "value": f"{100 * share[0]:.1f} %",
        "interval": f"{100 * share[1]:.1f} to {100 * share[2]:.1f}",
    }
