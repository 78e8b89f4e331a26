"""What Kubernetes is told of a worker: READY_FILE is there while the model is warm, and SIGTERM ends it in order."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery.signals import worker_process_shutdown

from scoring.types import Request, Score
from tests.faults.scorers import Free
from tests.installation import Installation, embedded, eventually
from tickets import tasks

WAITING, CLAIMED = "tickets_waiting", "tickets_waiting WHERE claim <> 0"
SCORED = "tickets_decision WHERE kind = 'scored'"


class Gated(Free):
    """Stops at two gates in the folder GATES, `loads` and `scores`, until each is open."""

    def __init__(self) -> None:
        Gate(Path(os.environ["GATES"]), "loads").pass_through()

    def score(self, requests: Sequence[Request]) -> list[Score]:
        Gate(Path(os.environ["GATES"]), "scores").pass_through()
        return super().score(requests)


class Unloadable(Free):
    def __init__(self) -> None:
        raise RuntimeError("the weights are damaged")


@dataclass(frozen=True)
class Gate:
    """Files through which a test holds up another process, and sees how often it came."""

    folder: Path
    name: str

    def pass_through(self) -> None:
        with self._visits.open("a") as visits:
            visits.write("came\n")
        while not self._open.exists():
            time.sleep(0.05)

    def open(self) -> None:
        self._open.touch()

    def close(self) -> None:
        self._open.unlink()

    @property
    def visits(self) -> int:
        return len(self._visits.read_text().splitlines()) if self._visits.exists() else 0

    def wait_for(self, visits: int) -> None:
        eventually(lambda: self.visits == visits, f"the worker {self.name}, {visits} times so far")

    @property
    def _open(self) -> Path:
        return self.folder / f"{self.name} is open"

    @property
    def _visits(self) -> Path:
        return self.folder / self.name


@pytest.fixture
def loads(tmp_path: Path) -> Gate:
    return Gate(tmp_path, "loads")


@pytest.fixture
def scores(tmp_path: Path) -> Gate:
    return Gate(tmp_path, "scores")


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    (tmp_path / "told").mkdir()
    return tmp_path / "told" / "ready"


@pytest.fixture
def site(tmp_path: Path, ready: Path) -> Iterator[Installation]:
    """Nothing runs yet, and a batch is one ticket."""
    environment = {"GATES": str(tmp_path), "READY_FILE": str(ready), "SCORER": f"{__name__}.Gated", "BATCH_SIZE": "1"}
    with embedded(tmp_path / "site", **environment) as site:
        yield site


def child_of(worker: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def ends(site: Installation) -> int:
    """Waits until the worker ends by itself; its exit status."""
    return site.processes.pop("worker").wait(timeout=60)


def submit(site: Installation, number: int) -> None:
    """Without a knock: this process would end while it sends one. A worker looks for work when it starts."""
    silent = Installation(site.folder, site.environment | {"BROKER_URL": "memory://"})
    silent.shell(f"from tests.factories import submitted\nfor _ in range({number}): submitted()")


def test_a_worker_is_ready_once_its_model_is_loaded_and_not_before(
    site: Installation, loads: Gate, ready: Path
) -> None:
    site.start("worker")
    loads.wait_for(1)
    assert not ready.exists()
    loads.open()
    eventually(ready.exists, "the file appears")


def test_a_housekeeping_worker_is_ready_without_a_model(site: Installation, loads: Gate, ready: Path) -> None:
    site.start("housekeeping")
    eventually(ready.exists, "the file appears")
    assert loads.visits == 0


def test_a_worker_whose_model_does_not_load_is_never_ready(site: Installation, ready: Path) -> None:
    site.start("worker", SCORER=f"{__name__}.Unloadable")
    eventually(lambda: "the weights are damaged" in site.log("worker"), "it says why")
    assert not ready.exists()


def test_a_worker_in_place_of_a_killed_one_is_not_ready_by_the_file_it_left(
    site: Installation, loads: Gate, ready: Path
) -> None:
    loads.open()
    site.start("worker")
    eventually(ready.exists, "the first is ready")
    site.kill("worker", signal.SIGKILL)
    assert ready.exists(), "it had no time to take the file away"
    loads.close()
    site.start("worker")
    loads.wait_for(2)
    assert not ready.exists()


def test_a_child_in_place_of_a_killed_one_is_not_ready_until_it_has_loaded_the_model_again(
    site: Installation, loads: Gate, ready: Path
) -> None:
    loads.open()
    worker = site.start("worker")
    eventually(ready.exists, "the first child is ready")
    loads.close()
    os.kill(child_of(worker), signal.SIGKILL)
    loads.wait_for(2)
    assert not ready.exists()
    loads.open()
    eventually(ready.exists, "the second child is ready")


def test_a_worker_told_to_stop_records_its_batch_claims_no_other_and_ends_by_itself(
    site: Installation, loads: Gate, scores: Gate, ready: Path
) -> None:
    submit(site, 3)
    loads.open()
    worker = site.start("worker")
    scores.wait_for(1)
    assert ready.exists()
    worker.send_signal(signal.SIGTERM)
    eventually(lambda: not ready.exists(), "it is not ready any more while it ends the batch")
    scores.open()
    assert ends(site) == 0
    assert scores.visits == 1
    assert (site.count(SCORED), site.count(WAITING), site.count(CLAIMED)) == (1, 2, 0)


def test_a_worker_told_to_stop_while_it_loads_is_never_ready_and_claims_nothing(
    site: Installation, loads: Gate, scores: Gate, ready: Path
) -> None:
    submit(site, 1)
    worker = site.start("worker")
    loads.wait_for(1)
    untouched = ready.parent.stat().st_mtime_ns
    worker.send_signal(signal.SIGTERM)
    loads.open()
    assert ends(site) == 0
    assert ready.parent.stat().st_mtime_ns == untouched, "the file was made and taken away again"
    assert (scores.visits, site.count(WAITING)) == (0, 1)


def test_a_worker_told_to_stop_whose_batch_hangs_still_ends_by_itself(
    site: Installation, loads: Gate, scores: Gate
) -> None:
    submit(site, 1)
    loads.open()
    worker = site.start("worker", HARD_LIMIT_SECONDS="2")
    scores.wait_for(1)
    worker.send_signal(signal.SIGTERM)
    assert ends(site) == 0
    assert (site.count(SCORED), site.count(WAITING)) == (0, 1)


def test_a_child_that_ends_takes_its_file_away(ready: Path, settings: Any) -> None:
    settings.READY_FILE = str(ready)
    ready.touch()
    worker_process_shutdown.send(sender=tasks, pid=0, exitcode=0)
    assert not ready.exists()
