"""The written texts of the suites, one file a suite."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scoring.text import compose

FOLDER = Path(__file__).parent
STYLE, ORDERS, FAKE_URGENCY = "style", "orders", "fake_urgency"
SCARY_LOGS, CALM_EMERGENCIES, PARAPHRASES = "scary_logs", "calm_emergencies", "paraphrases"
OBVIOUS = "obvious"
SUITES = (OBVIOUS, STYLE, ORDERS, FAKE_URGENCY, SCARY_LOGS, CALM_EMERGENCIES, PARAPHRASES)
PLAIN, FORMAL, CASUAL = "plain", "formal", "casual"
CLEAN, ORDERED = "clean", "order"


@dataclass(frozen=True, slots=True)
class SuiteText:
    """One text, as it would be scored, and the queue it belongs in.

    content: what it tells; texts of one content tell the same. variant: how: in the suite `style` plain, formal,
    casual, markdown, long or terse; in `orders` clean, or with an order to the classifier, to decide the other way.
    """

    id: str
    suite: str
    content: str
    variant: str
    language: str
    trade: str
    urgent: bool
    text: str


@cache
def texts() -> tuple[SuiteText, ...]:
    """All of them, suite after suite."""
    return tuple(_text(suite, json.loads(line)) for suite in SUITES for line in _lines(suite))


def digest(rows: Iterable[SuiteText]) -> str:
    """SHA-256 in hex over suite, id, label and text of each: which data a figure is about."""
    lines = sorted(f"{one.suite}\t{one.id}\t{int(one.urgent)}\t{one.text}\0" for one in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _lines(suite: str) -> list[str]:
    return (FOLDER / f"{suite}.jsonl").read_text(encoding="utf-8").splitlines()


def _text(suite: str, row: dict[str, object]) -> SuiteText:
    return SuiteText(
        id=str(row["id"]),
        suite=suite,
        content=str(row["content"]),
        variant=str(row["variant"]),
        language=str(row["language"]),
        trade=str(row["trade"]),
        urgent=row["urgent"] is True,
        text=compose(str(row["subject"]), [str(row["body"])]),
    )
