"""Which sentences moved the margin: each is left out in turn, and what the margin loses is its weight.

Leaving one out ("occlusion", Zeiler and Fergus 2014) asks the model itself, so it holds for every backend. Sentences
that say the same thing cover for each other: then none of them weighs much alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from scoring.types import Evidence, Request, Score, Scorer

MOST_SENTENCES = 8
"""The budget: so many more texts are scored for one explanation. Of a longer ticket, neighbours are taken together."""
_END = re.compile(r"(?<=[.!?…])\s+|(?<=。)|\n+")


def left_out(scorer: Scorer, requests: Sequence[Request], scores: Sequence[Score]) -> list[tuple[Evidence, ...]]:
    """For each request its sentences, strongest first, in one call of the scorer; scores: of the whole requests."""
    spans = [sentences(request.text) for request in requests]
    without = [
        Request(request.text[:start] + request.text[end:], request.rubric)
        for request, found in zip(requests, spans, strict=True)
        for start, end in found
    ]
    margins = iter(score.margin for score in scorer.score(without))
    return [
        _strongest_first(Evidence(start, end, whole.margin - next(margins)) for start, end in found)
        for whole, found in zip(scores, spans, strict=True)
    ]


def sentences(text: str, most: int = MOST_SENTENCES) -> list[tuple[int, int]]:
    """Where the sentences of a text stand, at most so many: start inclusive, end exclusive, none of them blank."""
    found, start = [], 0
    for stop, following in [*(match.span() for match in _END.finditer(text)), (len(text), len(text))]:
        if text[start:stop].strip():
            found.append((start, stop))
        start = following
    return _grouped(found, most)


def _grouped(found: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Neighbours together, so that the groups have like numbers of sentences."""
    if len(found) <= most:
        return found
    edges = [round(place * len(found) / most) for place in range(most + 1)]
    return [(found[first][0], found[last - 1][1]) for first, last in pairwise(edges)]


def _strongest_first(found: Iterator[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(found, key=lambda one: -abs(one.weight)))
