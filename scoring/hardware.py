"""What this machine has, and whether a checkpoint fits it. Works without a GPU and without torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
BYTES_A_WEIGHT = {"bfloat16": 2.0, "int8": 1.0, "int4": 4.5 / 8}
"""int4 with its scales takes about 4.5 bits a weight."""
ROOM_FOR_ACTIVATIONS = 1.1
_DTYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1}


@dataclass(frozen=True, slots=True)
class Gpu:
    name: str
    memory: int
    driver: str


@dataclass(frozen=True, slots=True)
class Machine:
    """memory, disk: bytes; disk: free where the folder lies."""

    gpus: tuple[Gpu, ...]
    cores: int
    memory: int
    disk: int


@dataclass(frozen=True, slots=True)
class Need:
    """A line of the required matrix; found and the two levels in its unit."""

    name: str
    found: float
    minimum: float
    recommended: float
    unit: str

    @property
    def verdict(self) -> str:
        if self.found >= self.recommended:
            return "recommended"
        return "minimum" if self.found >= self.minimum else "too little"


def this_machine(folder: Path = Path()) -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(tuple(_gpus()), os.cpu_count() or 1, memory, shutil.disk_usage(folder).free)


def needs(machine: Machine) -> list[Need]:
    """For WorldPM-72B: an A100 with 40 GB at least, 80 GB recommended, and what belongs around it."""
    gpu = sum(one.memory for one in machine.gpus) / 1e9
    return [
        Need("GPU memory", gpu, 40, 80, "GB"),
        Need("CPU cores", machine.cores, 16, 32, ""),
        Need("memory", machine.memory / 1e9, 128, 256, "GB"),
        Need("free disk", machine.disk / 1e9, 512, 1_000, "GB"),
    ]


def weights(folder: Path) -> int:
    """How many weights a checkpoint has, from the headers of its .safetensors files alone."""
    total = 0
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as content:
            header = json.loads(content.read(int.from_bytes(content.read(8), "little")))
        for name, tensor in header.items():
            if name != "__metadata__":
                begin, end = tensor["data_offsets"]
                total += (end - begin) // _DTYPE_BYTES.get(tensor["dtype"], 2)
    return total


def bytes_needed(count: int, precision: str) -> float:
    """For so many weights and the activations of one batch."""
    return count * BYTES_A_WEIGHT[precision] * ROOM_FOR_ACTIVATIONS


def _gpus() -> Sequence[Gpu]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (fixed words)
    if done.returncode != 0:
        return []
    rows = [line.split(", ") for line in done.stdout.splitlines() if line.count(", ") == 2]  # noqa: PLR2004
    return [Gpu(name, int(memory) * 2**20, driver) for name, memory, driver in rows]
