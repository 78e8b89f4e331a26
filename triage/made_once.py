"""A secret that an installation makes for itself: once, however many processes start together."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def made_once(file: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds, for its owner alone; `make` fills it where it is missing or empty. Raises OSError."""
    with suppress(FileNotFoundError):
        if content := file.read_bytes():
            return content
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        if content := locked.read():
            return content
        locked.write(content := make())
        return content
