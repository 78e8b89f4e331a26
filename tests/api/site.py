"""A web process with a database of its own, on the kind of server that the tests run on."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from tests.conftest import REAL
from tests.installation import Installation, embedded


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
    url, name = os.environ["DATABASE_URL"], f"triage_api_{uuid.uuid4().hex[:12]}"
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield {"DATABASE_URL": urlunsplit(urlsplit(url)._replace(path=f"/{name}"))}
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
