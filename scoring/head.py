"""What training on an installation's own tickets leaves behind: a linear head over what the base model makes of a text.

margin = bias + base * the base model's margin + the mean of the tokens' states @ states + the grams' TF-IDF @ weights.
All of it is a sum over tokens and words, so each stretch of a text has its exact share of the margin.
"""

from __future__ import annotations

import hashlib
import io
from bisect import bisect_right
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from scoring.compact import UNKNOWN, Look, told
from scoring.ngrams import grams, tf_idf
from scoring.types import Score

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """states: (384,). keys: (grams,), uint32, rising; idf, weights: (grams,), of the gram of that number.

    bias, base: arrays of one number, since all of it is written as arrays.
    """

    bias: NDArray[Any]
    base: NDArray[Any]
    states: NDArray[Any]
    keys: NDArray[Any]
    idf: NDArray[Any]
    weights: NDArray[Any]

    def score(self, text: str, look: Look) -> Score:
        """Raises ValueError where the margin is no finite number."""
        bias = float(self.bias) + float(self.base) * look.bias
        return told(text, look.reading, self.shares(text, look).tolist(), bias)

    def shares(self, text: str, look: Look) -> NDArray[Any]:
        """(pieces,): what each piece adds to the margin, in logits."""
        import numpy as np

        is_text = np.asarray(look.reading.pieces) >= UNKNOWN
        shares = float(self.base) * look.shares.astype(float)
        shares += (look.states.astype(float) @ self.states) * is_text / max(1, int(is_text.sum()))
        self._add_grams(shares, text, look)
        return shares

    def _add_grams(self, shares: NDArray[Any], text: str, look: Look) -> None:
        """A gram's part goes in equal portions to its words, and a word's to the piece it begins in."""
        import numpy as np

        found = grams(text, look.reading)
        numbers = np.fromiter(found, np.uint32, len(found))
        place = np.minimum(np.searchsorted(self.keys, numbers), max(0, len(self.keys) - 1))
        known = np.flatnonzero(self.keys[place] == numbers) if len(self.keys) else np.empty(0, int)
        occurrences = [found[int(numbers[index])] for index in known]
        counts = np.array([len(places) for places in occurrences], float)
        parts = tf_idf(counts, self.idf[place[known]]) * self.weights[place[known]] / np.maximum(counts, 1.0)
        pieces = [index for index, span in enumerate(look.reading.spans) if span]
        begins = [span[0] for span in look.reading.spans if span]
        for part, places in zip(parts, occurrences, strict=True):
            for words in places:
                for word in words:
                    shares[pieces[max(0, bisect_right(begins, word) - 1)]] += part / len(words)

    def to_bytes(self) -> bytes:
        """The same head gives the same bytes: an .npz without compression, whose members bear no time."""
        import numpy as np

        file = io.BytesIO()
        np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})
        return file.getvalue()

    @classmethod
    def from_bytes(cls, written: bytes) -> Head:
        """Raises ValueError, KeyError or OSError where these are no head; nothing in it is run."""
        import numpy as np

        with np.load(io.BytesIO(written), allow_pickle=False) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def digest(base: str, written: bytes) -> str:
    """SHA-256 in hex over the base model's digest and the bytes of the head: together they are the model."""
    return hashlib.sha256(base.encode() + written).hexdigest()
