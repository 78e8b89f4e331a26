"""Where searched letters stand in a text."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of the text as it is; the page escapes it."""

    text: str
    is_hit: bool


def stretches(text: str, wanted: str) -> list[Stretch]:
    """The whole text, cut at each occurrence of `wanted` in any case."""
    parts = re.split(f"({re.escape(wanted)})", text, flags=re.IGNORECASE)
    return [Stretch(part, bool(number % 2)) for number, part in enumerate(parts) if part]
