"""Stops what an earlier `make run` of this folder left behind, and says so where the port belongs to somebody else.

Processes of a run carry the folder in the environment variable TRIAGE_RUN; a kill -9 of the run leaves them orphaned.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE_SECONDS = 5.0


def leftovers(marker: str) -> Iterator[int]:
    """Processes of earlier runs. Where there is no /proc there is nothing to see."""
    mine = {os.getpid(), *ancestors(os.getpid())}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if marker.encode() in environment and int(folder.name) not in mine:
            yield int(folder.name)


def ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return
        yield pid


def stop(marker: str) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + PATIENCE_SECONDS
        for pid in leftovers(marker):
            _signal(pid, number)
        while any(leftovers(marker)) and time.monotonic() < until:
            time.sleep(0.1)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def is_taken(port: int) -> bool:
    """Still, after a moment: a process that was killed gives its memory back, and only then its port."""
    until = time.monotonic() + PATIENCE_SECONDS
    while _answers(port):
        if time.monotonic() > until:
            return True
        time.sleep(0.1)
    return False


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    stop(f"TRIAGE_RUN={os.environ['TRIAGE_RUN']}")
    port = int(os.environ.get("PORT", "8000"))
    if is_taken(port):
        sys.exit(f"Port {port} is in use by another program. Stop it, or type: make run PORT={port + 1}")
