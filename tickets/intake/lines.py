"""Lines of files that somebody else wrote: none costs more memory than it may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, AnyStr

LONGEST_LINE = 1024 * 1024
TOO_LONG = f"longer than {LONGEST_LINE:,} characters"
_ENDS = {"\n", "\r", b"\n"}


def bounded_lines(file: IO[AnyStr]) -> Iterator[AnyStr]:
    """Each line; of one that is too long only its beginning, which `is_too_long` knows."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        while is_too_long(line) and line[-1:] not in _ENDS:
            line = file.readline(LONGEST_LINE + 1)


def is_too_long(line: AnyStr) -> bool:
    return len(line) > LONGEST_LINE


def why_not_json(error: ValueError) -> str:
    """What is wrong with one line of JSON, by its place in that line, from 1."""
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at character {error.pos + 1}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start + 1}"
    return f"not JSON: {error}"
