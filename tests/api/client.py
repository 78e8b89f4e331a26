"""Calls the API as a program does: JSON, a key, no cookie."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection
from django.test import Client

from tests.factories import api_key
from tickets.models import ApiKey

TICKETS = "/api/v1/tickets/"
BULK = "/api/v1/tickets/bulk/"
NDJSON = "application/x-ndjson"


class Caller:
    """A program with a key. `raw` sends bytes as they are."""

    def __init__(self, *scopes: str, secret: str | None = None) -> None:
        self.secret = api_key(scopes) if secret is None and scopes else (secret or api_key())
        self.client = Client()

    @property
    def key(self) -> ApiKey:
        return ApiKey.objects.get(digest=ApiKey.digest_of(self.secret))

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, query, headers=self._headers({}))

    def head(self, path: str) -> Any:
        return self.client.head(path, headers=self._headers({}))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.raw(path, json.dumps(body).encode(), **headers)

    def raw(self, path: str, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic("POST", path, body, content_type=content_type, headers=self._headers(names))

    def _headers(self, others: dict[str, str]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"} | others


def a_ticket(**changed: Any) -> dict[str, Any]:
    return {"subject": "Lamp", "body": "Where is my lamp?", "requester": {"email": "lea@example.com"}} | changed


def named(errors: dict[str, Any]) -> set[str]:
    """The fields that an answer names, those within others with a dot: "requester.email"."""
    return {
        f"{name}.{inner}" if inner else name
        for name, problem in errors.items()
        for inner in (named(problem) if isinstance(problem, dict) else {""})
    }


def row_counts() -> dict[str, int]:
    """Rows of every table: what a refused request must leave alone."""
    with connection.cursor() as cursor:
        counts = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
            counts[table] = cursor.fetchone()[0]
        return counts
