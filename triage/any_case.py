"""SQLite's LIKE ignores case in ASCII alone; ours does so in every script, as PostgreSQL's ILIKE does.

Who searches for "müller" finds "MÜLLER", and whoever erases a person finds each reason that names them.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


def teach(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """For the signal connection_created."""
    if connection.vendor == "sqlite":
        for arguments in (2, 3):
            connection.connection.create_function("like", arguments, like, deterministic=True)


def like(pattern: str | None, text: str | None, escape: str = "") -> bool | None:
    """X LIKE Y ESCAPE Z is like(Y, X, Z)."""
    if pattern is None or text is None:
        return None
    return _compiled(str(pattern), escape)(str(text)) is not None


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str, escape: str) -> Any:
    parts, letters = [], iter(pattern)
    for letter in letters:
        if letter == escape:
            parts.append(re.escape(next(letters, "")))
        else:
            parts.append({"%": ".*", "_": "."}.get(letter) or re.escape(letter))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL).fullmatch
