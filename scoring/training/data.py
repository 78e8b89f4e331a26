"""The texts that are learned from: the project's written tickets and two public sets of real ones."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scoring.text import compose

TICKETS = Path(__file__).with_name("tickets")
_SEVERITIES = {"blocker": True, "critical": True, "minor": False, "trivial": False, "enhancement": False}


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled text; public sets have text and label only. doubtful: two sensible labellers disagree."""

    text: str
    urgent: bool
    id: str = ""
    trade: str = ""
    language: str = ""
    hard: str = ""
    pair: str = ""
    doubtful: bool = False


def tickets(folder: Path = TICKETS) -> list[Example]:
    """Every written ticket of every trade, in the order of the files' names."""
    return [_ticket(json.loads(line)) for file in sorted(folder.glob("*.jsonl")) for line in _lines(file)]


def bug_reports(file: Path) -> list[Example]:
    """Summaries of Mozilla bugs; "major" and "normal" are left out, since they say neither one nor the other."""
    with file.open(newline="", encoding="utf-8") as source:
        rows = [row for row in csv.DictReader(source) if row["severity"] in _SEVERITIES]
    return [Example(compose(row["summary"], []), _SEVERITIES[row["severity"]]) for row in rows]


def helpdesk(file: Path) -> list[Example]:
    """Helpdesk tickets of one company; its two highest urgencies of four count as urgent."""
    with file.open(newline="", encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    return [Example(compose(row["title"], [row["body"]]), int(row["urgency"]) <= 1) for row in rows]


def digest(examples: Iterable[Example]) -> str:
    """SHA-256 over texts and labels in a fixed order: the same data gives the same digest, however it was filed."""
    lines = sorted(f"{int(example.urgent)}\t{example.text}\0" for example in examples)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _ticket(row: dict[str, object]) -> Example:
    return Example(
        text=compose(str(row["subject"]), [str(row["body"])]),
        urgent=bool(row["urgent"]),
        id=str(row["id"]),
        trade=str(row["trade"]),
        language=str(row["language"]),
        hard=str(row["hard"]),
        pair=str(row["pair"]),
        doubtful=row["second_opinion"] != row["urgent"],
    )
