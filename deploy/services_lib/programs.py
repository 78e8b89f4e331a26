"""Short programs that a server needs run: initdb, a key store, psql."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from services_lib.account import Account
from services_lib.errors import ServicesError


def run_to_end(
    command: Sequence[str | Path],
    *,
    lock: int,
    account: Account | None = None,
    cwd: Path = Path("/"),
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Gives what it printed. The child holds the lock too: after a kill of this script the next one waits for it.

    environment: the whole of it; None for the caller's own.
    """
    done: subprocess.CompletedProcess[str] = subprocess.run(
        list(command),
        check=False,
        cwd=cwd,
        input=stdin,
        env=None if environment is None else {"PATH": os.defpath, "LANG": "C.UTF-8", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=(lock,),
        **(account.demotion() if account else {}),
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise ServicesError(f"{command[0]} failed with status {done.returncode}:\n{tail}")
    return done.stdout


def ask(command: Sequence[str | Path], environment: Mapping[str, str]) -> tuple[bool, str]:
    """Whether a client program succeeded, and what it printed. One that hangs has failed: its server may be frozen."""
    try:
        done = subprocess.run(
            command, check=False, cwd="/", env=environment, capture_output=True, text=True, timeout=10
        )
    except subprocess.TimeoutExpired:
        return False, "no answer within 10 s"
    return done.returncode == 0, (done.stdout + done.stderr).strip()
