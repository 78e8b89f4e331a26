"""What fits this machine, said from headers and numbers alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file

from scoring.hardware import GIB, Gpu, Machine, bytes_needed, needs, this_machine, weights
from tests.scoring import checkpoints


def test_weights_are_counted_from_the_headers_alone(tmp_path: Path) -> None:
    made = checkpoints.make(tmp_path / "model", shards=3)
    stored = [tensor.numel() for file in made.glob("*.safetensors") for tensor in load_file(file).values()]
    assert weights(made) == sum(stored)


@pytest.mark.parametrize(("precision", "gigabytes"), [("bfloat16", 146), ("int8", 73), ("int4", 41)])
def test_the_72_billion_weights_take_what_is_known(precision: str, gigabytes: int) -> None:
    assert bytes_needed(72_880_000_000, precision) / 1.1 == pytest.approx(gigabytes * 1e9, rel=0.01)


def test_each_need_is_judged_against_both_levels() -> None:
    machine = Machine((Gpu("A100", 40 * GIB, "550"),), cores=32, memory=64 * GIB, disk=600 * 10**9)
    assert [need.verdict for need in needs(machine)] == ["minimum", "recommended", "too little", "minimum"]


def test_this_machine_is_read_with_or_without_a_gpu() -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.memory > GIB
