"""Fits a head (scoring.head) on labelled texts: the base model's margin, its states and the texts' words, together.

Each part is fitted by itself, as strongly held back as does best on fifths left out. A second regression on the margins
that the parts gave those fifths weighs them, held back towards the base model's margin alone (stacking: Wolpert 1992,
"Stacked generalization"). So with few labels the base model speaks, and with many whatever has proved right.
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
from scoring.training.logistic import Array, Dense, Design, Line, Problem, Sparse, fit

MOST_GRAMS = 200_000
"""The most frequent are kept: 2.4 MB of numbers."""
_FOLDS = 5
_STATES_STRENGTHS = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
_WORDS_STRENGTHS = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
_TOGETHER_STRENGTHS = (1_000.0, 100.0, 10.0, 1.0)
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
    part = _Part.fitted("words", words, labels, fifths(map(_same, counted), labels, seed), _WORDS_STRENGTHS, progress)
    return Weights(keys, idf, part.line.weights.astype(np.float32))


def learn(read: Read, urgent: Sequence[bool], seed: int, progress: Progress) -> tuple[Fitted, Fitted]:
    """The head, and one of words alone, as a logistic regression on TF-IDF would have it, to compare with.

    urgent: one a text, at least five of each kind. The same texts in the same order, labels and seed give the same.
    """
    labels = np.asarray(urgent, float)
    folds = fifths(zip(map(_same, read.grams), map(bytes, read.states), strict=True), labels, seed)
    mean, scale = read.states.mean(0), np.sqrt(read.states.shape[1]) * (read.states.std(0) + 1e-6)
    keys, idf, words = _words(read.grams)
    by_states = _Part.fitted("states", Dense((read.states - mean) / scale), labels, folds, _STATES_STRENGTHS, progress)
    by_words = _Part.fitted("words", words, labels, folds, _WORDS_STRENGTHS, progress)
    columns = Dense(np.stack([read.base, by_states.margins, by_words.margins], axis=1))
    together, weight = _together(columns, labels, folds, progress)
    states = by_states.line.weights / scale
    bias = weight[1] * (by_states.line.bias - mean @ states) + weight[2] * by_words.line.bias + together.line.bias
    head = _head(bias, weight[0], weight[1] * states, keys, idf, weight[2] * by_words.line.weights)
    words_alone = _head(by_words.line.bias, 0.0, 0.0 * states, keys, idf, by_words.line.weights)
    about = {
        "strengths": {part.name: part.strength for part in (by_states, by_words, together)},
        "weights": {name: round(float(one), 4) for name, one in zip(("base", "states", "words"), weight, strict=True)},
        "grams": len(keys),
    }
    margins = columns.times(weight) + together.line.bias
    return Fitted(head, margins.tolist(), about), Fitted(words_alone, by_words.margins.tolist(), {})


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """margins: of each row, by a line that was fitted without its fold; line: fitted on all rows."""

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
        strengths: Sequence[float],
        progress: Progress,
        offset: Array | None = None,
    ) -> _Part:
        """From the strongest on, until the fifths left out are foretold worse again."""
        before = np.zeros(len(labels)) if offset is None else offset
        lines: list[Line | None] = [None] * (_FOLDS + 1)
        best, least = None, np.inf
        for tried, strength in enumerate(strengths):
            progress(f"strengths of {name} tried", tried, len(strengths))
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


def _together(columns: Dense, labels: Array, folds: Array, progress: Progress) -> tuple[_Part, Array]:
    """The weights of base, states and words, held back towards 1, 0 and 0.

    States or words that would count against themselves are left out: with few labels that is chance, and weights that
    may not fall below zero stack better (Breiman 1996, "Stacked regressions").
    """
    part = _Part.fitted("together", columns, labels, folds, _TOGETHER_STRENGTHS, progress, columns.values[:, 0])
    weight = part.line.weights + np.array([1.0, 0.0, 0.0])
    contrary = np.array([False, *(weight[1:] < 0)])
    if contrary.any():
        return _together(Dense(np.where(contrary, 0.0, columns.values)), labels, folds, progress)
    return part, weight


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
