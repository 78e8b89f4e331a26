"""What the benchmarks score: the demo's tickets and the written ones, in a fixed order, as often as needed."""

from __future__ import annotations

import json
import random
from itertools import cycle, islice
from typing import Any

from tests.installation import ROOT


def tickets(number: int) -> list[dict[str, Any]]:
    """Bodies for the API."""
    files = [*sorted((ROOT / "scoring/training/tickets").glob("*.jsonl")), ROOT / "tickets/demo/tickets.jsonl"]
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["body"]]  # the API wants one
    random.Random(1).shuffle(rows)
    return [
        {"subject": row["subject"], "body": row["body"], "requester": {"email": f"{n}@example.com"}}
        for n, row in enumerate(islice(cycle(rows), number))
    ]
