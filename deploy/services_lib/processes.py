"""Processes as /proc shows them. A process is a pid and its start time, so a recycled pid is never taken for it."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    pid: int
    started: int

    @property
    def alive(self) -> bool:
        return running_process(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        if self.alive:
            with suppress(ProcessLookupError):  # it may end between the two lines
                os.kill(self.pid, number)


@dataclass(frozen=True)
class Stat:
    pid: int
    state: str
    parent: int
    started: int


def parse_stat(text: str) -> Stat:
    """Reads one line of /proc/PID/stat; the command's name in it may hold spaces and parentheses."""
    pid = int(text.split(" ", 1)[0])
    fields = text.rpartition(")")[2].split()
    return Stat(pid, state=fields[0], parent=int(fields[1]), started=int(fields[19]))


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def running_process(pid: int) -> Process | None:
    stat = _stat(pid)
    return Process(stat.pid, stat.started) if stat else None


def with_descendants(leader: Process) -> list[Process]:
    stats = [stat for entry in Path("/proc").iterdir() if entry.name.isdigit() and (stat := _stat(int(entry.name)))]
    family = [leader]
    for member in family:
        family += [Process(stat.pid, stat.started) for stat in stats if stat.parent == member.pid]
    return family


def wait_until_gone(processes: list[Process], seconds: float) -> list[Process]:
    """Returns those still alive when the time is over."""
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if process.alive]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _stat(pid: int) -> Stat | None:
    """None for a process that is gone, or dead and only not yet collected (nobody does that in many containers)."""
    try:
        stat = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if stat.state in "ZX" else stat
