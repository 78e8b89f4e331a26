"""Scores as text and as positions on a bar, and the words they came from as marks in the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django import template

from tickets.audit import explain
from tickets.models import Decision

MILLION = 1_000_000
register = template.Library()


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text. direction: "up" towards urgent, "down", or empty for what moved nothing."""

    text: str
    direction: str = ""
    weight: str = ""


@register.filter
def exact(millionths: int | None) -> str:
    return explain.exact(millionths)


@register.filter
def short(decision: Decision) -> str:
    """The score with as few decimals, from two, as leave it on its side of the threshold."""
    if decision.score is None or decision.threshold is None:
        return "-"
    score, threshold = Decimal(decision.score), Decimal(decision.threshold)
    for places in range(2, 6):
        rounded = round(score / MILLION, places)
        if (rounded * MILLION).compare(threshold) == score.compare(threshold) and 0 < rounded < 1:
            return f"{rounded:.{places}f}"
    return explain.exact(decision.score)


@register.filter
def per_mille(millionths: int | None) -> float:
    """A position on a bar 1,000 wide."""
    return (millionths or 0) / 1_000


@register.filter
def signed(weight: float) -> str:
    return f"{weight:+.2f}"


@register.filter
def percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.1f} %"


@register.simple_tag
def pieces(text: str, evidence: Iterable[explain.Mark]) -> list[Piece]:
    """The text cut at the evidence, in order; of overlapping marks the first is kept."""
    cut, at = [], 0
    for mark in sorted(evidence, key=lambda mark: mark.start):
        if at <= mark.start < mark.end <= len(text):
            direction = "up" if mark.weight > 0 else "down"
            cut += [Piece(text[at : mark.start]), Piece(text[mark.start : mark.end], direction, signed(mark.weight))]
            at = mark.end
    return [piece for piece in (*cut, Piece(text[at:])) if piece.text]
