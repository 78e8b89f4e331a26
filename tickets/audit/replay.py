"""Scores what was scored once more, with the recorded calibration, threshold and rubric, and compares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.calibration import Calibration
from scoring.keyword import Keyword
from scoring.types import Model, Request, Scorer
from tickets.flow.decide import MILLION, PolicyValues, decide
from tickets.flow.score import scorer
from tickets.models import Entry, Input, Kind, Policy
from tickets.models.entry import AUTOMATIC, bodies
from tickets.models.input import digest_of

TOLERANCE = 100
"""Of a margin, in millionths: a score may depend on its batch by 1e-4 (scoring.types.Scorer)."""
_CHUNK = 64
_RESULTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Replayed:
    """recorded, now: scores in millionths; margin_moved: millionths of a logit. problem: why there is no score now."""

    seq: int
    recorded: int
    now: int | None = None
    margin_moved: int = 0
    verdict_changed: bool = False
    problem: str = ""

    @property
    def is_same(self) -> bool:
        return self.now is not None and abs(self.margin_moved) <= TOLERANCE and not self.verdict_changed


def scorers_here() -> dict[Model, Scorer]:
    """What this process can ask: its model, and the keyword rules. Raises Unavailable."""
    return {one.model: one for one in (scorer(), Keyword())}


def content_of(one: Replayed) -> dict[str, Any]:
    """As an entry "replayed" tells it; `same` and `verdict_changed` are 0 or 1."""
    if one.now is None:
        return {"recorded": one.recorded, "problem": one.problem}
    return {
        "recorded": one.recorded,
        "score": one.now,
        "margin_moved": one.margin_moved,
        "verdict_changed": int(one.verdict_changed),
        "same": int(one.is_same),
    }


def results_of(seq: int) -> list[dict[str, Any]]:
    """The bodies of the latest entries that tell of a decision made again, latest first."""
    told = Entry.objects.filter(subject=f"entry:{seq}", kind=Kind.REPLAYED).order_by("-seq")
    return list(reversed(bodies(told.values_list("seq", flat=True)[:_RESULTS_SHOWN]).values()))


def replay(first: int, last: int, scorers: Mapping[Model, Scorer]) -> Iterator[Replayed]:
    """Every automatic decision from `first` to `last`, in order; scorers: what this machine has, by identity."""
    kinds = [kind.value for kind in AUTOMATIC]
    rows = Entry.objects.filter(seq__gte=first, seq__lte=last, kind__in=kinds).order_by("seq")
    chunk: list[dict[str, Any]] = []
    for raw in rows.values_list("body", flat=True).iterator(_CHUNK):
        chunk.append(json.loads(bytes(raw)))
        if len(chunk) == _CHUNK:
            yield from _replayed(chunk, scorers)
            chunk = []
    yield from _replayed(chunk, scorers)


def _replayed(chunk: Sequence[dict[str, Any]], scorers: Mapping[Model, Scorer]) -> Iterator[Replayed]:
    rubrics = dict(Policy.objects.filter(number__in={b["policy"] for b in chunk}).values_list("number", "rubric"))
    inputs = Input.objects.filter(ticket__in={body["ticket"] for body in chunk})
    texts = {(row.ticket_id, row.version): row for row in inputs}
    for body in chunk:
        text = texts.get((body["ticket"], body["input"]["version"]))
        model = Model(body["model"]["name"], body["model"]["digest"])
        rubric = rubrics.get(body["policy"], "")
        if problem := _problem(body, text, rubric, model in scorers):
            yield Replayed(body["seq"], body["score"], problem=problem)
        else:
            yield _compared(body, scorers[model], Request(text.text if text else "", rubric))


def _problem(body: dict[str, Any], text: Input | None, rubric: str, is_here: bool) -> str:  # noqa: FBT001
    if text is None:
        return "the text is no longer stored"
    if digest_of(text.nonce, text.text) != body["input"]["digest"]:
        return "the stored text is not the one that was scored: its digest differs"
    if hashlib.sha256(rubric.encode()).hexdigest() != body["rubric_digest"]:
        return "the stored rubric is not the one that was read: its digest differs"
    if not is_here:
        return f"{body['model']['name']} ({body['model']['digest'][:12]}) is not on this machine"
    return ""


def _compared(body: dict[str, Any], scorer: Scorer, request: Request) -> Replayed:
    values = PolicyValues(body["policy"], body["threshold"], body["review_band"], calibration_of(body["calibration"]))
    verdict = decide(values, scorer.score([request])[0])
    return Replayed(
        body["seq"],
        body["score"],
        verdict.score,
        verdict.margin - body["margin"],
        verdict_changed=verdict.queue.value != body["verdict"],
    )


def calibration_of(content: dict[str, Any]) -> Calibration:
    """As an entry holds it (see tickets.flow.origin.calibration_content)."""
    knots = tuple((margin / MILLION, chance / MILLION) for margin, chance in content.get("knots", []))
    return Calibration(content["version"], content.get("a", 0) / MILLION, content.get("b", 0) / MILLION, knots)
