"""What each piece of a text adds to the margin, as a score with its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from scoring.reading import Reading
from scoring.types import Evidence, Score

MOST_EVIDENCE = 8
LONGEST_RUN = 4  # words


def told(text: str, reading: Reading, shares: Sequence[float], bias: float) -> Score:
    """The margin and what moved it most. Raises ValueError where the margin is no finite number."""
    margin = bias + sum(shares)
    if margin - margin != 0.0:
        raise ValueError("the model gave a margin that is not a finite number")
    strongest = sorted(runs(text, reading, shares), key=lambda run: -abs(run.weight))[:MOST_EVIDENCE]
    return Score(margin, tuple(strongest), tokens=len(reading.pieces), tokens_cut=reading.cut)


def runs(text: str, reading: Reading, shares: Sequence[float]) -> list[Evidence]:
    """The whole text as short runs of words that push the same way; their weights add up to margin minus bias."""
    found: list[list[Evidence]] = []
    for word in _words(text, reading, shares):
        last = found[-1] if found else []
        if last and len(last) < LONGEST_RUN and _belongs(text, last[-1], word):
            last.append(word)
        else:
            found.append([word])
    return [Evidence(run[0].start, run[-1].end, sum(word.weight for word in run)) for run in found]


def _words(text: str, reading: Reading, shares: Sequence[float]) -> Iterator[Evidence]:
    pieces = zip(reading.words, reading.spans, shares, strict=True)
    for word, group in groupby(pieces, key=lambda piece: piece[0]):
        if word is None:
            continue
        members = list(group)
        spans = [span for _, span, _ in members if span is not None]
        start, end = min(start for start, _ in spans), max(end for _, end in spans)
        blank = len(text[start:end]) - len(text[start:end].lstrip())
        yield Evidence(start + blank, end, sum(share for _, _, share in members))


def _belongs(text: str, first: Evidence, second: Evidence) -> bool:
    """A run pushes one way and never crosses a line nor the cut in a long text."""
    between = text[first.end : second.start]
    return (first.weight > 0) == (second.weight > 0) and len(between) <= 1 and "\n" not in between
