"""PostgreSQL databases of a test's own, for what commits, or runs in processes of its own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg2

_END_CLIENTS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = current_user"


@contextmanager
def own_database(like: str = "template1") -> Iterator[str]:
    """The URL of a new database, empty or like another one, whose name is given; dropped at the end."""
    server, name = os.environ["DATABASE_URL"], f"triage_own_{uuid.uuid4().hex[:12]}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {like}")
    try:
        yield at_path(server, name)
    finally:
        # Not WITH (FORCE): that wants the right to end an autovacuum, too, which a plain DROP ends without it.
        _execute(server, _END_CLIENTS, name)
        _execute(server, f"DROP DATABASE {name}")


def at_path(url: str, path: str) -> str:
    """The same server, another database of it."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


def _execute(url: str, statement: str, *values: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
