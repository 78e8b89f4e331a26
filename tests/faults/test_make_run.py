"""`make run`: the demo comes up, a second time too, and after everything or only the parent was killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import ROOT, eventually, free_port

_LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", ".services", "var", ".*_cache", "__pycache__", ".hypothesis")


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A copy of the tree that has its environment already."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
    (copy / ".venv").symlink_to(Path(sys.prefix))
    yield copy
    for pid in pids_of(copy):
        os.kill(pid, signal.SIGKILL)
    print((copy / "run.log").read_text(errors="replace")[-6000:])  # pytest shows it where the test failed


def pids_of(checkout: Path) -> list[int]:
    """Every process of a run of this checkout."""
    marker = f"TRIAGE_RUN={checkout}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def make_run(checkout: Path, port: int) -> subprocess.Popen[str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.Popen(
        ["make", "run", f"PORT={port}"],
        cwd=checkout,
        env=environment,
        stdout=(checkout / "run.log").open("a"),
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def answers(port: int, path: str = "/healthz") -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def decided(port: int) -> int:
    lines = answers(port, "/metrics").splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("triage_decided_total{"))


def test_it_comes_up_again_after_each_kind_of_end(checkout: Path) -> None:
    port = free_port()
    running = make_run(checkout, port)
    eventually(lambda: decided(port) >= 150, "all demo tickets are decided")
    log = (checkout / "run.log").read_text()
    assert f"http://127.0.0.1:{port}/" in log
    assert all(f"{role}-demo" in log for role in ("agent", "ops", "auditor"))

    running.kill()
    running.wait()
    assert pids_of(checkout), "only the parent was killed"
    running = make_run(checkout, port)
    eventually(lambda: "\n0 demo tickets submitted" in (checkout / "run.log").read_text(), "the second run begins")
    eventually(lambda: bool(answers(port)), "it answers again")

    for pid in pids_of(checkout):
        os.kill(pid, signal.SIGKILL)
    running.wait()
    running = make_run(checkout, port)
    eventually(lambda: bool(answers(port)), "it answers a third time")

    os.killpg(running.pid, signal.SIGINT)
    running.wait(timeout=60)
    eventually(lambda: not pids_of(checkout), "Ctrl+C leaves nothing behind")


def test_a_port_that_is_taken_is_named_together_with_what_to_type(checkout: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        running = make_run(checkout, port)
        assert running.wait(timeout=60) != 0
    assert f"make run PORT={port + 1}" in (checkout / "run.log").read_text()
