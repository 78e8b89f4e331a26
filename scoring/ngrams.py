"""A text as words and pairs of neighbouring words, and what each of them adds to a margin.

A gram is kept as a number, CRC-32 of its lower-case UTF-8, so that no file holds what people wrote. Of a hundred
thousand grams one or two share their number with another.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any
from zlib import crc32

from scoring.reading import Reading, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORD = re.compile(r"\w+")
Places = list[tuple[int, ...]]  # of each occurrence: where its words begin, in characters


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """keys: (grams,), uint32, rising; idf, weights: (grams,), of the gram of that number. A margin's part is the sum of
    its grams' TF-IDF times their weights, in logits.
    """

    keys: NDArray[Any]
    idf: NDArray[Any]
    weights: NDArray[Any]

    def shares(self, text: str, reading: Reading) -> NDArray[Any]:
        """(pieces,): a gram's part goes in equal portions to its words, and a word's to the piece it begins in."""
        import numpy as np

        shares = np.zeros(len(reading.pieces))
        pieces = [index for index, span in enumerate(reading.spans) if span]
        begins = [span[0] for span in reading.spans if span]
        found = grams(text, reading)
        for number, part in self.parts({number: len(places) for number, places in found.items()}):
            for words in found[number]:
                for word in words:
                    piece = pieces[max(0, bisect_right(begins, word) - 1)]
                    shares[piece] += part / (len(found[number]) * len(words))
        return shares

    def margin(self, counted: Mapping[int, int]) -> float:
        """What the grams of one text add, by how often each occurs there."""
        return sum(part for _, part in self.parts(counted))

    def parts(self, counted: Mapping[int, int]) -> Iterator[tuple[int, float]]:
        """Of each gram of one text that has a weight: what all its occurrences add."""
        import numpy as np

        if not len(self.keys):
            return
        numbers = np.fromiter(counted, np.uint32, len(counted))
        counts = np.fromiter(counted.values(), float, len(counted))
        place = np.minimum(np.searchsorted(self.keys, numbers), len(self.keys) - 1)
        known = self.keys[place] == numbers
        parts = tf_idf(counts[known], self.idf[place[known]]) * self.weights[place[known]]
        yield from zip(numbers[known].tolist(), parts.tolist(), strict=True)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"keys": self.keys, "idf": self.idf, "weights": self.weights}

    def to_bytes(self) -> bytes:
        """The same weights give the same bytes: an .npz without compression, whose members bear no time."""
        return to_npz(self.arrays())

    @classmethod
    def from_bytes(cls, file: bytes) -> Weights:
        """Raises ValueError, TypeError or OSError where these are none; nothing in it is run."""
        return cls(**from_npz(file))


def to_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    import numpy as np

    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub takes the names for its own options
    return file.getvalue()


def from_npz(file: bytes) -> dict[str, NDArray[Any]]:
    import numpy as np

    with np.load(io.BytesIO(file), allow_pickle=False) as arrays:
        return dict(arrays)


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
