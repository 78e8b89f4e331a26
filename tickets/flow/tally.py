"""Running totals for /metrics, counted in the transaction that makes them true, so that no restart loses any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from django.db import connection

LATENCY_BUCKETS_MS = (50, 100, 200, 320, 450, 1_000, 2_000, 5_000, 15_000, 60_000)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)


def add(counts: Mapping[str, int]) -> None:
    """Adds to the totals in one statement. Call it while holding the head of the log: one order for everyone."""
    if not counts:
        return
    values = ", ".join(["(%s, %s)"] * len(counts))
    parameters = [part for name in sorted(counts) for part in (name, counts[name])]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO tickets_tally (name, value) VALUES {values} "  # noqa: S608
            "ON CONFLICT (name) DO UPDATE SET value = tickets_tally.value + excluded.value",
            parameters,
        )


def observe(counts: Counter[str], name: str, value: int, buckets: Iterable[int]) -> None:
    """Counts one observation of a histogram: the first bucket it fits in, and the sum."""
    bucket = next((limit for limit in buckets if value <= limit), "inf")
    counts[f"{name}:bucket:{bucket}"] += 1
    counts[f"{name}:sum"] += value
