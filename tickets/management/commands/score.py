"""manage.py score FILE|-"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import Error

from scoring.text import compose
from scoring.types import Request, Score
from scoring.verdicts import RUBRIC
from tickets.audit.explain import MILLION
from tickets.first_rows import FIRST_REVIEW_BAND, FIRST_THRESHOLD
from tickets.flow.decide import PolicyValues, decide
from tickets.flow.origin import values_of
from tickets.intake.lines import TOO_LONG, bounded_lines, is_too_long, why_not_json
from tickets.management.asking import AskingCommand, asked
from tickets.models import ActivePolicy, Queue
from tickets.policy.versions import is_carried


class Command(AskingCommand):
    help = "Scores JSON lines with subject and body, by the active policy, and prints JSON lines. Stores nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="JSON lines, or - for standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        policy, rubric = _policy()
        failed = 0
        for numbered in _chunks(_lines(options["file"])):
            parsed = [_parsed(number, line) for number, line in numbered]
            texts = [text for text in parsed if isinstance(text, str)]
            scores = iter(asked().score([Request(text, rubric) for text in texts]))
            for text in parsed:
                answer = _answer(policy, text, next(scores)) if isinstance(text, str) else text
                failed += "error" in answer
                self._print(answer)
        if failed:
            raise CommandError(f"{failed} {'line' if failed == 1 else 'lines'} could not be scored; each says why.")

    def _print(self, answer: dict[str, Any]) -> None:
        """Whoever reads may have read enough, as `head` does: then it ends, without a traceback."""
        try:
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
            self.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None


def _policy() -> tuple[PolicyValues, str]:
    """The active policy's values where it names this scorer's model, else those every installation begins with."""
    try:
        policy = ActivePolicy.current()
        if is_carried(policy, asked().model):
            return values_of(policy), policy.rubric
    except (Error, ActivePolicy.DoesNotExist):
        pass
    return PolicyValues(0, FIRST_THRESHOLD, FIRST_REVIEW_BAND, type(asked()).calibration()), RUBRIC


def _lines(name: str) -> Iterator[tuple[int, bytes]]:
    if name == "-":
        yield from enumerate(bounded_lines(sys.stdin.buffer), start=1)
        return
    try:
        with Path(name).open("rb") as file:
            yield from enumerate(bounded_lines(file), start=1)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}") from error


def _chunks(lines: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    filled = ((number, line) for number, line in lines if line.strip())
    while chunk := list(islice(filled, settings.BATCH_SIZE * 4)):
        yield chunk


def _parsed(number: int, line: bytes) -> str | dict[str, Any]:
    """The text to score, or an answer that says why there is none."""
    try:
        return _text(line)
    except RecursionError:
        return {"line": number, "error": "nested too deeply"}
    except ValueError as error:
        return {"line": number, "error": why_not_json(error)}
    except TypeError as error:
        return {"line": number, "error": str(error)}


def _text(line: bytes) -> str:
    if is_too_long(line):
        raise TypeError(TOO_LONG)
    row = json.loads(line.decode("utf-8-sig"))
    if not isinstance(row, dict) or not row.keys() & {"subject", "body"}:
        raise TypeError("not an object with subject and body")
    subject, body = row.get("subject", ""), row.get("body", "")
    if not isinstance(subject, str) or not isinstance(body, str):
        raise TypeError("subject and body must be strings")
    return compose(subject, [body])


def _answer(policy: PolicyValues, text: str, score: Score) -> dict[str, Any]:
    verdict = decide(policy, score)
    return {
        "score": verdict.score / MILLION,
        "urgent": verdict.queue is Queue.URGENT,
        "confidence": verdict.confidence / MILLION,
        "needs_check": verdict.needs_check,
        "threshold": verdict.threshold / MILLION,
        "calibration": policy.calibration.version,
        "evidence": [
            {"start": part.start, "end": part.end, "text": text[part.start : part.end], "weight": round(part.weight, 6)}
            for part in score.evidence
        ],
        "tokens": score.tokens,
        "tokens_cut": score.tokens_cut,
        "model": asked().model.id,
    }
