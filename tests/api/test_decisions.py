"""Decisions page by page, and the log as a file that anyone can check."""

from __future__ import annotations

import hashlib
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.client import Caller
from tests.factories import CALM, fallen_back, scored
from tickets.models import Decision, Entry

pytestmark = pytest.mark.django_db
DECISIONS = "/api/v1/decisions/"


@pytest.fixture
def caller() -> Caller:
    return Caller("decisions:read")


def test_pages_show_each_decision_once_latest_first(caller: Caller) -> None:
    fallen_back(7)
    seen, address = [], f"{DECISIONS}?page_size=3"
    while address:
        page = caller.get(address).json()
        seen += [row["seq"] for row in page["results"]]
        address = page["next"]
    assert seen == sorted(Decision.objects.values_list("pk", flat=True), reverse=True)


def test_a_page_costs_as_many_queries_for_many_rows_as_for_few(caller: Caller) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert caller.get(DECISIONS).status_code == 200
        return len(captured)

    fallen_back(2)
    few = queries()
    fallen_back(40)
    assert queries() == few


def test_filters_find_what_they_say(caller: Caller) -> None:
    late, first = fallen_back(1)[0], scored(CALM)
    by_kind = caller.get(DECISIONS, kind="fallback").json()["results"]
    assert [row["ticket"] for row in by_kind] == [late.pk]
    assert [row["ticket"] for row in caller.get(DECISIONS, ticket=first.pk).json()["results"]] == [first.pk]
    score = Decision.objects.get(ticket_id=late.pk, kind="fallback").score or 0
    for query, found in (({"score_min": score / 1e6}, True), ({"score_min": (score + 1) / 1e6}, False)):
        rows = caller.get(DECISIONS, ticket=late.pk, kind="fallback", **query).json()["results"]
        assert bool(rows) is found


def test_the_export_can_be_verified_line_by_line_without_us(caller: Caller) -> None:
    fallen_back(3)
    answer = caller.get(f"{DECISIONS}export/")
    lines = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    previous = "0" * 64
    for number, line in enumerate(lines, start=1):
        assert line["prev_hash"] == previous
        previous = hashlib.sha256(bytes.fromhex(previous) + line["body"].encode()).hexdigest()
        assert line["hash"] == previous
        assert json.loads(line["body"])["seq"] == number
    assert len(lines) == Entry.objects.exclude(kind="exported").count()


def test_an_export_is_itself_an_entry(caller: Caller) -> None:
    caller.get(f"{DECISIONS}export/")
    entry = Entry.objects.latest("seq")
    assert (entry.kind, entry.actor[:4]) == ("exported", "key:")
