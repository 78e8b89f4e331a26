"""PostgreSQL databases of a test's own, for what commits, or runs in processes of its own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.installation import _database, _execute


@contextmanager
def own_database(like: str = "template1") -> Iterator[str]:
    """The URL of a new database, empty or like another one, whose name is given; dropped at the end."""
    server, name = os.environ["DATABASE_URL"], f"triage_own_{uuid.uuid4().hex[:12]}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {like}")
    try:
        yield _database(server, name)
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")
