"""python -m tests.bench.log [--entries N] [--json]: the log on PostgreSQL: what recording adds, verifying, shipping."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from tests.bench.__main__ import FREE, Figure, fill, site
from tests.installation import Installation

_DECIDE = """
import time; from datetime import timedelta
from tickets import pipeline
from tickets.flow import record as step
spent = []
def timed(drafts, inner=step.record):
    started = time.perf_counter(); made = inner(drafts)
    spent.append((len(drafts), time.perf_counter() - started)); return made
import tickets.flow.settle as settle; settle.record = timed
pipeline.score_waiting("bench", timedelta(seconds=600))
decisions = [(n, s) for n, s in spent if n > 1]
print(1000 * 16 * sum(s for _, s in decisions) / sum(n for n, _ in decisions))
"""
_GROW = """
import json
from django.db import transaction
from tickets.flow.record import Draft, record
from tickets.models import Entry, Kind
made = Entry.objects.filter(kind="scored").order_by("seq")[:{sample}]
bodies = [json.loads(bytes(body)) for body in made.values_list("body", flat=True)]
drafts = [Draft(Kind.EXPLAINED, body["subject"], body["actor"], body) for body in bodies]
for _ in range({times}):
    with transaction.atomic():
        record(drafts)
"""
_VERIFY = """
import time, resource
from tickets.audit.verify import verify
started = time.perf_counter(); before = resource.getrusage(resource.RUSAGE_SELF)
report = verify(); seconds = time.perf_counter() - started; after = resource.getrusage(resource.RUSAGE_SELF)
assert report.fault is None, report
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(report.entries, seconds, cpu)
"""
_SHIP = """
import time
from tickets.audit import ship
started = time.perf_counter(); shipped = ship.ship_waiting(); print(shipped, time.perf_counter() - started)
"""


def figures(made: Installation, entries: int) -> list[Figure]:
    fill(made, 2_000)
    recording = float(printed(made, _DECIDE))
    made.shell(_GROW.format(sample=1_000, times=max(1, entries // 1_000 - 2)))
    count, seconds, cpu = map(float, printed(made, _VERIFY).split())
    shipped, shipping = map(float, printed(made, _SHIP).split())
    return [
        Figure("recording, of 16 decisions", recording, "ms", "<= 3"),
        Figure("verifying", count / seconds, "entries/s"),
        Figure("verifying, by the CPU time it took", count / cpu, "entries/s a core", ">= 50000"),
        Figure("shipping", shipped / shipping, "documents/s", ">= 5000"),
    ]


def printed(made: Installation, code: str) -> str:
    return made.manage("shell", "-v0", "-c", code).splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with site(FREE) as made:
        found = figures(made, arguments.entries)
    if arguments.json:
        print(json.dumps([asdict(figure) for figure in found]))
        return
    for figure in found:
        print(f"{figure.name:<56} {figure.value:>10.2f} {figure.unit:<14} {figure.wanted}")


if __name__ == "__main__":
    main()
