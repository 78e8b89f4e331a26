"""How good a model was when it was made, on tickets that it had not learned from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.compact import Compact
from scoring.suites.words import figure, points, share
from tickets.flow.decide import MILLION
from tickets.models import Entry, Kind, RegisteredModel
from tickets.policy.held_out import BEHIND, JUDGED, RULES

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Making:
    """learned_from, judged_on: how many tickets. rows: whose probabilities, and their figures in words.

    seq: of the entry that tells of it; None of a model that came with the product.
    """

    learned_from: int
    judged_on: int
    rows: Sequence[Row]
    seq: int | None = None


def making_of(model: RegisteredModel) -> Making | None:
    """None where neither the log nor the product knows."""
    entry = Entry.objects.filter(subject=f"model:{model.pk}", kind=Kind.MODEL_REGISTERED).first()
    body = json.loads(bytes(entry.body)) if entry else {}
    if entry and "figures" in body:
        return Making(body["learned_from"]["labels"], body["held_out"]["labels"], list(_trained(body)), entry.seq)
    if model.digest == Compact.identity().digest:
        return _shipped(model.name, Compact.card())
    return None


def _trained(body: dict[str, Any]) -> Iterator[Row]:
    for who in JUDGED:
        found = {name: [number / MILLION for number in value] for name, value in body["figures"][who].items()}
        yield _row(who, found["accuracy"], found["auc"], found["ece"], found.get(BEHIND, ()))


def _shipped(name: str, card: dict[str, Any]) -> Making:
    figures = card["figures"]
    model = _row(name, figures["accuracy"], figures["auc"], figures["ece"])
    rules = _row(RULES, figures["accuracy_keyword"], figures["auc_keyword"])
    return Making(card["learned_from"], figures["tickets"], [model, rules])


def _row(
    who: str, accuracy: Sequence[float], auc: Sequence[float], ece: Sequence[float] = (), behind: Sequence[float] = ()
) -> Row:
    return {
        "who": who,
        "accuracy": share(accuracy),
        "auc": figure(auc),
        "ece": figure(ece) if ece else "-",
        "behind": points(behind) if behind else "-",
    }
