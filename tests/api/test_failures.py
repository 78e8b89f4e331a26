"""What a program is told where the server fails: JSON, never a page."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.api.client import Caller, a_ticket

pytestmark = pytest.mark.django_db


def test_a_server_that_fails_says_as_json_how_to_send_again() -> None:
    """The table of tickets is away, as it would be beyond a full disk."""
    caller = Caller("tickets:write")
    caller.client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tickets_ticket RENAME TO tickets_away")
    answer = caller.post("/api/v1/tickets/", a_ticket())
    assert answer.status_code == 500
    assert "external_id" in answer.json()["detail"]
