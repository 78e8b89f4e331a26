"""What training on an installation's own tickets leaves behind: a linear head over what the base model makes of a text.

margin = bias + base * the base model's margin + the mean of the tokens' states @ states + the grams' TF-IDF @ weights.
All of it is a sum over tokens and words, so each stretch of a text has its exact share of the margin.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scoring.compact import Look
from scoring.ngrams import Weights, from_npz, to_npz
from scoring.reading import UNKNOWN
from scoring.shares import told
from scoring.types import Score

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """bias, base: arrays of one number, since all of it is written as arrays. states: (384,)."""

    bias: NDArray[Any]
    base: NDArray[Any]
    states: NDArray[Any]
    words: Weights

    def score(self, text: str, look: Look) -> Score:
        """Raises ValueError where the margin is no finite number."""
        bias = float(self.bias) + float(self.base) * look.bias
        return told(text, look.reading, self.shares(text, look).tolist(), bias)

    def shares(self, text: str, look: Look) -> NDArray[Any]:
        """(pieces,): what each piece adds to the margin, in logits."""
        import numpy as np

        is_text = np.asarray(look.reading.pieces) >= UNKNOWN
        shares = float(self.base) * look.shares.astype(float) + self.words.shares(text, look.reading)
        shares += (look.states.astype(float) @ self.states) * is_text / max(1, int(is_text.sum()))
        return shares

    def to_bytes(self) -> bytes:
        """The same head gives the same bytes."""
        return to_npz({"bias": self.bias, "base": self.base, "states": self.states, **self.words.arrays()})

    @classmethod
    def from_bytes(cls, written: bytes) -> Head:
        """Raises ValueError, KeyError, TypeError or OSError where these are no head; nothing in it is run."""
        own = from_npz(written)
        bias, base, states = (own.pop(name) for name in ("bias", "base", "states"))
        return cls(bias, base, states, Weights(**own))


def digest(base: str, written: bytes) -> str:
    """SHA-256 in hex over the base model's digest and the bytes of the head: together they are the model."""
    return hashlib.sha256(base.encode() + written).hexdigest()
