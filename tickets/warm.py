"""READY_FILE: there while this worker's model is warm. Kubernetes and compose look for it; without the setting, nobody.

One file for a worker of one child, as all of ours are: with several, the last one to load would speak for the others.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def say_ready() -> None:
    """Call when the model is loaded and has run once. Raises OSError where the file cannot be made."""
    if settings.READY_FILE:
        Path(settings.READY_FILE).touch()


def say_not_ready() -> None:
    """Call before loading, too: the file of a worker that was killed is still there."""
    if settings.READY_FILE:
        Path(settings.READY_FILE).unlink(missing_ok=True)
