"""What is wrong gets a 4xx that names the field, and nothing is stored."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.client import BULK, TICKETS, Caller, a_ticket, named, row_counts
from tests.factories import fallen_back, scored

pytestmark = pytest.mark.django_db
DECISIONS = "/api/v1/decisions/"
POLICIES = "/api/v1/policies/"
EMAIL = "lea@example.com"
INVISIBLE = "\u200b\u2060\ufeff"
SURROGATE = "\ud800"


@pytest.fixture
def caller() -> Caller:
    return Caller()


def is_refused(answer: Any, status: int, before: dict[str, int]) -> dict[str, Any]:
    """What an answer that refuses says; nothing was stored."""
    assert answer.status_code == status, answer.content
    assert row_counts() == before
    problems = answer.json()
    assert all(problems.values())
    return dict(problems)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"subject": None}, "subject"),
        ({"subject": ""}, "subject"),
        ({"subject": "  \n "}, "subject"),
        ({"subject": INVISIBLE}, "subject"),
        ({"subject": 7}, "subject"),
        ({"subject": ["Lamp"]}, "subject"),
        ({"subject": {"a": 1}}, "subject"),
        ({"subject": "s" * 301}, "subject"),
        ({"subject": "a\0b"}, "subject"),
        ({"subject": f"a{SURROGATE}b"}, "subject"),
        ({"body": ""}, "body"),
        ({"body": True}, "body"),
        ({"body": 1.5}, "body"),
        ({"body": INVISIBLE}, "body"),
        ({"body": "b" * 65_537}, "body"),
        ({"body": "a\0b"}, "body"),
        ({"body": f"a{SURROGATE}b"}, "body"),
        ({"requester": None}, "requester"),
        ({"requester": EMAIL}, "requester.non_field_errors"),
        ({"requester": [EMAIL]}, "requester.non_field_errors"),
        ({"requester": {}}, "requester.email"),
        ({"requester": {"email": "lea"}}, "requester.email"),
        ({"requester": {"email": 5}}, "requester.email"),
        ({"requester": {"email": "a\0@example.com"}}, "requester.email"),
        ({"requester": {"email": f"{SURROGATE}@example.com"}}, "requester.email"),
        ({"requester": {"email": "l" * 250 + "@example.com"}}, "requester.email"),
        ({"requester": {"email": EMAIL, "name": 3}}, "requester.name"),
        ({"requester": {"email": EMAIL, "name": "n" * 201}}, "requester.name"),
        ({"requester": {"email": EMAIL, "name": "a\0b"}}, "requester.name"),
        ({"requester": {"email": EMAIL, "region": "r" * 65}}, "requester.region"),
        ({"requester": {"email": EMAIL, "locale": "l" * 36}}, "requester.locale"),
        ({"requester": {"email": EMAIL, "locale": None}}, "requester.locale"),
        ({"requester": {"email": EMAIL, "phone": "1"}}, "requester.phone"),
        ({"source": "Capital"}, "source"),
        ({"source": "x" * 33}, "source"),
        ({"source": "a b"}, "source"),
        ({"source": "a\nb"}, "source"),
        ({"source": 5}, "source"),
        ({"source": SURROGATE}, "source"),
        ({"external_id": ""}, "external_id"),
        ({"external_id": INVISIBLE}, "external_id"),
        ({"external_id": "x" * 201}, "external_id"),
        ({"external_id": 12}, "external_id"),
        ({"received_at": "yesterday"}, "received_at"),
        ({"received_at": "2026-02-30T00:00:00Z"}, "received_at"),
        ({"received_at": "2026-01-02T03:04:05"}, "received_at"),
        ({"received_at": "2026-01-02"}, "received_at"),
        ({"received_at": "1969-12-31T23:59:59Z"}, "received_at"),
        ({"received_at": "0001-01-01T00:00:00+14:00"}, "received_at"),
        ({"received_at": "9999-12-31T23:59:59-11:00"}, "received_at"),
        ({"received_at": 1_700_000_000}, "received_at"),
        ({"received_at": SURROGATE}, "received_at"),
        ({"priority": "urgent"}, "priority"),
        ({"Subject": "twice"}, "Subject"),
        ({"queue": "urgent"}, "queue"),
        ({"id": 1}, "id"),
        ({"x" * 5_000: 1}, "x" * 100),
    ],
)
def test_a_wrong_field_is_named(caller: Caller, changed: dict[str, Any], field: str) -> None:
    before = row_counts()
    assert named(is_refused(caller.post(TICKETS, a_ticket(**changed)), 400, before)) == {field}


@pytest.mark.parametrize("missing", ["subject", "body", "requester"])
def test_a_missing_field_is_named(caller: Caller, missing: str) -> None:
    before = row_counts()
    ticket = {name: value for name, value in a_ticket().items() if name != missing}
    assert named(is_refused(caller.post(TICKETS, ticket), 400, before)) == {missing}


def test_every_wrong_field_is_named_at_once(caller: Caller) -> None:
    before = row_counts()
    answer = caller.post(TICKETS, a_ticket(subject="", body=1, requester={"email": "x"}, received_at="x"))
    expected = {"subject", "body", "requester.email", "received_at"}
    assert named(is_refused(answer, 400, before)) == expected


def test_a_letter_whose_small_form_is_longer_cannot_make_an_address_too_long(caller: Caller) -> None:
    before = row_counts()
    answer = caller.post(TICKETS, a_ticket(requester={"email": "\u0130" * 200 + "@example.com"}))
    assert named(is_refused(answer, 400, before)) == {"requester.email"}


def test_a_moment_after_the_last_year_is_not_said_to_lie_before_the_first(caller: Caller) -> None:
    answer = caller.post(TICKETS, a_ticket(received_at="9999-12-31T23:59:59-11:00"))
    assert answer.json() == {"received_at": ["Lies outside the years 1 to 9999 in UTC."]}


def test_a_date_in_the_future_is_refused_but_a_clock_may_be_a_little_fast(caller: Caller) -> None:
    before = row_counts()
    late = caller.post(TICKETS, a_ticket(received_at=(timezone.now() + timedelta(minutes=2)).isoformat()))
    assert is_refused(late, 400, before) == {"received_at": ["Lies in the future."]}
    fast = caller.post(TICKETS, a_ticket(received_at=(timezone.now() + timedelta(seconds=20)).isoformat()))
    assert fast.status_code == 202


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"{'subject': 1}", "not JSON"),
        (b'{"subject": 1} x', "not JSON"),
        (b'{"subject": "a\nb"}', "not JSON"),
        (b'{"subject": NaN}', "NaN"),
        (b'{"subject": -Infinity}', "Infinity"),
        (b'{"subject": "a", "subject": "b"}', "same key twice"),
        (b'{"requester": {"email": "a", "email": "b"}}', "same key twice"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        ("{}".encode("utf-16"), "not UTF-8"),
        ("ä".encode("latin-1"), "not UTF-8: byte 0"),
        (b'{"subject": "\xed\xa0\x80"}', "not UTF-8"),
        (gzip.compress(b"{}", mtime=0), "not UTF-8"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"[" * 100_000, "too deeply"),
        (b'{"a":' * 20_000, "too deeply"),
        (b"\x00", "not JSON"),
        (b'{"subject": ' + b"9" * 5_000 + b"}", "not JSON"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_a_body_that_is_no_json_is_refused_with_the_reason(caller: Caller, body: bytes, said: str) -> None:
    before = row_counts()
    for path in (TICKETS, BULK, POLICIES):
        problems = is_refused(caller.raw(path, body), 400, before)
        assert list(problems) == ["detail"]
        assert said in problems["detail"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {"subject", "body", "requester"}),
        (b"{}", {"subject", "body", "requester"}),
        (b"[]", {"non_field_errors"}),
        (b"null", {"non_field_errors"}),
        (b'"text"', {"non_field_errors"}),
        (b"1", {"non_field_errors"}),
        (b'{"subject": 1e999, "body": "x", "requester": {"email": "lea@example.com"}}', {"subject"}),
        (b'{"\\ud800": 1}', {"?"}),
        (b'{"\\u0000\\u0007": 1}', {"(unprintable)"}),
    ],
    ids=lambda value: repr(sorted(value) if isinstance(value, set) else value),
)
def test_json_that_is_no_ticket_is_refused(caller: Caller, body: bytes, fields: set[str]) -> None:
    before = row_counts()
    assert named(is_refused(caller.raw(TICKETS, body), 400, before)) == fields


@pytest.mark.parametrize("path", [TICKETS, f"{TICKETS}1/messages/", f"{TICKETS}1/override/", POLICIES])
def test_a_body_over_256_kib_is_too_large(caller: Caller, path: str) -> None:
    before = row_counts()
    limit = 256 * 1024
    assert "262,144" in is_refused(caller.raw(path, b" " * (limit + 1)), 413, before)["detail"]
    assert caller.raw(path, b" " * limit).status_code != 413


def test_the_largest_ticket_allowed_is_stored(caller: Caller) -> None:
    requester = {"email": "l" * 242 + "@example.com", "name": "n" * 200, "region": "r" * 64, "locale": "l" * 35}
    largest = {"subject": "s" * 300, "body": "b" * 65_536, "source": "s" * 32, "external_id": "x" * 200}
    assert len(requester["email"]) == 254
    assert caller.post(TICKETS, a_ticket(requester=requester, **largest)).status_code == 202


def test_characters_are_counted_and_not_bytes(caller: Caller) -> None:
    body = json.dumps(a_ticket(subject="💥" * 300, body="ä" * 65_536), ensure_ascii=False).encode()
    assert caller.raw(TICKETS, body).status_code == 202


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/xml", "/", ""],
)
def test_another_content_type_is_refused(caller: Caller, content_type: str) -> None:
    before = row_counts()
    for path in (TICKETS, BULK, POLICIES, f"{TICKETS}1/messages/", f"{TICKETS}1/override/", f"{TICKETS}1/confirm/"):
        answer = caller.raw(path, json.dumps(a_ticket()).encode(), content_type=content_type)
        assert "media type" in is_refused(answer, 415, before)["detail"]


def test_a_declared_charset_changes_nothing_json_is_utf_8(caller: Caller) -> None:
    before = row_counts()
    body = json.dumps(a_ticket())
    answer = caller.raw(TICKETS, body.encode("utf-16"), content_type="application/json; charset=utf-16")
    assert "not UTF-8" in is_refused(answer, 400, before)["detail"]
    assert caller.raw(TICKETS, body.encode(), content_type="application/json; charset=utf-16").status_code == 202


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("path", [TICKETS, f"{TICKETS}1/", DECISIONS, POLICIES])
def test_a_method_that_is_none_is_refused(caller: Caller, method: str, path: str) -> None:
    before = row_counts()
    answer = getattr(caller.client, method)(path, headers={"Authorization": f"Bearer {caller.secret}"})
    assert method.upper() in is_refused(answer, 405, before)["detail"]


@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1/tickets", "/api/v1/tickets/x/", "/api/v1/%ff/", "/api/v1/a%00/"])
def test_an_address_that_is_none_is_told_as_json(caller: Caller, path: str) -> None:
    before = row_counts()
    for answer in (caller.get(path), caller.raw(path, b"{}")):
        assert "no such address" in is_refused(answer, 404, before)["detail"]


@pytest.mark.parametrize("verb", ["messages", "override", "confirm", "undo"])
@pytest.mark.parametrize("number", ["0", "999999999", str(2**63), "9" * 40])
def test_a_ticket_that_is_none_is_not_found(caller: Caller, verb: str, number: str) -> None:
    before = row_counts()
    body = {"messages": {"body": "x"}, "override": {"queue": "urgent", "reason": "x"}}.get(verb, {})
    is_refused(caller.post(f"{TICKETS}{number}/{verb}/", body), 404, before)
    is_refused(caller.get(f"{TICKETS}{number}/"), 404, before)


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        ("messages", {}, "body"),
        ("messages", {"body": ""}, "body"),
        ("messages", {"body": INVISIBLE}, "body"),
        ("messages", {"body": "b" * 65_537}, "body"),
        ("messages", {"body": "x", "author": "agent"}, "author"),
        ("override", {"queue": "vip", "reason": "x"}, "queue"),
        ("override", {"queue": SURROGATE, "reason": "x"}, "queue"),
        ("override", {"queue": ["urgent"], "reason": "x"}, "queue"),
        ("override", {"queue": None, "reason": "x"}, "queue"),
        ("override", {"queue": "", "reason": "x"}, "queue"),
        ("override", {"queue": "urgent"}, "reason"),
        ("override", {"queue": "urgent", "reason": " "}, "reason"),
        ("override", {"queue": "urgent", "reason": INVISIBLE}, "reason"),
        ("override", {"queue": "urgent", "reason": "a\0b"}, "reason"),
        ("override", {"queue": "urgent", "reason": "x" * 501}, "reason"),
        ("confirm", {"reason": 3}, "reason"),
        ("confirm", {"reason": f"a{SURROGATE}"}, "reason"),
        ("confirm", {"because": "x"}, "because"),
    ],
)
def test_a_wrong_word_about_a_ticket_changes_nothing(
    caller: Caller, verb: str, body: dict[str, Any], field: str
) -> None:
    ticket = scored()
    before = row_counts()
    assert named(is_refused(caller.post(f"{TICKETS}{ticket.pk}/{verb}/", body), 400, before)) == {field}


def test_a_refusal_does_not_repeat_what_was_sent(caller: Caller) -> None:
    answer = caller.post(f"{TICKETS}{scored().pk}/override/", {"queue": "q" * 100_000, "reason": "x"})
    assert answer.status_code == 400
    assert len(answer.content) < 1_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ticket", "x"),
        ("ticket", "0"),
        ("ticket", "1.5"),
        ("ticket", str(2**70)),
        ("ticket", "9" * 3_000),
        ("queue", "vip"),
        ("kind", "?"),
        ("policy", "-1"),
        ("policy", "1.5"),
        ("policy", str(2**31)),
        ("score_min", "2"),
        ("score_min", "NaN"),
        ("score_max", "-0.1"),
        ("score_max", "Infinity"),
        ("needs_check", "banana"),
        ("since", "x"),
        ("since", "2026-01-01T00:00:00"),
        ("since", "2026-01-01"),
        ("since", "2026-02-30T00:00:00Z"),
        ("since", "0001-01-01T00:00:00+14:00"),
        ("until", "2026-01-01T00:00:00"),
        ("until", "9999-12-31T23:59:59-11:00"),
        ("model", "a\0b"),
        ("model", "m" * 201),
        ("actor", "a" * 201),
        ("page_size", "x"),
        ("page_size", "0"),
        ("page_size", "501"),
        ("page_size", "9" * 40),
        ("cursor", "x"),
        ("cursor", "%%%"),
        ("cursor", "é"),
        ("nonsense", "1"),
        ("Ticket", "1"),
        ("ticket", ""),
        ("until", ""),
        ("cursor", ""),
        ("ticket", ["1", "2"]),
        ("queue", ["urgent", "urgent"]),
    ],
)
def test_a_wrong_filter_is_named_and_never_ignored(caller: Caller, name: str, value: str | list[str]) -> None:
    fallen_back(1)
    before = row_counts()
    assert named(is_refused(caller.get(DECISIONS, **{name: value}), 400, before)) == {name}


@pytest.mark.parametrize(
    "position", ["p=abc", "p=", "p=1.5", "p=-1", "p=1%00", "p=" + "9" * 40, "p=%C2%B2", "r=1&p=x", "o=x", "r=x"]
)
def test_a_cursor_that_somebody_made_up_is_refused(caller: Caller, position: str) -> None:
    fallen_back(1)
    before = row_counts()
    cursor = base64.b64encode(position.encode()).decode()
    assert named(is_refused(caller.get(DECISIONS, cursor=cursor), 400, before)) == {"cursor"}


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
fields = st.sampled_from(["subject", "body", "requester", "source", "external_id", "received_at", "other"])


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(changed=st.dictionaries(fields, anything, min_size=1, max_size=3))
def test_whatever_json_is_sent_is_stored_whole_or_refused_by_name(caller: Caller, changed: dict[str, Any]) -> None:
    before = row_counts()
    answer = caller.post(TICKETS, a_ticket(**changed))
    if answer.status_code in (200, 202):
        assert "other" not in changed
    else:
        problems = is_refused(answer, 400, before)
        assert set(problems) <= set(changed)
