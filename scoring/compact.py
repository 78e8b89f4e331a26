"""The scorer everybody gets: a small encoder of our own training on two CPU cores, without torch.

margin = bias + the sum of one share a token, so a token's share of the margin is exact and evidence costs nothing.
How the weights came about: scoring/training/train_compact.py; what they can and cannot do: compact_weights/README.md.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from scoring.batches import batches
from scoring.calibration import Calibration
from scoring.types import Evidence, Model, Request, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

WEIGHTS = Path(__file__).with_name("compact_weights")
WEIGHTS_FILES = ("model.onnx", "tokenizer.json")
START, PADDING, END, UNKNOWN = range(4)
HEAD_TOKENS, TAIL_TOKENS = 192, 64
HEAD_CHARACTERS, TAIL_CHARACTERS = 4_096, 2_048  # text between them is never tokenised, so no text can make us slow
BATCH_TOKENS = 1_024  # padded tokens of one run; more is not faster and takes more memory
MOST_EVIDENCE = 8
LONGEST_RUN = 4  # words

Span = tuple[int, int]  # characters, start inclusive, end exclusive
Piece = tuple[int, Span | None, int | None]  # token id, where it stands, number of its word; None for marks


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the model reads it.

    pieces, spans, words: the three parts of each piece. cut: tokens left out; estimated from the kept ones where a
    text is so long that its middle was not tokenised.
    """

    pieces: tuple[int, ...]
    spans: tuple[Span | None, ...]
    words: tuple[int | None, ...]
    cut: int


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What the model makes of a text, for a head of another kind to read.

    shares: (pieces,), logits; bias: logits. margin = bias + the sum of the shares. states: (pieces, 384), float32.
    """

    reading: Reading
    shares: NDArray[Any]
    bias: float
    states: NDArray[Any]


class Compact:
    """A fixed meaning of "urgent", learned; a request's rubric is ignored."""

    model: Model

    @classmethod
    def identity(cls) -> Model:
        card = json.loads((WEIGHTS / "model.json").read_text(encoding="utf-8"))
        return Model(id=card["id"], digest=card["digest"])

    @classmethod
    def calibration(cls) -> Calibration:
        """Fitted on predictions for trades the weights had not seen."""
        fitted = json.loads((WEIGHTS / "calibration.json").read_text(encoding="utf-8"))
        return Calibration(fitted["version"], fitted["a"], fitted["b"])

    def __init__(self) -> None:
        from tokenizers import Tokenizer

        self.model = self.identity()
        if weights_digest(WEIGHTS) != self.model.digest:
            raise ValueError(f"{WEIGHTS} is damaged: its digest differs from model.json. Check the files out again.")
        self._tokenizer = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))
        self._session = _session(WEIGHTS / "model.onnx", threads=int(os.environ.get("SCORER_THREADS") or 0))

    def score(self, requests: Sequence[Request]) -> list[Score]:
        """Scores in the order of `requests`. Raises ValueError where the model gives no finite number."""
        readings = [read(self._tokenizer, request.text) for request in requests]
        scores: dict[int, Score] = {}
        for batch in batches([len(reading.pieces) for reading in readings], BATCH_TOKENS):
            shares, bias = self._run([readings[index] for index in batch])
            for index, row in zip(batch, shares, strict=True):
                scores[index] = told(requests[index].text, readings[index], row, bias)
        return [scores[index] for index in range(len(requests))]

    def look(self, texts: Sequence[str]) -> list[Look]:
        """In the order of `texts`, each the same whatever else is in the list. States of 64 long texts take 25 MB."""
        readings = [read(self._tokenizer, text) for text in texts]
        looks: dict[int, Look] = {}
        for batch in batches([len(reading.pieces) for reading in readings], BATCH_TOKENS):
            shares, bias, states = self._outputs([readings[index] for index in batch], "shares", "bias", "states")
            for index, row, deep in zip(batch, shares, states, strict=True):
                length = len(readings[index].pieces)
                looks[index] = Look(readings[index], row[:length], float(bias), deep[:length])
        return [looks[index] for index in range(len(texts))]

    def _run(self, readings: Sequence[Reading]) -> tuple[list[list[float]], float]:
        """Shares of the margin for each piece of each reading (padding too, which has none), and the bias."""
        shares, bias = self._outputs(readings, "shares", "bias")
        return shares.astype(float).tolist(), float(bias)

    def _outputs(self, readings: Sequence[Reading], *names: str) -> list[NDArray[Any]]:
        import numpy

        width = max(len(reading.pieces) for reading in readings)
        pieces = numpy.full((len(readings), width), PADDING, dtype=numpy.int64)
        for row, reading in zip(pieces, readings, strict=True):
            row[: len(reading.pieces)] = reading.pieces
        return cast("list[NDArray[Any]]", self._session.run(list(names), {"pieces": pieces}))


def weights_digest(folder: Path) -> str:
    """SHA-256 in hex over the weights files, one after the other."""
    digest = hashlib.sha256()
    for name in WEIGHTS_FILES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def read(tokenizer: Tokenizer, text: str) -> Reading:
    """Pieces of the head and the tail of `text`, all of it where it is short. Training reads through here too."""
    stretches = [(0, text)]
    if len(text) > HEAD_CHARACTERS + TAIL_CHARACTERS:
        stretches = [(0, text[:HEAD_CHARACTERS]), (len(text) - TAIL_CHARACTERS, text[-TAIL_CHARACTERS:])]
    found: list[Piece] = [piece for offset, stretch in stretches for piece in _pieces(tokenizer, stretch, offset)]
    seen = sum(len(stretch) for _, stretch in stretches)
    total = round(len(found) * len(text) / seen) if seen else 0
    mark: Piece = (END, None, None)
    if len(found) > HEAD_TOKENS + TAIL_TOKENS:
        kept = [*found[:HEAD_TOKENS], mark, *found[-TAIL_TOKENS:]]
        cut = total - HEAD_TOKENS - TAIL_TOKENS
    else:
        kept, cut = found, total - len(found)
    pieces, spans, words = zip((START, None, None), *kept, mark, strict=True)
    return Reading(pieces, spans, words, cut)


def _pieces(tokenizer: Tokenizer, text: str, offset: int) -> Iterator[Piece]:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    for piece, (start, end), word in zip(encoding.ids, encoding.offsets, encoding.word_ids, strict=True):
        # A text that spells a mark, such as "<pad>", must not become one.
        yield max(piece, UNKNOWN), (start + offset, end + offset), (word or 0) + offset


def _session(file: Path, threads: int) -> InferenceSession:
    """threads: 0 for one a core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # the arena keeps the memory of the largest batch for good
    options.enable_mem_pattern = False  # worth it for fixed shapes only
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to the neighbours
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def told(text: str, reading: Reading, shares: Sequence[float], bias: float) -> Score:
    """The margin and what moved it most. Raises ValueError where the margin is no finite number."""
    margin = bias + sum(shares)
    if margin - margin != 0.0:
        raise ValueError("the model gave a margin that is not a finite number")
    strongest = sorted(runs(text, reading, shares), key=lambda run: -abs(run.weight))[:MOST_EVIDENCE]
    return Score(margin, tuple(strongest), tokens=len(reading.pieces), tokens_cut=reading.cut)


def runs(text: str, reading: Reading, shares: Sequence[float]) -> list[Evidence]:
    """The whole text as short runs of words that push the same way; their weights add up to margin minus bias."""
    found: list[list[Evidence]] = []
    for word in _words(text, reading, shares):
        last = found[-1] if found else []
        if last and len(last) < LONGEST_RUN and _belongs(text, last[-1], word):
            last.append(word)
        else:
            found.append([word])
    return [Evidence(run[0].start, run[-1].end, sum(word.weight for word in run)) for run in found]


def _words(text: str, reading: Reading, shares: Sequence[float]) -> Iterator[Evidence]:
    pieces = zip(reading.words, reading.spans, shares, strict=False)  # shares are padded
    for word, group in groupby(pieces, key=lambda piece: piece[0]):
        if word is None:
            continue
        members = list(group)
        spans = [span for _, span, _ in members if span is not None]
        start, end = min(start for start, _ in spans), max(end for _, end in spans)
        blank = len(text[start:end]) - len(text[start:end].lstrip())
        yield Evidence(start + blank, end, sum(share for _, _, share in members))


def _belongs(text: str, first: Evidence, second: Evidence) -> bool:
    """A run pushes one way and never crosses a line nor the cut in a long text."""
    between = text[first.end : second.start]
    return (first.weight > 0) == (second.weight > 0) and len(between) <= 1 and "\n" not in between
