"""The log as a whole: the database and the copy give the same figures, and the dashboards ask for the same."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from elasticsearch import Elasticsearch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.audit.telling_log import decided, fell_back, overridden, said, taken_back, tomorrow
from tests.audit.test_search import UNREACHABLE, Copy
from tests.factories import acting, fallen_back, person, submitted
from tickets import pipeline
from tickets.audit import analysis_database, analysis_elasticsearch, ship
from tickets.audit.analysis import analyse
from tickets.audit.analysis_figures import (
    PERCENTS,
    Counts,
    Figures,
    Latency,
    Overrides,
    Window,
    percentiles,
)
from tickets.audit.elasticsearch import MAPPING, install
from tickets.models import Cause, Decision, Entry, Kind, Queue
from tickets.models.clock import microseconds
from tickets.models.entry import bodies

pytestmark = pytest.mark.django_db
real = pytest.mark.real
HOUR = timedelta(hours=1)


def set_up(admin: Elasticsearch) -> None:
    install(admin, os.environ["ELASTICSEARCH_URL"], os.environ["ELASTICSEARCH_READER_URL"])


@pytest.fixture
def copy(real_servers: None) -> Iterator[Copy]:
    with Elasticsearch(os.environ["ELASTICSEARCH_ADMIN_URL"]) as admin:
        set_up(admin)
        made = Copy(admin)
        yield made
        admin.indices.delete(index=made.index)


def told(start: datetime) -> Window:
    """A small log over three hours; the figures of it are in `expected`."""
    first = decided(start, Queue.URGENT, total=100, score=10)
    decided(start + HOUR / 2, Queue.STANDARD, total=300, score=30)
    second = decided(start + HOUR, Queue.STANDARD, total=200, score=20)
    late = fell_back(start + HOUR, total=60_000)
    fell_back(start + 2 * HOUR, Cause.FAILURES, total=90_000)
    overridden(start + 2 * HOUR, first)
    taken_back(start + 2 * HOUR, first)
    overridden(start + 2 * HOUR, first)
    said(start + 2 * HOUR, second, Queue.STANDARD, Queue.STANDARD, Kind.CONFIRMED)
    overridden(start + 2 * HOUR, late)
    return Window(start, start + 3 * HOUR)


def expected(start: datetime) -> Figures:
    return Figures(
        series={
            start: Counts(2, 1, 0),
            start + HOUR: Counts(2, 1, 1),
            start + 2 * HOUR: Counts(1, 1, 1),
        },
        overrides=[
            Overrides("compact-1", 3, to_standard=1, undone=1),
            Overrides("keyword-1", 2, to_standard=1),
        ],
        latency=[
            Latency("compact-1", (200, 290, 298), (20, 29, 30)),
            Latency("keyword-1", (75_000, 88_500, 89_700), None),
        ],
        causes={"deadline": 1, "failures": 1},
        kinds={"scored": 3, "fallback": 2, "override": 3, "undone": 1, "confirmed": 1},
    )


def asked_of(copy: Copy, window: Window) -> Figures:
    with Elasticsearch(os.environ["ELASTICSEARCH_READER_URL"]) as reader:
        return analysis_elasticsearch.figures(window, reader, copy.index)


class TestWindow:
    start = datetime(2026, 2, 27, 22, 30, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("days", "interval"), [(1, "hour"), (31, "hour"), (32, "day"), (1_100, "day"), (1_101, "month")]
    )
    def test_the_longer_the_window_the_longer_the_interval(self, days: int, interval: str) -> None:
        assert Window(self.start, self.start + timedelta(days=days)).interval == interval

    def test_it_starts_with_the_hour_its_beginning_is_in(self) -> None:
        starts = list(Window(self.start, self.start + HOUR).starts())
        assert starts == [datetime(2026, 2, 27, 22, tzinfo=UTC), datetime(2026, 2, 27, 23, tzinfo=UTC)]

    def test_months_follow_each_other_whatever_their_length(self) -> None:
        starts = list(Window(self.start, datetime(2030, 3, 1, tzinfo=UTC)).starts())
        assert [one.day for one in starts] == [1] * 49
        assert [one.month for one in starts[:4]] == [2, 3, 4, 5]

    def test_an_empty_window_has_no_interval(self) -> None:
        assert list(Window(self.start.replace(minute=0), self.start.replace(minute=0)).starts()) == []


class TestDatabase:
    def test_the_figures_of_a_small_log_are_those_counted_by_hand(self) -> None:
        start = tomorrow()
        assert analysis_database.figures(told(start)) == expected(start)

    def test_an_empty_log_has_no_figures(self) -> None:
        start = tomorrow()
        assert analysis_database.figures(Window(start, start + HOUR)) == Figures({}, [], [], {}, {})

    def test_what_was_decided_before_the_window_counts_for_no_model_though_it_was_overridden_in_it(self) -> None:
        start = tomorrow()
        before = decided(start)
        inside = decided(start + HOUR)
        overridden(start + HOUR, before)
        overridden(start + HOUR, inside)
        (model,) = analysis_database.figures(Window(start + HOUR, start + 2 * HOUR)).overrides
        assert (model.decided, model.to_standard, model.share[0]) == (1, 1, 1.0)

    def test_a_person_who_corrects_a_person_overrides_no_model(self) -> None:
        start = tomorrow()
        urgent = decided(start, Queue.URGENT)
        overridden(start, urgent)
        said(start, urgent, Queue.URGENT, Queue.STANDARD)
        (model,) = analysis_database.figures(Window(start, start + HOUR)).overrides
        assert (model.to_standard, model.to_urgent) == (1, 0)

    def test_a_day_counts_from_midnight_in_utc(self) -> None:
        start = tomorrow()
        decided(start + timedelta(hours=23, minutes=59))
        decided(start + timedelta(days=1))
        series = analysis_database.figures(Window(start, start + timedelta(days=60))).series
        assert set(series) == {start, start + timedelta(days=1)}

    def test_of_a_long_log_the_latest_are_counted_and_it_says_since_when(self, monkeypatch: pytest.MonkeyPatch) -> None:
        start = tomorrow()
        for hour in range(5):
            decided(start + hour * HOUR)
        monkeypatch.setattr(analysis_database, "MOST_COUNTED", 3)
        found = analysis_database.figures(Window(start, start + 9 * HOUR))
        assert (found.total, found.counted_from) == (3, start + 2 * HOUR)
        monkeypatch.setattr(analysis_database, "MOST_COUNTED", 5)
        assert analysis_database.figures(Window(start, start + 9 * HOUR)).counted_from is None

    def test_of_many_decisions_the_latest_are_timed_and_it_says_how_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        start = tomorrow()
        for hour in range(4):
            decided(start + hour * HOUR, total=hour, score=1)
        monkeypatch.setattr(analysis_database, "MOST_TIMED", 1)
        found = analysis_database.figures(Window(start, start + 9 * HOUR))
        assert (found.timed, found.latency[0].total) == (1, (3, 3, 3))

    def test_many_decisions_cost_as_many_queries_as_few(self) -> None:
        start = tomorrow()
        window = told(start)

        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                analysis_database.figures(window)
            return len(captured)

        few = queries()
        fallen_back(30)
        told(start)
        assert queries() == few


class TestPercentiles:
    def test_of_nothing_there_are_none(self) -> None:
        assert percentiles([]) is None

    @given(st.lists(st.integers(0, 10**6), min_size=1))
    def test_they_rise_and_lie_within_what_was_measured(self, values: list[int]) -> None:
        found = percentiles(values)
        assert found is not None
        assert min(values) <= found[0] <= found[1] <= found[2] <= max(values)

    def test_between_two_values_they_lie_on_a_straight_line(self) -> None:
        assert percentiles([0, 1_000]) == (500, 950, 990)
        assert percentiles([7]) == (7, 7, 7)


class TestJudging:
    def test_a_person_s_word_names_the_decision_the_model_and_the_verdict_it_is_about(self) -> None:
        (ticket,) = fallen_back(1)
        automatic = Decision.objects.get(ticket_id=ticket.pk)
        by = acting(person("agent"))
        entries = [
            pipeline.override(ticket.pk, Queue.STANDARD, by, "no outage"),
            pipeline.undo(ticket.pk, by),
            pipeline.confirm(ticket.pk, by),
        ]
        judged = [body["judges"] for body in bodies(entry.seq for entry in entries).values()]
        assert (
            judged
            == [
                {
                    "seq": automatic.seq,
                    "at": microseconds(automatic.at),
                    "model": automatic.model_name,
                    "verdict": "urgent",
                }
            ]
            * 3
        )

    def test_before_anything_was_decided_there_is_nothing_to_judge(self) -> None:
        entry = pipeline.override(submitted().pk, Queue.URGENT, acting(person("agent")), "obvious")
        assert "judges" not in bodies([entry.seq])[entry.seq]

    def test_people_s_words_in_production_count_as_those_told_in_these_tests(self) -> None:
        since = tomorrow() - timedelta(days=2)
        tickets, by = fallen_back(3), acting(person("agent"))
        for ticket in tickets[:2]:
            pipeline.override(ticket.pk, Queue.STANDARD, by, "no outage")
        pipeline.undo(tickets[0].pk, by)
        (model,) = analysis_database.figures(Window(since, tomorrow())).overrides
        assert (model.decided, model.to_standard, model.undone) == (3, 2, 1)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Decisions, each with what people said about it: hours ahead, verdict, model, milliseconds, words."""
    return draw(
        st.lists(
            st.tuples(
                st.integers(0, 5),
                st.sampled_from(Queue),
                st.sampled_from(["compact-1", "keyword-1", "Compact-1"]),
                st.integers(0, 100_000),
                st.sampled_from([None, Cause.DEADLINE, Cause.FAILURES]),
                st.lists(st.sampled_from(["override", "back", "against", "confirm"]), max_size=3),
            ),
            max_size=6,
        )
    )


def tell(history: list[tuple[Any, ...]], start: datetime) -> Window:
    at = start
    for hours, verdict, model, milliseconds, cause, words in history:
        at += hours * HOUR
        if cause:
            one = decided(at, verdict, model, Kind.FALLBACK, cause, total=milliseconds)
        else:
            one = decided(at, verdict, model, total=milliseconds, score=milliseconds // 7)
        for word in words:
            if word == "override":
                overridden(at, one)
            elif word == "back":
                taken_back(at, one)
            elif word == "against":
                said(at, one, verdict, verdict.other)
            else:
                said(at, one, verdict, verdict, Kind.CONFIRMED)
    return Window(start + HOUR / 3, at + HOUR)


@real
class TestCopy:
    def test_its_figures_of_a_small_log_are_those_counted_by_hand(self, copy: Copy) -> None:
        start = tomorrow()
        window = told(start)
        copy.follow()
        assert asked_of(copy, window) == expected(start)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(history=histories())
    def test_it_and_the_database_agree_whatever_was_decided_and_said(
        self, copy: Copy, history: list[tuple[Any, ...]]
    ) -> None:
        window = tell(history, tomorrow())
        if Entry.objects.filter(seq__gt=copy.through).exists():
            copy.follow()
        assert asked_of(copy, window) == analysis_database.figures(window)

    def test_they_agree_about_what_production_wrote(self, copy: Copy) -> None:
        since = tomorrow() - timedelta(days=2)
        tickets, by = fallen_back(3), acting(person("agent"))
        pipeline.override(tickets[0].pk, Queue.STANDARD, by, "no outage")
        pipeline.undo(tickets[0].pk, by)
        copy.follow()
        window = Window(since, tomorrow())
        assert asked_of(copy, window) == analysis_database.figures(window)

    @pytest.mark.parametrize("days", [1, 400, 4_000])
    def test_hours_days_and_months_are_the_same_in_both(self, copy: Copy, days: int) -> None:
        start = tomorrow()
        for hours in (0, 23, 24, 24 * 45):
            decided(start + hours * HOUR)
        copy.follow()
        window = Window(start, start + timedelta(days=days))
        assert asked_of(copy, window).series == analysis_database.figures(window).series
        assert set(asked_of(copy, window).series) <= set(window.starts())

    def test_percentiles_of_many_decisions_are_off_by_less_than_a_percent_in_rank(self, copy: Copy) -> None:
        start = tomorrow()
        values = [(number * 7_919) % 10_007 * (1 + number % 13) for number in range(6_000)]
        copy.take(
            [
                {"seq": seq, "kind": "scored", "at": start.isoformat(), "model": "m", "milliseconds_total": value}
                for seq, value in enumerate(values)
            ]
        )
        found = asked_of(copy, Window(start, start + HOUR)).latency[0].total
        assert found is not None
        ordered = sorted(values)
        for percent, value in zip(PERCENTS, found, strict=True):
            ranks = [100 * bisect(ordered, value) / len(ordered) for bisect in (bisect_left, bisect_right)]
            assert ranks[0] - 1 < percent < ranks[1] + 1

    def test_it_answers_where_it_can_and_says_how_far_behind_it_is(self, copy: Copy) -> None:
        start = tomorrow()
        window = told(start)
        copy.follow()
        found = analyse(window, copy.index)
        assert (found.figures, found.is_from_copy, found.problem) == (expected(start), True, "")
        assert found.behind == Entry.objects.count()

    def test_where_its_index_is_missing_the_database_answers(self, copy: Copy) -> None:
        start = tomorrow()
        found = analyse(told(start), "triage-decisions-test-absent")
        assert (found.figures, found.is_from_copy) == (expected(start), False)
        assert found.problem == "It holds no copy of the log yet."

    def test_an_index_from_before_learns_the_fields_that_are_new(self, copy: Copy) -> None:
        old = {name: kind for name, kind in MAPPING["properties"].items() if not name.startswith("judged")}
        index = f"{ship.indices_of(1)}1999.01"
        copy.admin.options(ignore_status=404).indices.delete(index=index)
        copy.admin.indices.create(index=index, mappings={"dynamic": "strict", "properties": old})
        try:
            set_up(copy.admin)
            now = copy.admin.indices.get_mapping(index=index)[index]["mappings"]["properties"]
            assert set(now) == set(MAPPING["properties"])
        finally:
            copy.admin.indices.delete(index=index)

    def test_its_indices_are_sorted_by_the_latest_first(self, copy: Copy) -> None:
        index = f"{ship.indices_of(1)}1998.01"
        copy.admin.options(ignore_status=404).indices.delete(index=index)
        copy.admin.indices.create(index=index)
        try:
            sort = copy.admin.indices.get_settings(index=index)[index]["settings"]["index"]["sort"]
            assert sort == {"field": "seq", "order": "desc"}
        finally:
            copy.admin.indices.delete(index=index)


@pytest.mark.parametrize("url", [UNREACHABLE, "nonsense:secret"])
def test_where_the_copy_is_down_the_database_answers_and_says_so(url: str) -> None:
    start = tomorrow()
    window = told(start)
    with override_settings(ELASTICSEARCH_READER_URL=url):
        found = analyse(window)
    assert (found.figures, found.is_from_copy) == (expected(start), False)
    assert found.problem
    assert "secret" not in found.problem


def test_without_a_copy_the_database_answers_and_nothing_is_wrong() -> None:
    start = tomorrow()
    with override_settings(ELASTICSEARCH_READER_URL=""):
        found = analyse(told(start))
    assert (found.figures, found.problem) == (expected(start), "")
