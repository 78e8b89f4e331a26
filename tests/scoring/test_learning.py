"""What the encoder's training adds to the labels: that two tellings of one situation are judged alike."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from scoring.compact import WEIGHTS
from scoring.training.data import Example
from scoring.training.encoder import Encoder
from scoring.training.learning import Row, Settings, disagreement, fit, in_batches, margins

SETTINGS = Settings(epochs=6, batch=4, augment=False)
VERDICTS = st.lists(st.tuples(st.floats(-20, 20, width=32), st.sampled_from(["", "a", "b"])), min_size=1, max_size=9)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))


def row(situation: str) -> Row:
    return Row((5,), 1.0, (0, 0, 0), situation)


def told(text: str, pair: str = "", urgent: bool = True) -> Example:
    return Example(text, urgent, id=text, trade="zoos", language="en", pair=pair)


def of(*verdicts: tuple[float, str]) -> float:
    found = disagreement(torch.tensor([float(margin) for margin, _ in verdicts]), [row(name) for _, name in verdicts])
    return float(found)


def test_two_tellings_disagree_by_the_divergence_of_their_probabilities_spread_over_the_batch() -> None:
    assert of((1.0, "a"), (0.0, "a")) == pytest.approx((0.731059 - 0.5) / 2, abs=1e-6)
    assert of((1.0, "a"), (0.0, "a"), (3.0, ""), (-3.0, "b")) == pytest.approx((0.731059 - 0.5) / 4, abs=1e-6)


@given(VERDICTS)
def test_only_two_of_one_situation_can_disagree(verdicts: list[tuple[float, str]]) -> None:
    found = of(*verdicts)
    situations = [situation for _, situation in verdicts if situation]
    assert found >= 0
    if all(situations.count(one) != 2 for one in situations):
        assert found == 0


def test_both_of_a_pair_lie_side_by_side_though_one_is_longer(tokenizer: Tokenizer) -> None:
    pair = [told("the pump is off", "pump"), told("the pump, which we had mended on Friday, " * 9 + "is off", "pump")]
    others = [told(f"the {animal} wants its dinner " * times) for times, animal in enumerate(["lynx", "owl", "ape"], 1)]
    settings = replace(SETTINGS, batch=5, agreement=1.0)
    batches = in_batches(tokenizer, [pair[0], *others, pair[1]], settings, random.Random(1))
    ((first, second),) = [[place for place, one in enumerate(batch) if one.situation] for batch in batches]
    assert second == first + 1


def test_with_agreement_both_of_a_pair_end_nearer_to_each_other(tokenizer: Tokenizer) -> None:
    """Each of them is much like a ticket of the other label, which pulls it away."""
    examples = [
        told("gate stands open lol", "gate"),
        told("The gate cannot be closed, I regret to say.", "gate"),
        told("gate stands open lol in the drawing", urgent=False),
        told("The drawing cannot be closed, I regret to say.", urgent=False),
    ]
    apart = []
    for agreement in (0.0, 8.0):
        torch.manual_seed(1)
        encoder = Encoder(tokenizer.get_vocab_size(), layers=1, dropout=0.0)
        fit(encoder, tokenizer, examples, replace(SETTINGS, agreement=agreement))
        one, other = margins(encoder, tokenizer, [example.text for example in examples[:2]])
        apart.append(abs(one - other))
    assert apart[1] < apart[0]
