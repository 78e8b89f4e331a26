"""manage.py preflight [--model FOLDER] [--check]"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from scoring.checkpoint import CheckpointRefused, checkpoint, weights_digest
from scoring.hardware import BYTES_A_WEIGHT, Machine, bytes_needed, needs, this_machine, weights
from scoring.worldpm import reference_rewards

REFERENCE = (0.6298332214355469, -1.6425328254699707)
"""What the model card says WorldPM-72B gives its two example answers."""
_NEAR = 0.05


class Command(BaseCommand):
    help = "Says what this machine has, what WorldPM needs, and what of a checkpoint fits. Works without a GPU."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", default="", help="a checkpoint's folder or name (default: WORLDPM_MODEL)")
        parser.add_argument("--check", action="store_true", help="load it and score the model card's two answers")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["model"]:
            os.environ["WORLDPM_MODEL"] = options["model"]
        machine = this_machine()
        for line in _machine(machine):
            self.stdout.write(line)
        if not os.environ.get("WORLDPM_MODEL"):
            self.stdout.write("\nNo checkpoint named: --model FOLDER says what it needs.")
            return
        try:
            self._checkpoint(checkpoint(), machine, check=options["check"])
        except CheckpointRefused as error:
            raise CommandError(str(error)) from error

    def _checkpoint(self, folder: Path, machine: Machine, *, check: bool) -> None:
        for line in _fits(folder, machine):
            self.stdout.write(line)
        self.stdout.write(f"digest {weights_digest(folder)}")
        if not check:
            return
        better, worse = reference_rewards(folder)
        self.stdout.write(f"\nReference answers: {better:.4f} and {worse:.4f}.")
        if "WorldPM-72B" in str(os.environ["WORLDPM_MODEL"]) and not _is_reference(better, worse):
            raise CommandError(f"WorldPM-72B gives {REFERENCE[0]:.4f} and {REFERENCE[1]:.4f}; these weights do not.")


def _machine(machine: Machine) -> Iterator[str]:
    for gpu in machine.gpus:
        yield f"{gpu.name}, {gpu.memory / 1e9:.0f} GB, driver {gpu.driver}"
    if not machine.gpus:
        yield "No NVIDIA GPU found (nvidia-smi is missing or finds none): WorldPM would run on the CPU, slowly."
    yield f"\n{'for WorldPM-72B':<16}{'found':>10}{'minimum':>10}{'recommended':>13}"
    for need in needs(machine):
        unit = f" {need.unit}".rstrip()
        found, minimum, recommended = need.found, need.minimum, need.recommended
        yield f"{need.name:<16}{found:>10.0f}{minimum:>10.0f}{recommended:>13.0f}{unit:<4} {need.verdict}"


def _fits(folder: Path, machine: Machine) -> Iterator[str]:
    count, have = weights(folder), sum(gpu.memory for gpu in machine.gpus)
    yield f"\n{folder.name}: {count / 1e9:.2f} billion weights; this machine's GPUs have {have / 1e9:.0f} GB."
    for precision in BYTES_A_WEIGHT:
        needed = bytes_needed(count, precision)
        where = (
            "fits the GPUs" if needed <= have else "fits the memory of the CPU" if needed <= machine.memory else "no"
        )
        yield f"{precision:<10} {needed / 1e9:>8.1f} GB  {where}"


def _is_reference(better: float, worse: float) -> bool:
    return abs(better - REFERENCE[0]) < _NEAR and abs(worse - REFERENCE[1]) < _NEAR
