"""A text as words and pairs of neighbouring words, which a head has weights for.

A gram is kept as a number, CRC-32 of its lower-case UTF-8, so that no file holds what people wrote. Of a hundred
thousand grams one or two share their number with another.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any
from zlib import crc32

from scoring.compact import Reading, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORD = re.compile(r"\w+")
Places = list[tuple[int, ...]]  # of each occurrence: where its words begin, in characters


def grams(text: str, reading: Reading) -> dict[int, Places]:
    """Every gram by its number. What the model left out for length is left out here, and no pair crosses that cut."""
    found: dict[int, Places] = defaultdict(list)
    for start, end in _stretches(reading):
        words = [(match[0].lower(), match.start()) for match in _WORD.finditer(text, start, end)]
        for word, place in words:
            found[_number(word)].append((place,))
        for (first, place), (second, next_place) in pairwise(words):
            found[_number(f"{first} {second}")].append((place, next_place))
    return found


def tf_idf(counts: NDArray[Any], idf: NDArray[Any]) -> NDArray[Any]:
    """One text's values: (1 + ln count) * idf, of length 1 (Manning, Raghavan and Schütze 2008, "ltc")."""
    import numpy as np

    values = (1.0 + np.log(counts)) * idf
    return values / max(float(np.linalg.norm(values)), 1e-12)


def _number(gram: str) -> int:
    return crc32(gram.encode("utf-8", "replace"))


def _stretches(reading: Reading) -> Iterator[Span]:
    """All that was read, or its head and its tail."""
    for is_mark, spans in groupby(reading.spans, key=lambda span: span is None):
        if not is_mark:
            inside = [span for span in spans if span is not None]
            yield inside[0][0], inside[-1][1]
