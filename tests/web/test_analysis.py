"""The page that shows the log as a whole: an address that can be cited, and the same numbers in plots and tables."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from elasticsearch import Elasticsearch
from hypothesis import given
from hypothesis import strategies as st

from tests.audit.telling_log import decided, fell_back, overridden, tomorrow
from tests.factories import fallen_back, person
from tests.installation import empty_elasticsearch
from tests.web.test_decision_search import DOWN, text
from tests.web.test_pages import logged_in
from tickets.audit import ship
from tickets.audit.analysis_figures import Counts, Figures, Latency, Overrides, Window
from tickets.audit.elasticsearch import install
from tickets.models import Entry, Kind, Queue
from tickets.web.analysis_charts import HEIGHT, WIDTH, charts

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def client() -> Client:
    return logged_in(person("auditor"))


@pytest.fixture
def copy(real_servers: None) -> Iterator[Elasticsearch]:
    """The copy behind its alias, and a page that asks it."""
    reader = os.environ["ELASTICSEARCH_READER_URL"]
    with Elasticsearch(os.environ["ELASTICSEARCH_ADMIN_URL"]) as admin:
        install(admin, os.environ["ELASTICSEARCH_URL"], reader)
        empty_elasticsearch()
        with override_settings(ELASTICSEARCH_READER_URL=reader):
            yield admin
        empty_elasticsearch()


def page(client: Client, **given: str) -> Any:
    return client.get("/audit/analysis/", given, follow=True)


def cell(answer: Any, row: str, label: str) -> str:
    """What the tables say in the row that begins so, under that label."""
    rows = re.findall(r"<tr>.*?</tr>", answer.content.decode(), re.DOTALL)
    found = next(one for one in rows if row in one.split("</th>")[0] and f'data-label="{label}"' in one)
    value = re.search(rf'<td data-label="{label}"[^>]*>(.*?)</td>', found, re.DOTALL)
    assert value is not None
    return " ".join(value.group(1).split())


@pytest.mark.parametrize(("role", "status"), [("auditor", 200), ("ops", 200), ("agent", 403)])
def test_auditors_and_ops_may_see_it(role: str, status: int) -> None:
    assert page(logged_in(person(role))).status_code == status


def test_without_a_time_it_shows_seven_days_up_to_now_at_an_address_that_says_so(client: Client) -> None:
    answer = client.get("/audit/analysis/")
    assert answer.status_code == 302
    since, until = (datetime.fromisoformat(at) for at in re.findall(r"=([^&]+)", answer.headers["Location"]))
    assert until - since == timedelta(days=7)
    assert client.get(answer.headers["Location"]).status_code == 200


def test_times_typed_in_a_zone_become_an_address_in_utc() -> None:
    user = person("auditor")
    user.time_zone = "Europe/Zurich"
    user.save()
    answer = logged_in(user).get("/audit/analysis/?since=2026-07-01T02:00:00&until=2026-07-01T12:00:00")
    assert answer.headers["Location"] == "/audit/analysis/?since=2026-07-01T00:00:00Z&until=2026-07-01T10:00:00Z"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "since"),
        ("until=2026-13-01T00:00:00Z", "until"),
        ("since=2026-02-01T00:00:00Z&until=2026-02-01T00:00:00Z", "until"),
        ("since=1990-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", "since"),
        ("since=0001-01-01T00:00:00Z", "since"),
        ("until=1970-01-01T00:00:00Z", "until"),
        ("interval=second", "__all__"),
    ],
)
def test_what_cannot_be_analysed_is_refused_and_the_field_named(client: Client, query: str, field: str) -> None:
    answer = client.get(f"/audit/analysis/?{query}")
    assert answer.status_code == 400
    assert list(answer.context["asked"].errors) == [field]


@pytest.mark.parametrize(
    "query",
    [
        "since=1970-01-01T00:00:00Z&until=1970-01-02T00:00:00Z",
        "until=1970-01-01T00:00:01Z",
        "since=9990-01-01T00:00:00Z&until=9998-12-31T00:00:00Z",
    ],
)
def test_a_time_in_which_nothing_can_have_been_decided_shows_nothing(client: Client, query: str) -> None:
    answer = client.get(f"/audit/analysis/?{query}", follow=True)
    assert answer.status_code == 200
    assert "Nothing was decided in this time." in text(answer)


def test_each_view_is_in_the_log_by_its_address(client: Client) -> None:
    page(client, since="2026-02-01T00:00:00Z", until="2026-02-02T00:00:00Z")
    entry = Entry.objects.get(kind=Kind.AUDIT_SEARCHED)
    query = json.loads(bytes(entry.body))["query"]
    assert query == "analysis?since=2026-02-01T00:00:00Z&until=2026-02-02T00:00:00Z"


def test_a_time_that_was_refused_is_not_in_the_log(client: Client) -> None:
    page(client, since="never")
    assert not Entry.objects.filter(kind=Kind.AUDIT_SEARCHED).exists()


def test_it_shows_the_figures_of_what_was_decided(client: Client) -> None:
    fallen_back(4)
    answer = page(client)
    assert cell(answer, "keyword-1", "Decided") == "4"
    assert cell(answer, "keyword-1", "Score p50") == "-"
    assert answer.context["charts"].causes[0].count == 4
    assert "kind=fallback&amp;cause=deadline&amp;since=" in answer.content.decode()


def test_the_name_of_a_model_is_escaped(client: Client) -> None:
    decided(tomorrow() - timedelta(days=1), model="<script>alert(1)</script>")
    assert "<script>alert" not in page(client).content.decode()


def test_a_page_costs_as_many_queries_for_many_decisions_as_for_few(client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert page(client).status_code == 200
        return len(captured)

    fallen_back(2)
    few = queries()
    fallen_back(40)
    assert queries() == few


def test_without_a_copy_it_says_quietly_that_the_database_counted(client: Client) -> None:
    fallen_back(1)
    answer = text(page(client))
    assert re.search(r"1 entry about tickets, counted at [-0-9]{10} [:0-9]{8} by the database\.", answer)
    assert "could not answer" not in answer


def test_where_the_copy_is_down_a_banner_says_that_the_database_counted(client: Client) -> None:
    fallen_back(1)
    with override_settings(ELASTICSEARCH_READER_URL=DOWN):
        answer = page(client)
    assert "Elasticsearch could not answer." in text(answer)
    assert cell(answer, "keyword-1", "Decided") == "1"
    assert "secret" not in answer.content.decode()


@pytest.mark.real
def test_where_there_is_a_copy_it_counts_and_says_how_far_behind_it_is(client: Client, copy: Elasticsearch) -> None:
    fallen_back(3)
    ship.ship_waiting()
    copy.indices.refresh(index=ship.ALIAS)
    fallen_back(2)
    answer = page(client)
    assert "by Elasticsearch. The copy is 2 entries behind" in text(answer)
    assert cell(answer, "keyword-1", "Decided") == "3"


def figures(**given: Any) -> Figures:
    return Figures(**({"series": {}, "overrides": [], "latency": [], "causes": {}, "kinds": {}} | given))


def drawn(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]?(-?[0-9.]+) (-?[0-9.]+)", path)]


class TestDrawing:
    @given(
        st.dictionaries(
            st.integers(0, 200),
            st.integers(1, 10**6).flatmap(
                lambda n: st.builds(Counts, st.just(n), st.integers(0, n), st.integers(0, n))
            ),
        ),
        st.integers(1, 200),
    )
    def test_whatever_was_counted_every_place_lies_on_the_plot(self, counted: dict[int, Counts], hours: int) -> None:
        window = Window(START, START + hours * HOUR)
        series = charts(window, figures(series={START + hour * HOUR: one for hour, one in counted.items()})).series
        for x, y in drawn(series.share_line) + drawn(series.share_band):
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
        assert len(series.points) == len([hour for hour in counted if hour < hours])

    def test_a_share_is_drawn_at_its_height_and_an_hour_at_its_place(self) -> None:
        counted = {START: Counts(4, 1), START + HOUR: Counts(4, 2)}
        series = charts(Window(START, START + 2 * HOUR), figures(series=counted)).series
        assert series.share_top == 0.5
        assert drawn(series.share_line) == [(250, 50), (750, 0)]

    def test_a_line_has_a_gap_where_nothing_was_decided(self) -> None:
        counted = {START: Counts(1, 1), START + 2 * HOUR: Counts(1, 1)}
        series = charts(Window(START, START + 3 * HOUR), figures(series=counted)).series
        assert series.share_line.count("M") == 2

    def test_the_longest_bar_is_as_long_as_the_plot_and_others_in_proportion(self) -> None:
        bars = charts(Window(START, START + HOUR), figures(causes={"deadline": 1, "failures": 4})).causes
        assert [(bar.value, bar.width, bar.share) for bar in bars] == [("failures", 100, 0.8), ("deadline", 25, 0.2)]

    @given(st.lists(st.integers(0, 10**9), min_size=3, max_size=3))
    def test_latency_lies_on_its_line_whatever_it_is(self, values: list[int]) -> None:
        p50, p95, p99 = sorted(values)
        (timed,) = charts(Window(START, START + HOUR), figures(latency=[Latency("m", (p50, p95, p99), None)])).timed
        assert 0 <= timed.p50 <= timed.p95 <= timed.p99 <= 100

    @given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
    def test_the_interval_of_overrides_lies_on_its_line(self, counts: tuple[int, int]) -> None:
        decisions, moved = counts
        (one,) = charts(Window(START, START + HOUR), figures(overrides=[Overrides("m", decisions, moved)])).overridden
        assert 0 <= one.start <= one.at + 0.1
        assert one.at <= one.start + one.length + 0.1
        assert one.start + one.length <= 100.1


def test_the_plots_are_well_formed_and_tell_their_title(client: Client) -> None:
    start = tomorrow() - timedelta(days=1)
    judged = decided(start, Queue.URGENT, total=5, score=1)
    fell_back(start, total=60_000)
    overridden(start, judged)
    plots = re.findall(r"<svg.*?</svg>", page(client).content.decode(), re.DOTALL)
    named = 0
    for plot in plots:
        parsed = ElementTree.fromstring(plot)
        if parsed.get("role") == "img":
            names = {part.get("id") for part in parsed if part.tag in ("title", "desc") and part.text}
            assert set(str(parsed.get("aria-labelledby")).split()) == names
            named += 1
        else:
            assert parsed.get("aria-hidden") == "true"
    assert named == 2
