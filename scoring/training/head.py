"""Fits a head (scoring.head) on labelled texts: one regression on the texts' words and the base model's states, which
adds to the base model's margin and may turn that down.

It is held back as strongly as does best on fifths left out. So with few labels the base model speaks, and with many
whatever has proved right.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.compact import Compact, Look
from scoring.head import Head
from scoring.ngrams import Weights, grams, tf_idf
from scoring.reading import UNKNOWN, Reading
from scoring.training.logistic import Array, Beside, Dense, Design, Line, Problem, Sparse, fit

MOST_GRAMS = 200_000
"""The most frequent are kept: 2.4 MB of numbers."""
_FOLDS = 5
_STRENGTHS = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
_BASE_SCALE = 0.3
_STATES_SCALE = 0.5
"""The larger beside that of the words, the less is held back. Of standardised states, whose squares sum to 1 a text as
those of its words do; chosen on the two public sets and on tickets of trades held out.
"""
_CHUNK = 64
Progress = Callable[[str, int, int], object]
"""What is being done, how far it is, and of how many."""


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What fitting looks at. base: (texts,), logits. states: (texts, 384), means. grams: how often each number is."""

    base: Array
    states: Array
    grams: list[dict[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A head, and what it says of each text it learned from when it is fitted without its fifth. about: how it came."""

    head: Head
    margins: list[float]
    about: dict[str, Any]


def read(compact: Compact, texts: Sequence[str], progress: Progress) -> Read:
    base, states, counted = [], [], []
    for start in range(0, len(texts), _CHUNK):
        chunk = texts[start : start + _CHUNK]
        for text, look in zip(chunk, compact.look(chunk), strict=True):
            base.append(look.bias + float(look.shares.sum(dtype=float)))
            states.append(_mean(look))
            counted.append(counts(text, look.reading))
        progress("texts read", len(base), len(texts))
    return Read(np.array(base), np.array(states, np.float32), counted)


def counts(text: str, reading: Reading) -> dict[int, int]:
    """How often the text has each gram, by the gram's number."""
    return {number: len(places) for number, places in grams(text, reading).items()}


def learn_words(counted: Sequence[dict[int, int]], urgent: Sequence[bool], seed: int, progress: Progress) -> Weights:
    """Of words alone, as a logistic regression on TF-IDF has them; without its bias."""
    labels = np.asarray(urgent, float)
    keys, idf, words = _words(counted)
    part = _Part.fitted("words", words, labels, fifths(map(_same, counted), labels, seed), progress)
    return Weights(keys, idf, part.line.weights.astype(np.float32))


def learn(read: Read, urgent: Sequence[bool], seed: int, progress: Progress) -> tuple[Fitted, Fitted]:
    """The head, and one of words alone, as a logistic regression on TF-IDF would have it, to compare with.

    urgent: one a text, at least five of each kind. The same texts in the same order, labels and seed give the same.
    """
    labels = np.asarray(urgent, float)
    folds = fifths(zip(map(_same, read.grams), map(bytes, read.states), strict=True), labels, seed)
    keys, idf, words = _words(read.grams)
    alone = _Part.fitted("words", words, labels, folds, progress)
    scaled = _Scaled.of(read)
    whole = _Part.fitted("all", Beside(scaled.dense, words), labels, folds, progress, read.base)
    bias, base, states, of_words = scaled.back(whole.line)
    parts = {"base": base * read.base, "states": read.states @ states, "words": words.times(of_words)}
    about = {
        "strengths": {part.name: part.strength for part in (whole, alone)},
        "spread": {name: round(float(np.std(part)), 4) for name, part in parts.items()},
        "base_weight": round(base, 4),
        "grams": len(keys),
    }
    head = _head(bias, base, states, keys, idf, of_words)
    words_alone = _head(alone.line.bias, 0.0, 0.0 * states, keys, idf, alone.line.weights)
    margins = read.base + whole.margins
    return Fitted(head, margins.tolist(), about), Fitted(words_alone, alone.margins.tolist(), {})


@dataclass(frozen=True, slots=True, eq=False)
class _Scaled:
    """The base model's margin and its states, standardised, as a regression reads them."""

    mean: Array
    scale: Array
    dense: Dense

    @classmethod
    def of(cls, read: Read) -> _Scaled:
        mean = read.states.mean(0)
        scale = np.sqrt(read.states.shape[1]) * (read.states.std(0) + 1e-6) / _STATES_SCALE
        return cls(mean, scale, Dense(np.column_stack([_BASE_SCALE * read.base, (read.states - mean) / scale])))

    def back(self, line: Line) -> tuple[float, float, Array, Array]:
        """bias, weight of the base margin, and weights of states and words, for what is not scaled."""
        of_base, of_states, of_words = np.split(line.weights, [1, self.dense.shape[1]])
        states = of_states / self.scale
        return line.bias - float(self.mean @ states), 1.0 + _BASE_SCALE * float(of_base[0]), states, of_words


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """margins: what is added to each row's offset, by a line fitted without its fold; line: fitted on all rows."""

    name: str
    line: Line
    margins: Array
    strength: float

    @classmethod
    def fitted(
        cls,
        name: str,
        design: Design,
        labels: Array,
        folds: Array,
        progress: Progress,
        offset: Array | None = None,
    ) -> _Part:
        """From the strongest on, until the fifths left out are foretold worse again."""
        before = np.zeros(len(labels)) if offset is None else offset
        lines: list[Line | None] = [None] * (_FOLDS + 1)
        best, least = None, np.inf
        for tried, strength in enumerate(_STRENGTHS):
            progress(f"strengths of {name} tried", tried, len(_STRENGTHS))
            margins = np.zeros(len(labels))
            for fold in range(_FOLDS):
                problem = Problem(design, labels, (folds != fold).astype(float), before)
                line = lines[fold] = fit(problem, strength, lines[fold])
                margins[folds == fold] = line.margins(design)[folds == fold]
            loss = Problem(design, labels, np.ones(len(labels)), before).loss(before + margins)
            if loss >= least:
                break
            best, least = (strength, margins), loss
        if best is None:
            raise ValueError(f"{name}: no regression could be fitted, since what it reads is no finite number")
        whole = fit(Problem(design, labels, np.ones(len(labels)), before), best[0])
        return cls(name, whole, best[1], best[0])


def _same(text: dict[int, int]) -> frozenset[tuple[int, int]]:
    return frozenset(text.items())


def fifths(read: Iterable[Hashable], labels: Array, seed: int) -> Array:
    """Fifths at random, each with its share of urgent ones. Texts that are read alike are in one of them, or the others
    would foretell what they have seen.
    """
    places: dict[Hashable, int] = {}
    place = np.array([places.setdefault(one, len(places)) for one in read])
    _, first = np.unique(place, return_index=True)
    order = np.lexsort((np.random.default_rng(seed).random(len(first)), labels[first]))
    folds = np.empty(len(first), int)
    folds[order] = np.arange(len(first)) % _FOLDS
    return np.asarray(folds[place])


def _mean(look: Look) -> Array:
    text = np.asarray(look.reading.pieces) >= UNKNOWN
    return look.states[text].sum(0) / max(1, int(text.sum()))


def _words(counted: Sequence[dict[int, int]]) -> tuple[Array, Array, Sparse]:
    """Numbers and IDF of the grams that are kept, and the texts' TF-IDF over them."""
    numbers, texts = np.unique(np.array([n for text in counted for n in text], np.uint32), return_counts=True)
    kept = np.sort(np.lexsort((numbers, -texts))[:MOST_GRAMS])
    keys, texts = numbers[kept], texts[kept]
    # Smoothed as scikit-learn does, so that a gram of every text still counts.
    idf = (np.log((1 + len(counted)) / (1 + texts)) + 1).astype(np.float32)
    rows, columns, values = (
        np.concatenate(parts) for parts in zip(*_cells(counted, keys, idf.astype(float)), strict=True)
    )
    return keys, idf, Sparse(rows, columns, values, (len(counted), len(keys)))


def _cells(counted: Sequence[dict[int, int]], keys: Array, idf: Array) -> Iterator[tuple[Array, Array, Array]]:
    for row, text in enumerate(counted):
        numbers = np.fromiter(text, np.uint32, len(text))
        place = np.minimum(np.searchsorted(keys, numbers), len(keys) - 1)
        known = keys[place] == numbers
        counts = np.fromiter(text.values(), float, len(text))[known]
        yield np.full(len(counts), row), place[known], tf_idf(counts, idf[place[known]])


def _head(bias: float, base: float, states: Array, keys: Array, idf: Array, weights: Array) -> Head:
    words = Weights(keys, idf, weights.astype(np.float32))
    return Head(np.array(bias, float), np.array(base, float), states.astype(np.float32), words)
