"""Fitting an encoder to labelled texts, and reading margins off it. Deterministic for a seed on one machine."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from scoring.reading import PADDING, read
from scoring.training.adversary import Adversary, traits
from scoring.training.augment import augmented
from scoring.training.data import Example
from scoring.training.encoder import Encoder


@dataclass(frozen=True)
class Settings:
    """rate: peak learning rate of the layers; head_rate, word_rate: of the read-out and of the word embeddings.

    doubt: how far a label two people would disagree about is moved towards the other one; smoothing: every label.
    agreement: strength of what pulls the two tellings of one situation (a style pair) to one probability; 0 is without.
    adversary: strength of the adversarial debiasing against language, length and style; 0 is without.
    """

    epochs: int = 4
    batch: int = 16
    rate: float = 2e-4
    head_rate: float = 2e-3
    word_rate: float = 0.0
    decay: float = 0.01
    doubt: float = 0.3
    smoothing: float = 0.03
    agreement: float = 0.0
    adversary: float = 0.0
    augment: bool = True
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A text as it is learned from. target: 0 to 1, how sure it is urgent. situation: what both of a pair tell."""

    pieces: tuple[int, ...]
    target: float
    traits: tuple[int, int, int]
    situation: str


def fit(encoder: Encoder, tokenizer: Tokenizer, examples: Sequence[Example], settings: Settings) -> None:
    """Trains in place: AdamW with a linear warm-up and decay, batches of like length in random order."""
    torch.manual_seed(settings.seed)
    chance = random.Random(settings.seed)
    adversary = Adversary(settings.adversary)
    optimiser = _optimiser(encoder, adversary, settings)
    steps = settings.epochs * math.ceil(len(examples) / settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _slope(step, steps))
    encoder.train()
    for epoch in range(settings.epochs):
        losses = []
        for batch in in_batches(tokenizer, examples, settings, chance):
            loss = _loss(encoder, adversary, batch, settings.agreement)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1} of {settings.epochs}: loss {sum(losses) / len(losses):.3f}", flush=True)


def margins(encoder: Encoder, tokenizer: Tokenizer, texts: Sequence[str], batch: int = 32) -> list[float]:
    """One margin a text, in order."""
    encoder.eval()
    readings = [read(tokenizer, text).pieces for text in texts]
    order = sorted(range(len(texts)), key=lambda index: len(readings[index]))
    found = [0.0] * len(texts)
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            indices = order[start : start + batch]
            values = encoder(padded([readings[index] for index in indices])).tolist()
            for index, value in zip(indices, values, strict=True):
                found[index] = value
    return found


def padded(pieces: Sequence[Sequence[int]]) -> Tensor:
    width = max(map(len, pieces))
    return torch.tensor([[*row, *[PADDING] * (width - len(row))] for row in pieces])


def _loss(encoder: Encoder, adversary: Adversary, batch: Sequence[Row], agreement: float) -> Tensor:
    """Of Bradley and Terry over the two verdicts of a ticket: -log sigmoid of how far the true one is ahead. With a
    margin between them that is the binary cross entropy, which also takes a label that is not certain.
    """
    pooled = encoder.pooled(padded([row.pieces for row in batch]))
    margins = encoder.judged(pooled)
    loss = functional.binary_cross_entropy_with_logits(margins, torch.tensor([row.target for row in batch]))
    loss = loss + agreement * disagreement(margins, batch)
    if adversary.strength:
        guessed: Tensor = adversary(pooled, torch.tensor([row.traits for row in batch]))
        return loss + guessed
    return loss


def disagreement(margins: Tensor, batch: Sequence[Row]) -> Tensor:
    """Symmetric Kullback-Leibler divergence between what is said of the two texts of a style pair, a row of the batch.

    It holds two texts together as R-Drop (Liang et al. 2021) does two passes over one text.
    """
    pairs = [places for places in _situations(batch) if len(places) == 2]
    if not pairs:
        return margins.new_zeros(())
    one, other = margins[torch.tensor(pairs).T]
    return ((one.sigmoid() - other.sigmoid()) * (one - other)).sum() / len(batch)


def in_batches(
    tokenizer: Tokenizer, examples: Sequence[Example], settings: Settings, chance: random.Random
) -> list[list[Row]]:
    """Batches of like length. Where they are to agree, both texts of a pair lie side by side; few batches part them."""
    rows = []
    for example in examples:
        text = augmented(example.text, example.language, chance) if settings.augment else example.text
        pieces = read(tokenizer, text).pieces
        situation = f"{example.trade}/{example.pair}" if example.pair and settings.agreement else ""
        rows.append(Row(pieces, _target(example, settings), traits(text, example.language, pieces), situation))
    told = _situations(rows)
    told.sort(key=lambda places: max(len(rows[place].pieces) for place in places) * chance.uniform(0.9, 1.1))
    rows = [rows[place] for places in told for place in places]
    batches = [rows[start : start + settings.batch] for start in range(0, len(rows), settings.batch)]
    chance.shuffle(batches)
    return batches


def _situations(rows: Sequence[Row]) -> list[list[int]]:
    """Places of the rows that tell one situation; most have one of their own."""
    places: dict[str | int, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[row.situation or place].append(place)
    return list(places.values())


def _target(example: Example, settings: Settings) -> float:
    distance = settings.doubt if example.doubtful else settings.smoothing
    return 1 - distance if example.urgent else distance


def _optimiser(encoder: Encoder, adversary: Adversary, settings: Settings) -> torch.optim.Optimizer:
    encoder.word.weight.requires_grad_(settings.word_rate > 0)
    groups: dict[float, list[Tensor]] = {}
    for name, parameter in encoder.named_parameters():
        rate = {"head": settings.head_rate, "word": settings.word_rate}.get(name.split(".")[0], settings.rate)
        if rate:
            groups.setdefault(rate, []).append(parameter)
    groups[settings.head_rate].extend(adversary.parameters())
    described = [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]
    return torch.optim.AdamW(described, weight_decay=settings.decay)


def _slope(step: int, steps: int) -> float:
    warm_up = max(1, steps // 10)
    return min((step + 1) / warm_up, max(0.0, (steps - step) / max(1, steps - warm_up)))
