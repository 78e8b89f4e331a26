"""What is wrong gets a 4xx that names the field, and nothing is stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.api.client import BULK, TICKETS, Caller, a_ticket, row_counts
from tests.factories import scored

pytestmark = pytest.mark.django_db
LONE_SURROGATE = b'{"subject": "\\ud800", "body": "x", "requester": {"email": "lea@example.com"}}'


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"subject": None}, "subject"),
        ({"subject": ""}, "subject"),
        ({"subject": "  \n "}, "subject"),
        ({"subject": "\u200b\u2060"}, "subject"),
        ({"subject": 7}, "subject"),
        ({"subject": ["Lamp"]}, "subject"),
        ({"subject": {"a": 1}}, "subject"),
        ({"subject": "s" * 301}, "subject"),
        ({"subject": "a\0b"}, "subject"),
        ({"body": ""}, "body"),
        ({"body": True}, "body"),
        ({"body": "b" * 65_537}, "body"),
        ({"body": "a\0b"}, "body"),
        ({"requester": None}, "requester"),
        ({"requester": "lea@example.com"}, "requester"),
        ({"requester": {}}, "requester"),
        ({"requester": {"email": "lea"}}, "requester"),
        ({"requester": {"email": "lea@example.com", "name": 3}}, "requester"),
        ({"requester": {"email": "lea@example.com", "phone": "1"}}, "requester"),
        ({"requester": {"email": "l" * 250 + "@example.com"}}, "requester"),
        ({"source": "Capital"}, "source"),
        ({"source": "x" * 33}, "source"),
        ({"source": "a b"}, "source"),
        ({"external_id": ""}, "external_id"),
        ({"external_id": "x" * 201}, "external_id"),
        ({"external_id": 12}, "external_id"),
        ({"received_at": "yesterday"}, "received_at"),
        ({"received_at": "2026-01-02T03:04:05"}, "received_at"),
        ({"received_at": "1969-12-31T23:59:59Z"}, "received_at"),
        ({"received_at": "0001-01-01T00:00:00+14:00"}, "received_at"),
        ({"received_at": "9999-12-31T23:59:59-11:00"}, "received_at"),
        ({"received_at": 1_700_000_000}, "received_at"),
        ({"priority": "urgent"}, "priority"),
        ({"Subject": "twice"}, "Subject"),
    ],
)
def test_a_wrong_field_is_named(caller: Caller, changed: dict[str, Any], field: str) -> None:
    before = row_counts()
    answer = caller.post(TICKETS, a_ticket(**changed))
    assert answer.status_code == 400, answer.content
    assert list(answer.json()) == [field]
    assert row_counts() == before


def test_a_missing_field_is_named(caller: Caller) -> None:
    answer = caller.post(TICKETS, {"body": "x"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"subject", "requester"}


def test_a_date_in_the_future_is_refused_but_a_clock_may_be_a_little_fast(caller: Caller) -> None:
    for ahead, status in ((timedelta(minutes=2), 400), (timedelta(seconds=20), 202)):
        moment = (timezone.now() + ahead).isoformat()
        assert caller.post(TICKETS, a_ticket(received_at=moment)).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{'subject': 1}",
        b'{"subject": NaN}',
        b'{"subject": 1e999}',
        b'{"subject": "a", "subject": "b"}',
        b"\xff\xfe{\x00}\x00",
        b'{"subject": "\xe4"}',
        LONE_SURROGATE,
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b"\x00",
        b'{"subject": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_no_ticket_is_refused(caller: Caller, body: bytes) -> None:
    before = row_counts()
    answer = caller.raw(TICKETS, body)
    assert answer.status_code == 400, answer.content
    assert answer.json()
    assert row_counts() == before


def test_a_body_over_256_kib_is_too_large(caller: Caller) -> None:
    before = row_counts()
    answer = caller.post(TICKETS, a_ticket(body="b" * 256 * 1024))
    assert answer.status_code == 413
    assert "262,144" in answer.json()["detail"]
    assert row_counts() == before


def test_the_largest_ticket_allowed_is_stored(caller: Caller) -> None:
    assert caller.post(TICKETS, a_ticket(subject="s" * 300, body="💥" * 16_384)).status_code == 202


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml", ""])
def test_another_content_type_is_refused(caller: Caller, content_type: str) -> None:
    for path in (TICKETS, BULK):
        assert caller.raw(path, b"{}", content_type=content_type).status_code in (400, 415)


@pytest.mark.parametrize("verb", ["messages", "override", "confirm", "undo"])
@pytest.mark.parametrize("number", ["0", "999999999", str(2**63), "9" * 40])
def test_a_ticket_that_is_none_is_not_found(caller: Caller, verb: str, number: str) -> None:
    body = {"messages": {"body": "x"}, "override": {"queue": "urgent", "reason": "x"}}.get(verb, {})
    assert caller.post(f"{TICKETS}{number}/{verb}/", body).status_code == 404
    assert caller.get(f"{TICKETS}{number}/").status_code == 404


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        ("messages", {}, "body"),
        ("messages", {"body": ""}, "body"),
        ("messages", {"body": "x", "author": "agent"}, "author"),
        ("override", {"queue": "vip", "reason": "x"}, "queue"),
        ("override", {"queue": "urgent"}, "reason"),
        ("override", {"queue": "urgent", "reason": " "}, "reason"),
        ("override", {"queue": "urgent", "reason": "x" * 501}, "reason"),
        ("confirm", {"reason": 3}, "reason"),
        ("confirm", {"because": "x"}, "because"),
    ],
)
def test_a_wrong_word_about_a_ticket_changes_nothing(
    caller: Caller, verb: str, body: dict[str, Any], field: str
) -> None:
    ticket = scored()
    before = row_counts()
    answer = caller.post(f"{TICKETS}{ticket.pk}/{verb}/", body)
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert row_counts() == before


@pytest.mark.parametrize(
    "query",
    [
        {"ticket": "x"},
        {"ticket": str(2**70)},
        {"queue": "vip"},
        {"kind": "?"},
        {"policy": "-1"},
        {"score_min": "2"},
        {"score_min": "NaN"},
        {"since": "x"},
        {"cursor": "x"},
        {"model": "a\0b"},
        {"page_size": "x", "cursor": "%%%"},
        {"nonsense": "1"},
    ],
    ids=str,
)
def test_a_wrong_filter_is_refused(caller: Caller, query: dict[str, str]) -> None:
    answer = caller.get("/api/v1/decisions/", **query)
    assert answer.status_code in (400, 404), answer.content
    assert answer.json()
