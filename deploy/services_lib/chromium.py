"""Chromium for the browser tests. It is no server: found, and tried once."""

import os
import shutil
import subprocess
import tempfile

from services_lib.errors import ServicesError

PACKAGE = "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]


def installed() -> bool:
    return find_chromium() is not None


def find_chromium() -> str | None:
    """The program that the variable CHROMIUM names, or the first known name on PATH."""
    if chosen := os.environ.get("CHROMIUM"):
        return shutil.which(chosen)
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def chromium_problem() -> str | None:
    """Opens an empty page in a fresh profile; None when that works."""
    program = find_chromium()
    if program is None:
        return "not found"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", "about:blank"]
        try:
            done = subprocess.run(
                command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    return None if "<html>" in done.stdout else f"status {done.returncode}: {done.stderr[-2000:]}"


def check_chromium() -> None:
    if problem := chromium_problem():
        raise ServicesError(f"Chromium ({find_chromium()}) cannot open a page: {problem}")
