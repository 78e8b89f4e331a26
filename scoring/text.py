"""From what a requester wrote to the exact text that is scored."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

NORMALISER_VERSION = 1

_KEPT_CONTROLS = {"\n", "\t"}
_DROPPED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn"}


def normalise(text: str) -> str:
    """The same letters in one form (NFKC), lines ended by a line feed, without invisible characters.

    NFKC folds look-alikes such as full-width or mathematical letters, so that an alarm word cannot hide in them.
    """
    folded = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if folded.isascii() and folded.isprintable():
        return folded.strip()
    return "".join(filter(_is_kept, folded)).strip()


def compose(subject: str, messages: Iterable[str]) -> str:
    """The text of one ticket: subject on the first line, then each message of the requester after a blank line."""
    first_line = " ".join(normalise(subject).split())
    return "\n\n".join([first_line, *map(normalise, messages)])


def _is_kept(character: str) -> bool:
    return character in _KEPT_CONTROLS or unicodedata.category(character) not in _DROPPED_CATEGORIES
