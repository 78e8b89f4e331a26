"""Averages the encoders of several trainings of the same tickets: Wortsman et al. 2022, "Model soups".

python -m scoring.training.average FOLDER FOLDER ... --out FOLDER

FOLDERs are what `train_compact` wrote. The average is of the weights as they were rounded there, so that it follows
from the folders alone. Figures, calibration and card are made anew, as by `train_compact`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from scoring.ngrams import Weights
from scoring.training import data, tracking
from scoring.training.base import Base
from scoring.training.encoder import HEADS, HIDDEN, Encoder
from scoring.training.learning import Settings
from scoring.training.train_compact import Outcome, Run, parted, write

_LINEAR, _NORMALISED = ("q", "k", "v", "ao", "fi", "fo"), ("aln", "oln")
"""Of a layer, in the order in which `export` writes them."""
_SHARED = ("tokenizer.json", "words.npz")


def restored(file: Path) -> Encoder:
    """The encoder of a graph that `export` wrote, with its weights as they were rounded there."""
    graph = onnx.load(file).graph
    constants = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    state = dict(_parameters(list(graph.node), constants))
    encoder = Encoder(len(state["word.weight"]), layers=sum(name.endswith(".fo.weight") for name in state))
    encoder.load_state_dict(state)
    return encoder


def averaged(encoders: Sequence[Encoder]) -> Encoder:
    """A new one, each of whose weights is the mean of theirs."""
    states = [encoder.state_dict() for encoder in encoders]
    mean = Encoder(len(states[0]["word.weight"]), len(encoders[0].layers))
    mean.load_state_dict({name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]})
    return mean


def _parameters(nodes: Sequence[onnx.NodeProto], constants: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Names and values, read off the nodes that use them."""

    def of(kind: str) -> list[list[Tensor]]:
        """What the nodes of a kind read that is constant, in their order."""
        chosen = [node for node in nodes if node.op_type == kind]
        read = [[constants[name] for name in node.input if name in constants] for node in chosen]
        return [one for one in read if one]

    rows, scales, *_ = (first for first, *_ in of("Gather"))
    yield "word.weight", rows * scales
    yield "pos.weight", of("Slice")[0][0]
    yield "head.weight", of("MatMul")[0][0].T
    yield "head.bias", of("Identity")[0][0].reshape(1)
    (norm, *others), maps = of("LayerNormalization"), list(_maps(nodes, constants))
    yield from zip(("ln.weight", "ln.bias"), norm, strict=True)
    for index in range(len(maps) // len(_LINEAR)):
        layer = f"layers.{index}"
        for name, (weight, bias) in zip(_LINEAR, maps[index * len(_LINEAR) :], strict=False):
            scale = (HIDDEN / HEADS) ** -0.5 if name == "q" else 1.0
            yield from ((f"{layer}.{name}.weight", weight / scale), (f"{layer}.{name}.bias", bias / scale))
        for name, (weight, bias) in zip(_NORMALISED, others[index * len(_NORMALISED) :], strict=False):
            yield from ((f"{layer}.{name}.weight", weight), (f"{layer}.{name}.bias", bias))


def _maps(nodes: Sequence[onnx.NodeProto], constants: dict[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Weight and bias of each linear map: `Add(Mul(MatMulIntegerToFloat(...), steps), bias)`."""
    for node, added in pairwise(node for node in nodes if node.op_type in {"MatMulIntegerToFloat", "Add"}):
        if node.op_type == "MatMulIntegerToFloat":
            yield constants[node.input[1]].T * constants[node.input[3]][:, None], constants[added.input[1]]


def _read(folder: Path) -> dict[str, Any]:
    """What `model.json` says."""
    return dict(json.loads((folder / "model.json").read_text(encoding="utf-8")))


def _settings(identity: dict[str, Any]) -> Settings:
    known = {field.name for field in fields(Settings)}
    return Settings(**{name: value for name, value in identity["settings"].items() if name in known})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tickets", type=Path, default=data.TICKETS)
    parser.add_argument("--runs", type=Path, default=Path("var/runs"), help="where MLflow keeps what each run was")
    arguments = parser.parse_args()
    first, of = arguments.folders[0], [_read(folder) for folder in arguments.folders]
    learned, unseen = parted(arguments.tickets)
    digest = data.digest(learned)
    for folder, identity in zip(arguments.folders, of, strict=True):
        if identity["data_digest"] != digest:
            parser.error(f"{folder} learned from other tickets than those of {arguments.tickets}")
        if any((folder / name).read_bytes() != (first / name).read_bytes() for name in _SHARED):
            parser.error(f"{folder} has another tokenizer or other weighted words than {first}")
    run = Run(Base({}, json.loads((first / "tokenizer.json").read_text(encoding="utf-8"))), _settings(of[0]))
    encoder = averaged([restored(folder / "model.onnx") for folder in arguments.folders])
    words = Weights.from_bytes((first / "words.npz").read_bytes())
    trainings = [{"digest": one["digest"], "agreement": _settings(one).agreement} for one in of]
    write(arguments.out, run, Outcome(encoder, words, learned, unseen), {"averaged": trainings})
    tracking.keep(arguments.runs, _read(arguments.out), arguments.out)


if __name__ == "__main__":
    main()
