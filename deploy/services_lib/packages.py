"""System packages: installed where that is possible, otherwise named together with the command to type."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping

from services_lib.errors import ServicesError


def ensure_packages(needed: Mapping[str, Callable[[], bool]]) -> None:
    """needed: Debian's package name, and whether what it brings is there already."""
    missing = [package for package, present in needed.items() if not present()]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServicesError(_what_to_type(missing))
    _install(missing)
    if still := [package for package in missing if not needed[package]()]:
        raise ServicesError(f"installed {', '.join(still)}, and still cannot find what should be in it")


def _what_to_type(missing: list[str]) -> str:
    names = " ".join(missing)
    sudo = "" if os.geteuid() == 0 else "sudo "
    return (
        f"missing: {names}. On Debian or Ubuntu type\n"
        f"  {sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {names}\n"
        "and elsewhere install them with the system's own package manager."
    )


def _install(missing: list[str]) -> None:
    print(f"installing {' '.join(missing)} ...", flush=True)
    # Another apt may be at work on this machine: wait for it instead of failing.
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-q"]
    _apt([*apt, "update"])
    _apt([*apt, "install", "-y", "--no-install-recommends", *missing])


def _apt(command: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise ServicesError(f"`{' '.join(command)}` failed with status {done.returncode}:\n{tail}")
