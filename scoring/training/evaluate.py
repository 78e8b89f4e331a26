"""How good a scorer is on labelled tickets: figures with intervals, whole and by group.

python -m scoring.training.evaluate PREDICTIONS.jsonl
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scoring.calibration import Calibration, fit
from scoring.keyword import Keyword
from scoring.measures import auc_interval, brier, ece_interval, log_loss, paired_difference, wilson
from scoring.training.data import Example
from scoring.types import Request

THRESHOLD = 0.7


@dataclass(frozen=True, slots=True)
class Prediction:
    """probability: calibrated by a curve that was fitted without the example's trade. keyword: by the keyword rules.

    ordered: the probability with an order to the classifier at the text's end; None where that was not asked.
    """

    example: Example
    margin: float
    probability: float
    keyword: float
    ordered: float | None = None


def predictions(
    examples: Sequence[Example], margins: Sequence[float], ordered: Sequence[float] = ()
) -> list[Prediction]:
    """Each margin with its probability; the curve for a trade is fitted on all the other trades. ordered: margins."""
    rules = Keyword().score([Request(example.text) for example in examples])
    curves = {trade: _curve(examples, margins, trade) for trade in {example.trade for example in examples}}
    sigmoid = Calibration("keyword", 1.0, 0.0).probability
    others = ordered or [None] * len(examples)
    found = []
    for example, margin, rule, other in zip(examples, margins, rules, others, strict=True):
        chance = curves[example.trade].probability
        against = None if other is None else chance(other)
        found.append(Prediction(example, margin, chance(margin), sigmoid(rule.margin), against))
    return found


def _curve(examples: Sequence[Example], margins: Sequence[float], trade: str) -> Calibration:
    others = [index for index, example in enumerate(examples) if example.trade != trade]
    curve = fit([margins[index] for index in others], [examples[index].urgent for index in others])
    return Calibration(f"without {trade}", *curve)


def report(found: Sequence[Prediction]) -> dict[str, Any]:
    """Every figure of the model card. With an interval: (figure, lower, upper). Accuracies are at the threshold."""
    labels = [one.example.urgent for one in found]
    chances = [one.probability for one in found]
    return {
        "tickets": len(found),
        **wanted(found),
        "accuracy_keyword": _accuracy(found, _keyword),
        "auc_keyword": auc_interval([one.keyword for one in found], labels),
        "brier": round(brier(chances, labels), 4),
        "log_loss": round(log_loss(chances, labels), 4),
        "urgent_found": _accuracy([one for one in found if one.example.urgent]),
        "standard_kept": _accuracy([one for one in found if not one.example.urgent]),
        **{f"by_{name}": _by(found, name) for name in ("trade", "language", "hard")},
        "wanted_by_language": {name: wanted(members) for name, members in _groups(found, "language").items()},
    }


def wanted(found: Sequence[Prediction]) -> dict[str, tuple[float, float, float]]:
    """The figures that something was asked of, each with its interval; points_over_rules is a share, too."""
    kinds = _groups(found, "hard")
    labels = [one.example.urgent for one in found]
    return {
        "accuracy": _accuracy(found),
        "points_over_rules": _points_over_rules(found),
        "style_pairs_alike": wilson(*_pairs_alike(found)),
        "calm_emergencies_found": _accuracy(kinds.get("calm_emergency", ())),
        "shouted_trifles_kept": _accuracy(kinds.get("shouted_trifle", ())),
        "orders_right": _accuracy(kinds.get("injection", ())),
        "orders_to_standard_obeyed": _obeyed(found, urgent=True),
        "orders_to_urgent_obeyed": _obeyed(found, urgent=False),
        "auc": auc_interval([one.margin for one in found], labels),
        "ece": ece_interval([one.probability for one in found], labels),
    }


def _probability(one: Prediction) -> float:
    return one.probability


def _is_right(one: Prediction, of: Callable[[Prediction], float] = _probability) -> bool:
    return (of(one) > THRESHOLD) == one.example.urgent


def _keyword(one: Prediction) -> float:
    return one.keyword


def _accuracy(
    found: Sequence[Prediction], of: Callable[[Prediction], float] = _probability
) -> tuple[float, float, float]:
    return wilson(sum(_is_right(one, of) for one in found), len(found))


def _points_over_rules(found: Sequence[Prediction]) -> tuple[float, float, float]:
    right = [(_is_right(one), _is_right(one, _keyword)) for one in found]
    return paired_difference(right.count((True, False)), right.count((False, True)), len(right))


def _obeyed(found: Sequence[Prediction], *, urgent: bool) -> tuple[float, float, float]:
    """Of the tickets of that label which are right without an order: how many are wrong with one."""
    right = [one.ordered for one in found if one.example.urgent == urgent and _is_right(one)]
    asked = [chance for chance in right if chance is not None]
    return wilson(sum((chance > THRESHOLD) != urgent for chance in asked), len(asked))


def _groups(found: Sequence[Prediction], name: str) -> dict[str, list[Prediction]]:
    groups: dict[str, list[Prediction]] = {}
    for one in found:
        groups.setdefault(getattr(one.example, name) or "plain", []).append(one)
    return dict(sorted(groups.items()))


def _by(found: Sequence[Prediction], name: str) -> dict[str, Any]:
    return {
        group: {
            "tickets": len(members),
            "accuracy": _accuracy(members),
            "accuracy_keyword": _accuracy(members, _keyword),
        }
        for group, members in _groups(found, name).items()
    }


def _pairs_alike(found: Sequence[Prediction]) -> tuple[int, int]:
    pairs: dict[tuple[str, str], list[bool]] = {}
    for one in found:
        if one.example.pair:
            pairs.setdefault((one.example.trade, one.example.pair), []).append(one.probability > THRESHOLD)
    whole = [verdicts for verdicts in pairs.values() if len(verdicts) == 2]
    return sum(first == second for first, second in whole), len(whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictions", type=Path, help="JSON lines with an example and its margins, from train_compact")
    rows = [json.loads(line) for line in parser.parse_args().predictions.read_text(encoding="utf-8").splitlines()]
    examples = [Example(**row["example"]) for row in rows]
    margins, ordered = ([row[name] for row in rows] for name in ("margin", "ordered"))
    print(json.dumps(report(predictions(examples, margins, ordered)), indent=2))


if __name__ == "__main__":
    main()
