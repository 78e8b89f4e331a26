"""A web process with a database of its own, on the kind of server that the tests run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import REAL
from tests.installation import Installation, embedded
from tests.own_database import own_database


@contextmanager
def web_site(folder: Path, **environment: str) -> Iterator[Installation]:
    """Other servers and workers are not needed, so none is disturbed: the broker is a folder."""
    with _database() as ours, embedded(folder, **ours, **environment) as site:
        site.start("web")
        yield site


@contextmanager
def _database() -> Iterator[dict[str, str]]:
    """DATABASE_URL of a new PostgreSQL database; nothing where the tests run on SQLite."""
    if not REAL:
        yield {}
        return
    with own_database() as url:
        yield {"DATABASE_URL": url}
