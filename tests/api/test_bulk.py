"""Many tickets in one request: each line stands alone, a broken envelope stores nothing."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.client import BULK, NDJSON, Caller, a_ticket, row_counts
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller() -> Caller:
    return Caller("tickets:write")


def lines(*rows: object) -> bytes:
    return b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)


def test_a_list_gets_a_result_for_each_ticket_in_order(caller: Caller) -> None:
    wrong = a_ticket(subject="")
    answer = caller.post(BULK, [a_ticket(external_id="1"), wrong, a_ticket(external_id="1"), "text", a_ticket()])
    results = answer.json()
    assert answer.status_code == 200
    assert [(line["line"], line["status"]) for line in results] == [(1, 202), (2, 400), (3, 200), (4, 400), (5, 202)]
    assert results[0]["id"] == results[2]["id"]
    assert list(results[1]["errors"]) == ["subject"]
    assert Ticket.objects.count() == 2


def test_lines_that_are_no_json_spoil_no_other(caller: Caller) -> None:
    body = lines(a_ticket(), b"{", b"", b"\xff\xfe", a_ticket(subject=5), b"[" * 50_000, a_ticket())
    answer = caller.raw(BULK, body, content_type=NDJSON)
    assert [line["status"] for line in answer.json()] == [202, 400, 400, 400, 400, 202]


def test_one_line_over_256_kib_is_refused_and_the_others_are_stored(caller: Caller) -> None:
    answer = caller.raw(BULK, lines(a_ticket(), a_ticket(body="b" * 300_000), a_ticket()), content_type=NDJSON)
    assert [line["status"] for line in answer.json()] == [202, 400, 202]


def test_windows_line_ends_and_a_last_line_end_are_fine(caller: Caller) -> None:
    answer = caller.raw(BULK, lines(a_ticket(), a_ticket()).replace(b"\n", b"\r\n") + b"\r\n", content_type=NDJSON)
    assert [line["status"] for line in answer.json()] == [202, 202]


@pytest.mark.parametrize("envelope", [b"{}", b"[", b"", b"null", b'[{"subject": "a"},'], ids=repr)
def test_a_broken_envelope_stores_nothing(caller: Caller, envelope: bytes) -> None:
    before = row_counts()
    assert caller.raw(BULK, envelope).status_code == 400
    assert row_counts() == before


def test_more_than_a_thousand_tickets_are_refused_whole(caller: Caller) -> None:
    before = row_counts()
    answer = caller.post(BULK, [a_ticket()] * 1_001)
    assert answer.status_code == 413
    assert "1,001" in answer.json()["detail"]
    assert row_counts() == before


def test_more_than_16_mib_are_refused_whole(caller: Caller) -> None:
    before = row_counts()
    answer = caller.raw(BULK, lines(*[a_ticket(body="b" * 65_000)] * 260), content_type=NDJSON)
    assert answer.status_code == 413
    assert row_counts() == before


def test_nothing_in_nothing_out(caller: Caller) -> None:
    assert caller.post(BULK, []).json() == []


def test_a_thousand_tickets_cost_no_query_each(caller: Caller) -> None:
    def queries(number: int) -> int:
        tickets = [a_ticket(requester={"email": f"{number}-{n}@example.com"}) for n in range(number)]
        with CaptureQueriesContext(connection) as captured:
            assert {line["status"] for line in caller.post(BULK, tickets).json()} == {202}
        return len(captured)

    assert queries(400) - queries(10) < 40
