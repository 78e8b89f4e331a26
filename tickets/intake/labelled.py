"""Tickets whose queue somebody knows already: to calibrate, evaluate and train with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scoring.text import compose
from tickets.intake.lines import TOO_LONG, bounded_lines, is_too_long, why_not_json


class BadLabel(ValueError):
    """Names the line and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class LabelledTicket:
    """text: as it is scored. row: the whole line, for groups such as language or channel."""

    text: str
    urgent: bool
    row: dict[str, object]


def labelled_tickets(file: Path) -> Iterator[LabelledTicket]:
    """Of JSON lines with subject, body and urgent (true or false). Raises BadLabel, OSError."""
    with file.open("rb") as lines:
        for number, line in enumerate(bounded_lines(lines), start=1):
            if line.strip():
                yield _ticket(line, number)


def _ticket(line: bytes, number: int) -> LabelledTicket:
    if is_too_long(line):
        raise BadLabel(f"line {number}: {TOO_LONG}")
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadLabel(f"line {number}: {why_not_json(error)}") from error
    if not isinstance(row, dict) or not isinstance(row.get("body"), str):
        raise BadLabel(f"line {number}: body: a text is required.")
    if not isinstance(row.get("subject", ""), str):
        raise BadLabel(f"line {number}: subject: not a text.")
    if not isinstance(row.get("urgent"), bool):
        raise BadLabel(f"line {number}: urgent: true or false is required.")
    return LabelledTicket(compose(row.get("subject", ""), [row["body"]]), row["urgent"], row)
