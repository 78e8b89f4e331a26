"""Many tickets in one request: each line stands alone, a broken envelope stores nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings as limits
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.client import BULK, NDJSON, TICKETS, Caller, a_ticket, named, row_counts
from tickets.models import Message, Ticket, Waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller() -> Caller:
    return Caller("tickets:write")


def lines(*rows: object) -> bytes:
    return b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)


def statuses(answer: Any) -> list[int]:
    """Of each line; they come in order, counted from 1."""
    assert answer.status_code == 200, answer.content
    results = answer.json()
    assert [result["line"] for result in results] == list(range(1, len(results) + 1))
    return [result["status"] for result in results]


def test_a_list_gets_a_result_for_each_ticket_in_order(caller: Caller) -> None:
    answer = caller.post(BULK, [a_ticket(subject="First"), a_ticket(subject=""), "text", a_ticket(subject="Last")])
    results = answer.json()
    assert statuses(answer) == [202, 400, 400, 202]
    assert [named(results[number]["errors"]) for number in (1, 2)] == [{"subject"}, {"non_field_errors"}]
    for result, subject in ((results[0], "First"), (results[3], "Last")):
        ticket = Ticket.objects.get(pk=result["id"])
        assert (ticket.subject, result["url"], result["state"]) == (subject, f"{TICKETS}{ticket.pk}/", "waiting")
    assert Ticket.objects.count() == Waiting.objects.count() == 2


def test_ndjson_gets_a_result_for_each_line_in_order(caller: Caller) -> None:
    body = lines(a_ticket(subject="First"), a_ticket(requester={"email": "x"}), a_ticket(subject="Last"))
    answer = caller.raw(BULK, body, content_type=NDJSON)
    assert statuses(answer) == [202, 400, 202]
    assert named(answer.json()[1]["errors"]) == {"requester.email"}
    assert list(Ticket.objects.order_by("pk").values_list("subject", flat=True)) == ["First", "Last"]


def test_lines_that_are_no_json_spoil_no_other(caller: Caller) -> None:
    broken = [b"{", b"\xff\xfe", b"[" * 50_000, b'{"subject": NaN}', b'{"subject": "a", "subject": "b"}', b"\x00"]
    answer = caller.raw(BULK, lines(a_ticket(), *broken, a_ticket()), content_type=NDJSON)
    assert statuses(answer) == [202, *[400] * len(broken), 202]
    assert all(named(result["errors"]) == {"line"} for result in answer.json()[1:-1])
    assert Ticket.objects.count() == 2


def test_one_line_over_256_kib_is_refused_and_the_others_are_stored(caller: Caller) -> None:
    answer = caller.raw(BULK, lines(a_ticket(), a_ticket(body="b" * 300_000), a_ticket()), content_type=NDJSON)
    assert statuses(answer) == [202, 400, 202]
    assert "262,144" in answer.json()[1]["errors"]["line"][0]


def test_blank_lines_and_windows_line_ends_are_no_tickets(caller: Caller) -> None:
    body = b"\r\n" + lines(a_ticket(), b"", a_ticket()).replace(b"\n", b"\r\n") + b"\r\n\r\n"
    assert statuses(caller.raw(BULK, body, content_type=NDJSON)) == [202, 202]


def test_the_same_ticket_twice_in_one_request_is_one_and_the_first_counts(caller: Caller) -> None:
    one, other = a_ticket(source="shop", external_id="1"), a_ticket(source="shop", external_id="1", body="Other")
    wrong, elsewhere = a_ticket(source="shop", external_id="1", subject=""), a_ticket(source="chat", external_id="1")
    answer = caller.post(BULK, [wrong, one, other, elsewhere, one])
    assert statuses(answer) == [400, 202, 200, 202, 200]
    results = answer.json()
    assert results[1]["id"] == results[2]["id"] == results[4]["id"] != results[3]["id"]
    assert Message.objects.get(ticket=results[1]["id"]).body == "Where is my lamp?"


def test_what_was_sent_before_is_known(caller: Caller) -> None:
    tickets = [a_ticket(external_id=str(number)) for number in range(5)]
    single = caller.post(TICKETS, tickets[2])
    assert statuses(caller.post(BULK, tickets)) == [202, 202, 200, 202, 202]
    before = row_counts()
    again = caller.post(BULK, tickets)
    assert statuses(again) == [200] * 5
    assert again.json()[2]["id"] == single.json()["id"]
    assert row_counts() == before


@pytest.mark.parametrize(
    "envelope",
    [b"{}", b"[", b"", b"null", b"1", b'[{"subject": "a"},', b"[NaN]", b"[] []", "[]".encode("utf-16")],
    ids=repr,
)
def test_a_broken_envelope_stores_nothing(caller: Caller, envelope: bytes) -> None:
    before = row_counts()
    answer = caller.raw(BULK, envelope)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert row_counts() == before


def test_a_list_cut_off_in_the_middle_stores_not_even_its_whole_tickets(caller: Caller) -> None:
    before = row_counts()
    assert caller.raw(BULK, json.dumps([a_ticket()] * 3).encode()[:-20]).status_code == 400
    assert row_counts() == before


@pytest.mark.parametrize("content_type", ["application/json", NDJSON])
def test_more_than_a_thousand_tickets_are_refused_whole(caller: Caller, content_type: str) -> None:
    before = row_counts()
    tickets = [a_ticket()] * 1_001
    body = lines(*tickets) if content_type == NDJSON else json.dumps(tickets).encode()
    answer = caller.raw(BULK, body, content_type=content_type)
    assert answer.status_code == 413
    assert "1,001" in answer.json()["detail"]
    assert row_counts() == before


@pytest.mark.parametrize("content_type", ["application/json", NDJSON])
def test_more_than_16_mib_are_refused_whole(caller: Caller, content_type: str) -> None:
    before = row_counts()
    tickets = [a_ticket(body="b" * 65_000)] * 260
    body = lines(*tickets) if content_type == NDJSON else json.dumps(tickets).encode()
    answer = caller.raw(BULK, body, content_type=content_type)
    assert answer.status_code == 413
    assert "16,777,216" in answer.json()["detail"]
    assert row_counts() == before


@pytest.mark.parametrize("content_type", ["application/json", NDJSON])
def test_exactly_a_thousand_tickets_in_exactly_16_mib_are_stored(caller: Caller, content_type: str) -> None:
    tickets = [a_ticket(body="b" * 16_000, requester={"email": f"{number}@example.com"}) for number in range(1_000)]
    body = lines(*tickets) if content_type == NDJSON else json.dumps(tickets).encode()
    answer = caller.raw(BULK, body.ljust(limits.BULK_MAX_BYTES, b"\n"), content_type=content_type)
    assert set(statuses(answer)) == {202}
    assert Ticket.objects.count() == Waiting.objects.count() == 1_000


@pytest.mark.parametrize(("body", "content_type"), [(b"[]", "application/json"), (b"\n\n", NDJSON)])
def test_nothing_in_nothing_out(caller: Caller, body: bytes, content_type: str) -> None:
    before = row_counts()
    assert statuses(caller.raw(BULK, body, content_type=content_type)) == []
    assert row_counts() == before


def test_many_tickets_cost_no_query_each(caller: Caller) -> None:
    def queries(number: int) -> int:
        tickets = [a_ticket(requester={"email": f"{number}-{n}@example.com"}) for n in range(number)]
        with CaptureQueriesContext(connection) as captured:
            assert set(statuses(caller.post(BULK, tickets))) == {202}
        return len(captured)

    assert queries(400) - queries(10) < 40


good = st.builds(lambda number: a_ticket(external_id=str(number)), st.integers(0, 3))
bad = st.sampled_from([a_ticket(subject=""), a_ticket(priority=1), {}, [], 5, None, b"{", b"nonsense", b"\xff"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(good | bad, min_size=1, max_size=12))
def test_each_line_fares_as_it_would_alone(caller: Caller, rows: list[Any]) -> None:
    known = set(Ticket.objects.values_list("external_id", flat=True))
    expected = []
    for row in rows:
        if not isinstance(row, dict) or "external_id" not in row:
            expected.append(400)
            continue
        expected.append(200 if row["external_id"] in known else 202)
        known.add(row["external_id"])
    assert statuses(caller.raw(BULK, lines(*rows), content_type=NDJSON)) == expected
    assert set(Ticket.objects.values_list("external_id", flat=True)) == known
