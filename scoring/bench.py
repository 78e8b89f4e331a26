"""python -m scoring.bench --backend compact|keyword|worldpm|remote [--model FOLDER] [--tickets N] [--json]

Times a scorer alone, on the written tickets. Prints the hardware it ran on; ratios are within this one run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from scoring.hardware import this_machine
from scoring.text import compose
from scoring.types import Request, Scorer
from scoring.verdicts import RUBRIC, STANDARD, URGENT, fence, question

TICKETS = Path(__file__).with_name("training") / "tickets"
BATCH = 32
TYPICAL_TOKENS = 300
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: float
    unit: str = ""


def requests(number: int) -> list[Request]:
    """The written tickets in a fixed order, as often as needed."""
    lines = [line for file in sorted(TICKETS.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [json.loads(line) for line in lines[::7]]
    return [Request(compose(row["subject"], [row["body"]]), RUBRIC) for row in islice(cycle(rows), number)]


def figures(scorer: Scorer, asked: Sequence[Request]) -> Iterator[Figure]:
    """What every backend is measured by."""
    scorer.score(asked[:BATCH])
    batches = [asked[first : first + BATCH] for first in range(0, len(asked), BATCH)]
    yield Figure(
        f"throughput, batches of {BATCH}", len(asked) / sum(_seconds(scorer.score, one) for one in batches), "tickets/s"
    )
    single = sorted(_seconds(scorer.score, [one]) * 1000 for one in asked[: 4 * BATCH])
    yield Figure("latency of one ticket, median", median(single), "ms")
    yield Figure("latency of one ticket, p95", single[int(len(single) * 0.95)], "ms")
    yield Figure("memory of the process, peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")


def engine_figures(scorer: Any, asked: Sequence[Request]) -> Iterator[Figure]:
    """WorldPM's own: what a pair costs, how much is padding, and how it compares with one text at a time."""
    from scoring.conversation import pairs
    from scoring.worldpm import BATCH_TOKENS, MOST_TICKET_TOKENS, alike

    reward, read = scorer.reward, pairs(scorer.tokenizer, asked, MOST_TICKET_TOKENS)
    typical = sorted(read, key=lambda one: abs(len(one.ticket) - TYPICAL_TOKENS))[:BATCH]
    yield Figure("tokens of a ticket, median", median(len(one.ticket) for one in read))
    both = sum(_seconds(reward.of_pairs, [one]) for one in typical)
    alone = sum(_seconds(reward.of, [*one.shared, *one.frame.urgent]) for one in typical)
    yield Figure(f"verdict pair / one pass, about {TYPICAL_TOKENS} tokens", both / alone)
    made = list(alike(read, BATCH_TOKENS[reward.device.type]))
    padded = sum(len(batch) * max(read[index].length for index in batch) for batch in made)
    yield Figure("padding in batches", 100 * (1 - sum(one.length for one in read) / padded), "%")
    whole = _best(scorer.score, asked)
    yield Figure("engine / bare forward passes", _best(_bare, reward, read, made) / whole)
    yield Figure("against the model card's way", _best(_as_the_card_does, scorer, asked) / whole, "times")


def _best(work: Callable[..., object], *arguments: object) -> float:
    """Seconds of the fastest of a few rounds: whatever else runs on the machine only adds to them."""
    return min(_seconds(work, *arguments) for _ in range(ROUNDS))


def _bare(reward: Any, read: Sequence[Any], made: Sequence[Sequence[int]]) -> None:
    for batch in made:
        reward.of_pairs([read[index] for index in batch])


def _as_the_card_does(scorer: Any, asked: Sequence[Request]) -> None:
    """One text at a time: rendered, encoded and read whole, once for each verdict."""
    from scoring.conversation import answer_ids

    for request in asked:
        before, after = question(request.rubric, fence(request.text))
        for verdict in (URGENT, STANDARD):
            scorer.reward.of(answer_ids(scorer.tokenizer, before + request.text + after, verdict))


def _seconds(work: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def _scorer(backend: str) -> Scorer:
    if backend == "worldpm":
        from scoring.worldpm import WorldPM

        return WorldPM()
    if backend == "remote":
        from scoring.remote import Remote

        return Remote()
    if backend == "compact":
        from scoring.compact import Compact

        return Compact()
    from scoring.keyword import Keyword

    return Keyword()


def _hardware() -> dict[str, object]:
    machine = this_machine()
    return {
        "gpus": [gpu.name for gpu in machine.gpus],
        "cores": machine.cores,
        "memory_gb": round(machine.memory / 1e9),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=["compact", "keyword", "worldpm", "remote"], default="compact")
    parser.add_argument(
        "--model", help="for worldpm and remote: a checkpoint's folder or name (default: WORLDPM_MODEL)"
    )
    parser.add_argument("--tickets", type=int, default=320)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.model:
        os.environ["WORLDPM_MODEL"] = arguments.model
    scorer, asked = _scorer(arguments.backend), requests(arguments.tickets)
    found = list(figures(scorer, asked))
    if arguments.backend == "worldpm":
        found += engine_figures(scorer, asked)
    if arguments.json:
        told = {"model": asdict(scorer.model), "hardware": _hardware(), "figures": [asdict(one) for one in found]}
        json.dump(told, sys.stdout, indent=2)
        return
    print(f"{scorer.model.id} on {_hardware()}")
    for one in found:
        print(f"{one.name:<42} {one.value:>10.2f} {one.unit}")


if __name__ == "__main__":
    main()
