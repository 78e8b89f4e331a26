"""The scorer everybody gets: a small encoder of our own training and weighted words, on two CPU cores, without torch.

margin = bias + the sum of one share a token, so a token's share of the margin is exact and evidence costs nothing. The
encoder grasps what was never put in these words; weighted words err on other tickets than it does. Together they are
right more often than either.
How the weights came about: scoring/training/train_compact.py; what they can and cannot do: compact_weights/README.md.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from scoring.batches import batches
from scoring.calibration import Calibration, shipped
from scoring.ngrams import Weights
from scoring.reading import PADDING, Reading, read
from scoring.shares import told
from scoring.types import Model, Request, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

WEIGHTS = Path(__file__).with_name("compact_weights")
WEIGHTS_FILES = ("model.onnx", "tokenizer.json", "words.npz")
BATCH_TOKENS = 1_024  # padded tokens of one run; more is not faster and takes more memory


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
        card = cls.card()
        return Model(id=card["id"], digest=card["digest"])

    @classmethod
    def card(cls) -> dict[str, Any]:
        """What the weights are, what they learned from and how good they were on trades that they had not seen."""
        return cast("dict[str, Any]", json.loads((WEIGHTS / "model.json").read_text(encoding="utf-8")))

    @classmethod
    def calibration(cls) -> Calibration:
        """Fitted on predictions for trades the weights had not seen."""
        fitted = json.loads((WEIGHTS / "calibration.json").read_text(encoding="utf-8"))
        return shipped(fitted, cls.identity().digest)

    def __init__(self) -> None:
        from tokenizers import Tokenizer

        self.model = self.identity()
        if weights_digest(WEIGHTS) != self.model.digest:
            raise ValueError(f"{WEIGHTS} is damaged: its digest differs from model.json. Check the files out again.")
        self._tokenizer = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))
        self._words = Weights.from_bytes((WEIGHTS / "words.npz").read_bytes())
        self._session = _session(WEIGHTS / "model.onnx", threads=int(os.environ.get("SCORER_THREADS") or 0))

    def score(self, requests: Sequence[Request]) -> list[Score]:
        """Scores in the order of `requests`. Raises ValueError where the model gives no finite number."""
        scores: dict[int, Score] = {}
        for index, reading, shares, bias in self._read([request.text for request in requests]):
            scores[index] = told(requests[index].text, reading, shares.tolist(), float(bias))
        return [scores[index] for index in range(len(requests))]

    def look(self, texts: Sequence[str]) -> list[Look]:
        """In the order of `texts`, each the same whatever else is in the list. States of 64 long texts take 25 MB."""
        looks: dict[int, Look] = {}
        for index, reading, shares, bias, states in self._read(texts, "states"):
            looks[index] = Look(reading, shares, float(bias), states[: len(reading.pieces)])
        return [looks[index] for index in range(len(texts))]

    def _read(self, texts: Sequence[str], *more: str) -> Iterator[tuple[Any, ...]]:
        """In the order of their lengths: number of the text, reading, shares, bias and what else the graph can give."""
        readings = [read(self._tokenizer, text) for text in texts]
        for batch in batches([len(reading.pieces) for reading in readings], BATCH_TOKENS):
            rows, bias, *others = self._outputs([readings[index] for index in batch], "shares", "bias", *more)
            for place, index in enumerate(batch):
                shares = rows[place, : len(readings[index].pieces)] + self._words.shares(texts[index], readings[index])
                yield index, readings[index], shares, bias, *(other[place] for other in others)

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
