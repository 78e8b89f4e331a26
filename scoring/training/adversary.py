"""Adversarial debiasing: a guesser of language, length and style whose failure the encoder is rewarded for.

Ganin and others 2016, "Domain-adversarial training of neural networks": the guesser reads the pooled states through a
layer that passes values on and turns gradients round, so that it learns to guess and the encoder learns to hide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from scoring.training.encoder import HIDDEN

LANGUAGES = ("en", "de", "es", "fr", "pt")
LENGTHS = (24, 64, 128)  # pieces: upper ends of all classes but the last
_MARKDOWN = re.compile(r"^(#{1,6} |[-*] |\d+\. |```|> )|\*\*|`[^`\n]+`", re.MULTILINE)
_CLASSES = (len(LANGUAGES), len(LENGTHS) + 1, 2)


class Adversary(nn.Module):
    """strength: how much of the guesser's gradient reaches the encoder, turned round."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength
        self.guesses = nn.ModuleList(nn.Linear(HIDDEN, classes) for classes in _CLASSES)

    def forward(self, pooled: Tensor, truth: Tensor) -> Tensor:
        """The sum of the guesses' cross entropies; truth: (batch, 3) of `traits`."""
        seen: Tensor = _Turned.apply(pooled, self.strength)  # type: ignore[no-untyped-call]
        losses = [functional.cross_entropy(guess(seen), truth[:, place]) for place, guess in enumerate(self.guesses)]
        return torch.stack(losses).sum()


def traits(text: str, language: str, pieces: Sequence[int]) -> tuple[int, int, int]:
    """The classes of a text: its language, its length, and whether it holds markdown."""
    length = sum(len(pieces) > end for end in LENGTHS)
    return (LANGUAGES.index(language) if language in LANGUAGES else 0, length, int(bool(_MARKDOWN.search(text))))


class _Turned(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor, strength: float) -> Tensor:
        context.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -context.strength * gradients[0], None
