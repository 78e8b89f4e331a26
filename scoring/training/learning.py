"""Fitting an encoder to labelled texts, and reading margins off it. Deterministic for a seed on one machine."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from scoring.compact import PADDING, read
from scoring.training.augment import augmented
from scoring.training.data import Example
from scoring.training.encoder import Encoder


@dataclass(frozen=True)
class Settings:
    """rate: peak learning rate of the layers; head_rate, word_rate: of the read-out and of the word embeddings.

    doubt: how far a label two people would disagree about is moved towards the other one; smoothing: every label.
    """

    epochs: int = 4
    batch: int = 16
    rate: float = 2e-4
    head_rate: float = 2e-3
    word_rate: float = 0.0
    decay: float = 0.01
    doubt: float = 0.3
    smoothing: float = 0.03
    augment: bool = True
    seed: int = 1


def fit(encoder: Encoder, tokenizer: Tokenizer, examples: Sequence[Example], settings: Settings) -> None:
    """Trains in place: AdamW with a linear warm-up and decay, batches of like length in random order."""
    torch.manual_seed(settings.seed)
    chance = random.Random(settings.seed)
    optimiser = _optimiser(encoder, settings)
    steps = settings.epochs * math.ceil(len(examples) / settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _slope(step, steps))
    encoder.train()
    for _ in range(settings.epochs):
        for batch in _epoch(tokenizer, examples, settings, chance):
            pieces = padded([pieces for pieces, _ in batch])
            targets = torch.tensor([target for _, target in batch])
            with torch.autocast("cpu", torch.bfloat16):
                logits = encoder(pieces).float()
            loss = functional.binary_cross_entropy_with_logits(logits, targets)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimiser.step()
            schedule.step()


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


def _epoch(
    tokenizer: Tokenizer, examples: Sequence[Example], settings: Settings, chance: random.Random
) -> list[list[tuple[tuple[int, ...], float]]]:
    rows = []
    for example in examples:
        text = augmented(example.text, example.language, chance) if settings.augment else example.text
        rows.append((read(tokenizer, text).pieces, _target(example, settings)))
    rows.sort(key=lambda row: len(row[0]) * chance.uniform(0.7, 1.4))
    batches = [rows[start : start + settings.batch] for start in range(0, len(rows), settings.batch)]
    chance.shuffle(batches)
    return batches


def _target(example: Example, settings: Settings) -> float:
    distance = settings.doubt if example.doubtful else settings.smoothing
    return 1 - distance if example.urgent else distance


def _optimiser(encoder: Encoder, settings: Settings) -> torch.optim.Optimizer:
    encoder.word.weight.requires_grad_(settings.word_rate > 0)
    groups: dict[float, list[Tensor]] = {}
    for name, parameter in encoder.named_parameters():
        rate = {"head": settings.head_rate, "word": settings.word_rate}.get(name.split(".")[0], settings.rate)
        if rate:
            groups.setdefault(rate, []).append(parameter)
    described = [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]
    return torch.optim.AdamW(described, weight_decay=settings.decay)


def _slope(step: int, steps: int) -> float:
    warm_up = max(1, steps // 10)
    return min((step + 1) / warm_up, max(0.0, (steps - step) / max(1, steps - warm_up)))
