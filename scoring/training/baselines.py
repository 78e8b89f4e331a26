"""What simpler models make of the same written tickets: word and character n-grams, static embeddings, a mixture.

python -m scoring.training.baselines, with the arguments of train_compact but --out. A model that is no better than one
of these on trades it has not seen would not be worth its layers.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from scoring.head import Head
from scoring.measures import auc, wilson
from scoring.reading import UNKNOWN, read
from scoring.training.data import Example
from scoring.training.evaluate import THRESHOLD, predictions
from scoring.training.head import Read, counts, learn
from scoring.training.train_compact import HELD_OUT, SETTINGS, Run, add_sources, base_of, parted

Array = NDArray[np.float64]
Counts = list[dict[int, int]]
CHARACTERS = (3, 4, 5)
_NOTHING: dict[int, int] = {0: 1}


def words(tokenizer: Tokenizer, text: str) -> dict[int, int]:
    return counts(text, read(tokenizer, text))


def characters(_tokenizer: Tokenizer, text: str) -> dict[int, int]:
    """Runs of three to five, blanks as one blank."""
    plain = re.sub(r"\s+", " ", text.lower())
    found = (plain[at : at + size] for size in CHARACTERS for at in range(len(plain) - size + 1))
    return dict(Counter(crc32(run.encode("utf-8", "replace")) for run in found))


def nothing(_tokenizer: Tokenizer, _text: str) -> dict[int, int]:
    return _NOTHING


def embeddings(tokenizer: Tokenizer, table: Array, texts: Sequence[str]) -> Array:
    """(texts, width): the mean of the pieces' embeddings, before any layer."""
    pieces = [[piece for piece in read(tokenizer, text).pieces if piece >= UNKNOWN] or [UNKNOWN] for text in texts]
    return np.stack([table[row].mean(0) for row in pieces])


def margins(head: Head, states: Array, counted: Counts) -> list[float]:
    rows = zip(states, counted, strict=True)
    return [float(head.bias + row @ head.states) + head.words.margin(one) for row, one in rows]


def judged(
    name: str,
    tokenizer: Tokenizer,
    table: Array,
    counting: Callable[[Tokenizer, str], dict[int, int]],
    learned: Sequence[Example],
    unseen: Sequence[Example],
) -> str:
    """A line: accuracy at a calibrated 0.7 with its interval, and AUC, on what was not learned from."""
    texts, others = [one.text for one in learned], [one.text for one in unseen]
    counted = [counting(tokenizer, text) for text in texts]
    reading = Read(np.zeros(len(texts)), embeddings(tokenizer, table, texts), counted)
    fitted, _ = learn(reading, [one.urgent for one in learned], SETTINGS.seed, lambda *_: None)
    found = margins(fitted.head, embeddings(tokenizer, table, others), [counting(tokenizer, text) for text in others])
    labels = [one.urgent for one in unseen]
    right = sum((one.probability > THRESHOLD) == one.example.urgent for one in predictions(unseen, found))
    share, low, high = (100 * value for value in wilson(right, len(unseen)))
    return f"{name:<36}{share:5.1f} % ({low:.1f} to {high:.1f})   AUC {auc(found, labels):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_sources(parser)
    parser.add_argument("--held-out", nargs="+", default=HELD_OUT, metavar="TRADE")
    arguments = parser.parse_args()
    base = base_of(arguments, 1)
    tokenizer, table = Run(base, SETTINGS).tokenizer, base.tensors["emb.word"].astype(float)
    learned, unseen = parted(arguments.tickets, arguments.held_out)
    flat = np.zeros_like(table)
    for name, own, counting in (
        ("word n-grams (1, 2)", flat, words),
        ("character n-grams (3 to 5)", flat, characters),
        ("static embeddings", table, nothing),
        ("static embeddings and word n-grams", table, words),
    ):
        print(judged(name, tokenizer, own, counting, learned, unseen), flush=True)


if __name__ == "__main__":
    main()
