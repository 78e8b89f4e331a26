"""Decisions page by page, and the log as a file that anyone can check."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.client import Caller
from tests.factories import CALM, fallen_back, scored
from tickets import pipeline
from tickets.api import decisions
from tickets.models import ActivePolicy, Decision, Entry, Queue
from tickets.pipeline import Actor
from tickets.policy.versions import like

pytestmark = pytest.mark.django_db
DECISIONS = "/api/v1/decisions/"
EXPORT = f"{DECISIONS}export/"


@pytest.fixture
def caller() -> Caller:
    return Caller("decisions:read")


@pytest.fixture
def story(caller: Caller) -> list[Decision]:
    """Decisions of every kind of actor, under two policies; oldest first."""
    calm, late = scored(CALM), fallen_back(3)
    pipeline.override(late[0].pk, Queue.STANDARD, Actor("key:77"), "no outage")
    pipeline.confirm(calm.pk, Actor("key:78"))
    pipeline.undo(late[0].pk, Actor("key:77"))
    draft = pipeline.draft_policy(like(ActivePolicy.current()) | {"threshold": 1}, Actor("key:1"), "lower")
    pipeline.activate_policy(draft, Actor("key:1"), "lower")
    fallen_back(1)
    return list(Decision.objects.order_by("pk"))


def found(caller: Caller, **query: Any) -> list[int]:
    answer = caller.get(DECISIONS, page_size=500, **query)
    assert answer.status_code == 200, answer.content
    return [row["seq"] for row in answer.json()["results"]]


def latest_first(rows: Any) -> list[int]:
    return sorted((row.pk for row in rows), reverse=True)


def pages(caller: Caller, address: str, direction: str = "next") -> list[list[int]]:
    seen = []
    while address:
        page = caller.get(address).json()
        seen.append([row["seq"] for row in page["results"]])
        address = page[direction]
    return seen


def test_a_decision_is_shown_with_what_it_is_made_of(caller: Caller) -> None:
    ticket = fallen_back(1)[0]
    row = Decision.objects.get()
    told = caller.get(DECISIONS).json()["results"][0]
    assert (told["seq"], told["ticket"], told["input_version"]) == (row.pk, ticket.pk, 1)
    assert (told["kind"], told["cause"], told["actor"]) == ("fallback", "deadline", "sweep")
    assert (told["score"], told["threshold"], told["confidence"]) == (row.score / 1e6, 0.7, row.confidence / 1e6)
    assert (told["queue"], told["verdict"], told["needs_check"]) == (ticket.queue, ticket.queue, True)
    assert (told["policy"], told["model"]) == (1, row.model_name)


def test_pages_show_each_decision_once_latest_first(caller: Caller) -> None:
    fallen_back(7)
    shown = pages(caller, f"{DECISIONS}?page_size=3")
    assert [len(page) for page in shown] == [3, 3, 1]
    assert [*chain(*shown)] == latest_first(Decision.objects.all())


def test_pages_backwards_show_the_same(caller: Caller) -> None:
    fallen_back(7)
    first = caller.get(f"{DECISIONS}?page_size=3").json()
    second = caller.get(first["next"]).json()
    third = caller.get(second["next"]).json()
    back = pages(caller, third["previous"], "previous")
    assert back == [[row["seq"] for row in page["results"]] for page in (second, first)]


def test_what_is_decided_between_two_pages_shifts_none(caller: Caller) -> None:
    fallen_back(6)
    before = latest_first(Decision.objects.all())
    first = caller.get(f"{DECISIONS}?page_size=2").json()
    fallen_back(3)
    rest = pages(caller, first["next"])
    assert [row["seq"] for row in first["results"]] + [*chain(*rest)] == before


def test_pages_keep_their_filters(caller: Caller, story: list[Decision]) -> None:
    shown = pages(caller, f"{DECISIONS}?page_size=1&kind=fallback&policy=1")
    assert [*chain(*shown)] == latest_first(row for row in story if row.kind == "fallback" and row.policy_number == 1)


@pytest.mark.parametrize(("size", "rows"), [("1", 1), ("500", 60), (None, 50)])
def test_a_page_is_as_large_as_was_asked_for(caller: Caller, size: str | None, rows: int) -> None:
    fallen_back(60)
    query = {} if size is None else {"page_size": size}
    assert len(caller.get(DECISIONS, **query).json()["results"]) == rows


@pytest.mark.parametrize("size", ["0", "501", "0000000509999999", "0" * 9 + "5" * 5_000, "1\n", "+1", "٣"])
def test_a_page_size_that_is_none_is_refused_by_name(caller: Caller, size: str) -> None:
    answer = caller.get(DECISIONS, page_size=size)
    assert (answer.status_code, answer.json()) == (400, {"page_size": ["Write a number from 1 to 500."]})


def test_a_page_costs_as_many_queries_for_many_rows_as_for_few(caller: Caller) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert caller.get(DECISIONS).status_code == 200
        return len(captured)

    fallen_back(2)
    few = queries()
    fallen_back(40)
    assert queries() == few


@pytest.mark.parametrize(
    ("query", "column", "value"),
    [
        ({"kind": "fallback"}, "kind", "fallback"),
        ({"kind": "undone"}, "kind", "undone"),
        ({"queue": "standard"}, "queue", "standard"),
        ({"policy": "2"}, "policy_number", 2),
        ({"actor": "sweep"}, "actor", "sweep"),
        ({"actor": "key:77"}, "actor", "key:77"),
        ({"needs_check": "true"}, "needs_check", True),
        ({"needs_check": "True"}, "needs_check", True),
        ({"needs_check": "1"}, "needs_check", True),
        ({"needs_check": "false"}, "needs_check", False),
        ({"needs_check": "0"}, "needs_check", False),
    ],
    ids=str,
)
def test_a_filter_finds_what_it_says_and_no_more(
    caller: Caller, story: list[Decision], query: dict[str, str], column: str, value: object
) -> None:
    expected = latest_first(row for row in story if getattr(row, column) == value)
    assert 0 < len(expected) < len(story)
    assert found(caller, **query) == expected


def test_decisions_of_one_ticket_or_one_model_are_found(caller: Caller, story: list[Decision]) -> None:
    ticket, model = story[0].ticket_id, story[0].model_name
    assert found(caller, ticket=ticket) == latest_first(row for row in story if row.ticket_id == ticket)
    assert found(caller, model=model) == latest_first(row for row in story if row.model_name == model)
    assert found(caller, ticket=10**15) == found(caller, model="no such model") == []


def test_filters_narrow_each_other(caller: Caller, story: list[Decision]) -> None:
    assert found(caller, kind="fallback", policy=2) == latest_first(
        row for row in story if row.kind == "fallback" and row.policy_number == 2
    )
    assert found(caller, kind="override", actor="sweep") == []


def test_since_is_included_and_until_is_not(caller: Caller, story: list[Decision]) -> None:
    at = story[3].at
    assert found(caller, since=at.isoformat()) == latest_first(row for row in story if row.at >= at)
    assert found(caller, until=at.isoformat()) == latest_first(row for row in story if row.at < at)
    assert found(caller, since=at.isoformat(), until=at.isoformat()) == []


def test_a_moment_means_the_same_in_every_zone(caller: Caller, story: list[Decision]) -> None:
    at = story[3].at
    elsewhere = f"{at + timedelta(hours=5, minutes=30):%Y-%m-%dT%H:%M:%S.%f}+05:30"
    assert found(caller, since=elsewhere) == found(caller, since=at.isoformat())


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(away=st.integers(-2, 2) | st.integers(-900_000, 0), beyond=st.sampled_from(["", "1", "5", "9"]))
def test_bounds_of_the_score_are_exact(caller: Caller, away: int, beyond: str) -> None:
    """away: millionths from the score to the bound; beyond: a seventh decimal, above which the next score begins."""
    if not Decision.objects.exists():
        fallen_back(1)
    millionths = (Decision.objects.get().score or 0) + away
    bound = f"0.{millionths:06}{beyond}"
    assert bool(found(caller, score_min=bound)) == (away <= (-1 if beyond else 0))
    assert bool(found(caller, score_max=bound)) == (away >= 0)


def exported(caller: Caller, **headers: str) -> list[dict[str, str]]:
    answer = caller.client.get(EXPORT, headers={"Authorization": f"Bearer {caller.secret}"} | headers)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]


def is_whole(lines: list[dict[str, str]]) -> bool:
    """As anybody can check it: each hash is over the one before and the body, and no number is missing."""
    previous = "0" * 64
    for number, line in enumerate(lines, start=1):
        recomputed = hashlib.sha256(bytes.fromhex(previous) + line["body"].encode()).hexdigest()
        if (line["prev_hash"], line["hash"], json.loads(line["body"])["seq"]) != (previous, recomputed, number):
            return False
        previous = recomputed
    return True


def test_the_export_can_be_verified_line_by_line_without_us(caller: Caller, story: list[Decision]) -> None:
    before = list(Entry.objects.order_by("seq"))
    lines = exported(caller)
    assert is_whole(lines)
    assert [line["body"].encode() for line in lines] == [bytes(entry.body) for entry in before]
    assert {json.loads(line["body"])["kind"] for line in lines} >= {"fallback", "override", "policy_activated"}


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_the_export_has_no_seams(caller: Caller, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(decisions, "_EXPORT_CHUNK", chunk)
    fallen_back(6)
    expected = Entry.objects.count()
    lines = exported(caller)
    assert is_whole(lines)
    assert len(lines) == expected


def test_a_changed_export_does_not_verify(caller: Caller) -> None:
    fallen_back(2)
    lines = exported(caller)
    forged = [line | {"body": line["body"].replace('"urgent"', '"standard"')} for line in lines]
    assert forged != lines
    assert not is_whole(forged)
    assert not is_whole(lines[:1] + lines[2:])


def test_the_export_can_be_asked_for_by_its_own_media_type(caller: Caller) -> None:
    fallen_back(1)
    assert is_whole(exported(caller, Accept="application/x-ndjson"))
    headers = {"Authorization": "Bearer tri_wrong", "Accept": "application/x-ndjson"}
    refused = caller.client.get(EXPORT, headers=headers)
    assert refused.status_code == 401
    assert json.loads(refused.content)["detail"]


def test_an_export_is_itself_an_entry(caller: Caller) -> None:
    fallen_back(1)
    through = Entry.objects.latest("seq").seq
    exported(caller)
    entry = Entry.objects.latest("seq")
    assert (entry.kind, entry.actor) == ("exported", f"key:{caller.key.pk}")
    assert json.loads(bytes(entry.body))["through"] == through
