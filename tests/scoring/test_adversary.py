"""The guesser learns what the encoder is rewarded for hiding."""

from __future__ import annotations

import pytest
import torch

from scoring.training.adversary import LENGTHS, Adversary, traits
from scoring.training.encoder import HIDDEN

TRUTH = torch.tensor([[0, 1, 0], [3, 2, 1]])


def gradients(strength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the states and of the guesser's first weight, for the same states and the same guesser."""
    torch.manual_seed(0)
    adversary, states = Adversary(strength), torch.randn(2, HIDDEN, requires_grad=True)
    adversary(states, TRUTH).backward()
    assert states.grad is not None
    return states.grad, next(adversary.parameters()).grad


def test_the_encoder_is_moved_away_from_what_the_guesser_is_moved_to() -> None:
    (plain, guesser), (turned, same_guesser) = gradients(-1.0), gradients(0.5)
    assert plain.abs().sum() > 0
    assert torch.allclose(turned, -0.5 * plain)
    assert torch.allclose(guesser, same_guesser)


@pytest.mark.parametrize(
    ("text", "language", "pieces", "expected"),
    [
        ("plain", "en", 3, (0, 0, 0)),
        ("# Kasse\n- eins", "de", LENGTHS[0] + 1, (1, 1, 1)),
        ("```\nlog\n```", "pt", 1_000, (4, 3, 1)),
        ("a * b - c", "fr", LENGTHS[1], (3, 1, 0)),
    ],
)
def test_a_text_is_classed_by_language_length_and_markdown(
    text: str, language: str, pieces: int, expected: tuple[int, int, int]
) -> None:
    assert traits(text, language, range(pieces)) == expected
