"""One server's process: launched away from the caller, found again through its pid file."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services_lib.account import Account
from services_lib.processes import Process, boot_id, parse_stat, wait_until_gone, with_descendants

# The server writes its own pid file, as its last act before it becomes the server: a script killed in between
# leaves no server that nobody knows of. The file is opened by the caller, so the servers' account cannot forge it.
_INTRODUCE_AND_EXEC = """
port=$1; shift
cat "/proc/$$/stat" /proc/sys/kernel/random/boot_id && echo "$port" && exec "$@" >&2
"""


@dataclass(frozen=True)
class Running:
    process: Process
    port: int


@dataclass(frozen=True)
class Daemon:
    account: Account
    pid_file: Path
    log: Path

    def running(self) -> Running | None:
        try:
            stat, boot, port = self.pid_file.read_text().splitlines()
            recorded = parse_stat(stat)
            process = Process(recorded.pid, recorded.started)
            return Running(process, int(port)) if process.alive and boot == boot_id() else None
        except (FileNotFoundError, ValueError, IndexError):
            return None  # never started, or killed while writing its pid file, so before it became the server

    def launch(self, command: Sequence[str | Path], *, port: int, cwd: Path, environment: Mapping[str, str]) -> None:
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.pid_file.open("wb") as pid_file, self.log.open("wb") as log:
            child = subprocess.Popen(
                ["/bin/sh", "-c", _INTRODUCE_AND_EXEC, "sh", str(port), *command],
                cwd=cwd,
                env={"PATH": os.defpath, "LANG": "C.UTF-8", **environment},
                stdin=subprocess.DEVNULL,
                stdout=pid_file,
                stderr=log,
                start_new_session=True,
                **self.account.demotion(),
            )
        # Until its pid file is whole the server cannot be told from one that ended, and would be launched twice.
        while self.running() is None and child.poll() is None:
            time.sleep(0.01)

    def stop(self, gentle: signal.Signals, patience: float) -> bool:
        """Ends the server and its children; says whether there was one to end."""
        running = self.running()
        if running is None:
            return False
        family = with_descendants(running.process)
        running.process.send(gentle)
        if left := wait_until_gone(family, patience):
            print(f"{self.pid_file.stem} did not stop in {patience:.0f} s: killing it", file=sys.stderr)
            _kill_all(left)
        self.pid_file.unlink(missing_ok=True)
        return True

    def kill(self) -> bool:
        """A crash, for fault tests: no chance to flush, to say goodbye or to remove a pid file."""
        running = self.running()
        if running is None:
            return False
        _kill_all(with_descendants(running.process))
        return True

    def log_tail(self, lines: int = 25) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:]) or "(empty)"


def _kill_all(processes: list[Process]) -> None:
    for process in processes:
        process.send(signal.SIGKILL)
    wait_until_gone(processes, 10)
