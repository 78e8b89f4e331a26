"""python -m tests.bench [--quick]: prints a table, and JSON with --json."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psycopg2

from tests.bench.measuring import cpu_seconds, family, percentile, resident_mb
from tests.bench.texts import tickets
from tests.installation import ROOT, Installation, eventually, real

COMPACT, FREE = "scoring.compact.Compact", "tests.faults.scorers.Free"
BATCH = 32
LONG = {"DEADLINE_SECONDS": "3600", "LEASE_SECONDS": "600"}


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    unit: str
    wanted: str = ""


@dataclass(frozen=True)
class Drained:
    """How a worker went through what waited. cpu: of the worker's processes alone, from first to last decision."""

    number: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.number / self.seconds


@contextmanager
def site(scorer: str) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory() as folder, real(Path(folder) / "site", SCORER=scorer, **LONG) as made:
        yield made


def fill(made: Installation, number: int) -> None:
    """Tickets that wait, submitted with no worker alive."""
    code = (
        "import json, sys; from tickets import pipeline; from tickets.api.serializers import TicketIn\n"
        "def submission(row):\n    t = TicketIn(data=row); t.is_valid(raise_exception=True); return t.to_submission()\n"
        "rows = [submission(row) for row in json.load(sys.stdin)]\n"
        "[pipeline.submit(rows[n:n + 500]) for n in range(0, len(rows), 500)]"
    )
    made.manage("shell", "-v0", "-c", code, stdin=json.dumps(tickets(number)))


def drain(made: Installation, command: Callable[[], subprocess.Popen[bytes]]) -> Drained:
    """Starts a worker by `command` and follows it, from its first decision on, until nothing waits."""
    with _waiting(made) as waiting:
        total, worker = waiting(), command()
        eventually(lambda: waiting() < total, "the worker begins", within=120, every=0.02)
        left, started, cpu = waiting(), time.perf_counter(), cpu_seconds(family(worker.pid))
        eventually(lambda: waiting() == 0, "nothing waits", within=900, every=0.05)
        seconds, cpu = time.perf_counter() - started, cpu_seconds(family(worker.pid)) - cpu
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    made.processes.pop("worker", None)
    return Drained(left, seconds, cpu)


@contextmanager
def _waiting(made: Installation) -> Iterator[Callable[[], int]]:
    """Counts what waits over one connection, so that looking costs the server little."""
    with closing(psycopg2.connect(made.environment["DATABASE_URL"])) as connection, connection.cursor() as cursor:
        connection.autocommit = True

        def count() -> int:
            cursor.execute("SELECT count(*) FROM tickets_waiting")
            return int(cursor.fetchone()[0])

        yield count


def bare(number: int) -> Drained:
    """The compact scorer alone on the same texts."""
    command, texts = [sys.executable, "-m", "tests.bench.bare", COMPACT, str(BATCH)], json.dumps(tickets(number))
    done = subprocess.run(command, cwd=ROOT, input=texts, stdout=subprocess.PIPE, text=True, check=True)
    return Drained(number, **json.loads(done.stdout))


def one_message_each(made: Installation) -> subprocess.Popen[bytes]:
    made.shell("from tests.bench.per_ticket import send_all; send_all()")
    command = [str(Path(sys.executable).with_name("celery")), "--app", "tests.bench.per_ticket", "worker"]
    command += ["--queues", "one-a-message", "--pool", "prefork", "--concurrency", "1", "--loglevel", "ERROR"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with Path(os.devnull).open("wb") as quiet:
        return subprocess.Popen(
            command, cwd=ROOT, env=made.environment, stdout=quiet, stderr=quiet, start_new_session=True
        )


def batches_or_messages(scorer: str, number: int, rounds: int) -> tuple[float, float]:
    """Tickets a second in batches, and with one message each; medians of alternating rounds."""
    batched, single = [], []
    with site(scorer) as made:
        for _ in range(rounds):
            fill(made, number)
            batched.append(drain(made, lambda: made.start("worker")).rate)
            fill(made, number // 4)
            single.append(drain(made, lambda: one_message_each(made)).rate)
    return median(batched), median(single)


def throughput(number: int, rounds: int) -> Iterator[Figure]:
    ratios, beside, whole = [], [], []
    with site(COMPACT) as made:
        for _ in range(rounds):
            alone = bare(number)
            fill(made, number)
            drained = drain(made, lambda: made.start("worker"))
            whole.append(drained.rate)
            ratios.append(drained.rate / alone.rate)
            beside.append(1000 * (drained.cpu / drained.number - alone.cpu / alone.number))
    yield Figure("end to end, one compact worker", median(whole), "tickets/s")
    yield Figure("end to end / bare compact scorer", median(ratios), "", ">= 0.85")
    yield Figure("worker's CPU beside the scorer", median(beside), "ms a ticket", "<= 1.5")
    for name, scorer in (("free", FREE), ("compact", COMPACT)):
        ours, theirs = batches_or_messages(scorer, number, rounds)
        yield Figure(f"{name} scorer, batches", ours, "tickets/s")
        yield Figure(f"{name} scorer, one Celery task a ticket", theirs, "tickets/s")
        yield Figure(f"{name} scorer, batches / one task a ticket", ours / theirs, "", ">= 3" if scorer == FREE else "")


def latency(rate: float, seconds: int) -> Iterator[Figure]:
    """From accepted to routed with tickets arriving by POST at `rate` a second, everything running on this machine."""
    with site(COMPACT) as made:
        key = made.manage("api_key", "bench", "--scope", "tickets:write")
        for kind in ("web", "worker", "sweep", "housekeeping"):
            made.start(kind)
        bodies = tickets(int(rate * seconds) + 20)
        for body in bodies[:20]:
            made.post("/api/v1/tickets/", body, key)
        eventually(lambda: made.count("tickets_waiting") == 0, "the worker is warm")
        _send(made, key, bodies[20:], rate)
        eventually(lambda: made.count("tickets_waiting") == 0, "nothing waits")
        rows = made.query("SELECT extract(epoch FROM routed_at - accepted_at) FROM tickets_ticket WHERE id > 20")
        times = [1000 * float(value) for (value,) in rows]
        yield Figure(f"accepted to routed, median at {rate:.0f} tickets/s", median(times), "ms")
        yield Figure(f"accepted to routed, p95 at {rate:.0f} tickets/s", percentile(times, 0.95), "ms", "<= 320")
        yield from _memory(made)


def _send(made: Installation, key: str, bodies: list[dict[str, object]], rate: float) -> None:
    began = time.perf_counter()

    def send(number: int) -> None:
        time.sleep(max(0.0, began + number / rate - time.perf_counter()))
        assert made.post("/api/v1/tickets/", bodies[number], key).status == 202

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(send, range(len(bodies))))


def _memory(made: Installation) -> Iterator[Figure]:
    largest = {kind: max(map(resident_mb, family(made.processes[kind].pid))) for kind in ("web", "worker")}
    yield Figure("web process", largest["web"], "MB", "<= 150")
    yield Figure("compact worker", largest["worker"], "MB", "<= 400")


def requests(number: int) -> Iterator[Figure]:
    with site(COMPACT) as made:
        key = made.manage("api_key", "bench", "--scope", "tickets:write")
        made.start("web")
        bodies, times = tickets(number), []
        for body in bodies:
            started = time.perf_counter()
            assert made.post("/api/v1/tickets/", body, key).status == 202
            times.append(1000 * (time.perf_counter() - started))
        yield Figure("single POST, p95", percentile(times[20:], 0.95), "ms", "<= 30")
        started = time.perf_counter()
        for _ in range(3):
            assert made.post("/api/v1/tickets/bulk/", tickets(1_000), key).status == 200
        yield Figure("bulk POST", 3_000 / (time.perf_counter() - started), "tickets/s", ">= 500")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, for a first look")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    number, rounds, seconds = (300, 1, 5) if arguments.quick else (1_000, 3, 20)
    figures: list[Figure] = []
    for figure in _figures(number, rounds, seconds):
        figures.append(figure)
        if not arguments.json:
            print(f"{figure.name:<56} {figure.value:>10.2f} {figure.unit:<14} {figure.wanted}", flush=True)
    machine = f"{os.cpu_count()} cores, {_processor()}"
    told = {"machine": machine, "figures": [asdict(figure) for figure in figures]}
    print(json.dumps(told) if arguments.json else machine)


def _figures(number: int, rounds: int, seconds: int) -> Iterator[Figure]:
    whole = 0.0
    for figure in throughput(number, rounds):
        whole = whole or figure.value
        yield figure
    yield from latency(whole / 2, seconds)
    yield from requests(number // 5)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
