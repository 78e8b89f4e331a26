"""Timelines say what the log says, and find it by its indices."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import QuerySet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.audit.generated_log import append, logs
from tests.factories import SOON, acting, decide_by, fallen_back, person
from tickets import pipeline
from tickets.audit.difference import lines, values
from tickets.audit.facts import LONGEST, Fact
from tickets.audit.policy_series import PERIODS_SHOWN, series
from tickets.audit.timeline import Acts, Event, about, acts_of, events_of, of_actor, of_ticket
from tickets.flow.record import Draft, record
from tickets.models import Calibration, Entry, Kind, Policy, Queue, Reason, Ticket
from tickets.models.entry import DECISIONS
from tickets.pipeline import Actor

pytestmark = pytest.mark.django_db
once = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
ALL = 1_000


def story(ticket: Ticket, after: int = 0) -> list[Event]:
    return list(of_ticket(ticket.pk, after, ALL).events)


def told(event: Event, label: str) -> str:
    return next(fact.value for fact in event.facts if fact.label == label)


def queues(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(fact.label, fact.before, fact.value) for event in events for fact in event.facts[:1]]


def test_a_story_says_from_which_queue_to_which_at_each_step() -> None:
    ticket, agent = fallen_back(1)[0], acting(person("agent"))
    pipeline.override(ticket.pk, Queue.STANDARD, agent, "no outage")
    pipeline.score_waiting("test", SOON)
    pipeline.undo(ticket.pk, agent)
    assert queues(story(ticket)) == [
        ("Queue", "", "Urgent"),
        ("Queue", "Urgent", "Standard"),
        ("Queue stays", "", "Standard"),
        ("Queue", "Standard", "Urgent"),
    ]
    assert told(story(ticket)[2], "Score alone says") == "Urgent"


def test_a_page_that_begins_in_the_middle_knows_the_queue_before_it() -> None:
    ticket, agent = fallen_back(1)[0], acting(person("agent"))
    pipeline.override(ticket.pk, Queue.STANDARD, agent, "no outage")
    pipeline.override(ticket.pk, Queue.URGENT, agent, "an outage")
    whole = story(ticket)
    for place in range(len(whole)):
        rest = story(ticket, after=whole[place].entry.seq)
        assert [event.facts for event in rest] == [event.facts for event in whole[place + 1 :]]


def test_a_score_is_exact_and_says_that_it_is_uncalibrated() -> None:
    ticket = fallen_back(1)[0]
    (event,) = story(ticket)
    assert told(event, "Score").endswith(", uncalibrated")
    assert told(event, "Threshold") == "0.7"
    assert told(event, "Cause") == "Deadline"


def test_a_policy_s_entry_says_its_values_exactly_and_not_its_own_number_again() -> None:
    decide_by(threshold=1, style_ranges={"length": [0.1, 0.9]})
    (version, *_) = series(None, ALL).versions
    assert told(version.created, "Threshold") == "0.000001"
    assert told(version.created, "Style ranges") == "length 0.1 to 0.9"
    assert "Policy" not in {fact.label for fact in version.created.facts}


def test_what_takes_a_word_back_names_its_entry() -> None:
    ticket, agent = fallen_back(1)[0], acting(person("agent"))
    word = pipeline.confirm(ticket.pk, agent)
    pipeline.undo(ticket.pk, agent)
    assert Fact("Undoes", f"entry {word.seq}", entry=word.seq) in story(ticket)[-1].facts


def test_a_reason_is_shown_and_said_to_be_erased_where_it_went() -> None:
    ticket, agent = fallen_back(1)[0], acting(person("agent"))
    pipeline.override(ticket.pk, Queue.STANDARD, agent, "no outage")
    pipeline.confirm(ticket.pk, agent)
    assert [(event.reason, event.is_erased) for event in story(ticket)[1:]] == [("no outage", False), ("", False)]
    Reason.objects.all().delete()
    assert [(event.reason, event.is_erased) for event in story(ticket)[1:]] == [("", True), ("", False)]


def test_every_kind_of_entry_is_told_in_bounded_words() -> None:
    record(
        [
            Draft(kind, "log", "test", {"note": "x" * 10_000, "list": list(range(99)), "pairs": {"a": 1, "b": ["c"]}})
            for kind in Kind
            if kind not in DECISIONS
        ]
    )
    for event in events_of(list(Entry.objects.filter(actor="test"))):
        assert told(event, "Note") == "x" * LONGEST
        assert told(event, "List") == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 89 more"
        assert told(event, "Pairs") == "a 1, b c"


@once
@given(logs())
def test_the_timelines_of_all_tickets_are_the_decisions_of_the_log(log: list[Draft]) -> None:
    rows = append(log)
    for number in range(1, 5):
        found = [event.entry.seq for event in of_ticket(number, 0, ALL).events]
        assert found == [row.seq for row in rows if row.ticket_id == number]


@once
@given(logs(), st.integers(1, 5))
def test_pages_of_what_somebody_did_follow_each_other_without_a_gap(log: list[Draft], size: int) -> None:
    append(log)
    for actor in ("user:1", "user:10"):
        found, page = [], of_actor(Acts(actor), size)
        while page.events:
            assert len(page.events) <= size
            found += [event.entry.seq for event in page.events]
            page = of_actor(Acts(actor, before=found[-1]), size)
        assert found == sorted(Entry.objects.filter(actor=actor).values_list("seq", flat=True), reverse=True)


@pytest.mark.parametrize("noun", ["policy", "ticket", "person"])
def test_entries_about_a_noun_are_those_whose_subject_begins_with_it(noun: str) -> None:
    subjects = [f"{noun}:1", f"{noun}", f"{noun};1", f"{noun}:", f"{noun}s:1", f"{noun[:-1]}:1", f"timeline:{noun}:1"]
    record([Draft(Kind.AUDIT_OPENED, subject, "test") for subject in subjects])
    assert {*Entry.objects.filter(about(noun), actor="test").values_list("subject", flat=True)} == {
        subject for subject in subjects if subject.startswith(f"{noun}:")
    }


def plan(rows: QuerySet[Entry]) -> str:
    """How PostgreSQL finds them, knowing what the table holds."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tickets_entry")
    return rows.explain()


@pytest.mark.real
def test_what_somebody_did_is_found_by_its_own_small_index(real_servers: None) -> None:
    record([Draft(Kind.AUDIT_OPENED, f"entry:{n}", f"worker:{n % 7}" if n % 10 else "user:1") for n in range(2_000)])
    theirs = Entry.objects.filter(actor="user:1", seq__lt=1_500).order_by("-seq")[:101]
    assert "entry_of_person" in plan(acts_of(Acts("user:1", before=1_500))[:101])
    assert "entry_of_person" not in plan(theirs)


@pytest.mark.real
def test_the_policies_of_the_log_are_found_by_an_index(real_servers: None) -> None:
    record([Draft(Kind.AUDIT_OPENED, f"entry:{n}", "user:1") for n in range(2_000)])
    found = plan(Entry.objects.filter(about("policy"), kind=Kind.POLICY_CREATED))
    assert "Index Cond: (((subject)::text ~>=~ 'policy:'::text)" in found


def test_the_periods_of_all_versions_touch_and_the_last_one_is_open() -> None:
    decide_by(threshold=1)
    decide_by(threshold=2)
    pipeline.activate_policy(Policy.objects.get(pk=1), Actor("test"), "back")
    periods = sorted(
        ((period.began.at, period.until) for version in series(None, ALL).versions for period in version.periods),
    )
    assert len(periods) == 4
    assert [until for _, until in periods] == [*(began for began, _ in periods[1:]), None]


def test_of_many_periods_the_latest_are_shown_and_the_others_counted() -> None:
    first, second = Policy.objects.get(pk=1), decide_by(threshold=1)
    for _ in range(PERIODS_SHOWN + 1):
        pipeline.activate_policy(first, Actor("test"), "there")
        pipeline.activate_policy(second, Actor("test"), "and back")
    shown = {version.number: version for version in series(None, ALL).versions}[second.number]
    assert (len(shown.periods), shown.earlier) == (PERIODS_SHOWN, 2)
    assert shown.periods[0].until is None


def side_by_side(**changed: object) -> dict[str, tuple[str, str]]:
    """The values that differ between the first policy and one like it but for `changed`; nothing is stored."""
    first = Policy.objects.select_related("model", "calibration").get(pk=1)
    named = {field.name: getattr(first, field.name) for field in Policy._meta.fields}
    other = Policy(**(named | {"number": 2} | changed))
    return {value.name: (value.before, value.after) for value in values(first, other) if value.differs}


def test_two_versions_that_say_the_same_differ_in_nothing() -> None:
    assert side_by_side() == {}


def test_thresholds_a_millionth_apart_differ() -> None:
    assert side_by_side(threshold=700_001)["Threshold"] == ("0.7", "0.700001")


def test_a_style_range_or_a_floor_that_only_one_has_is_none_in_the_other() -> None:
    assert side_by_side(style_ranges={"length": [0.1, 0.9]}, reply_floor=250_000) == {
        "Style range: length": ("none", "0.1 to 0.9"),
        "Reply floor": ("none", "0.25"),
    }


def test_a_calibration_shows_its_slope_its_offset_and_how_good_it_was() -> None:
    fitted = Calibration(
        version="platt-x",
        a_millionths=1_250_000,
        b_millionths=-300_000,
        figures={"labels": 40, "after": {"ece": 0.02, "brier": 0.1, "log_loss": 0.3}},
    )
    found = side_by_side(calibration=fitted)
    assert found["Slope a"][1] == "1.25"
    assert found["Offset b"][1] == "-0.3"
    assert (found["Labels fitted on"][1], found["Calibration error"][1]) == ("40", "0.02")


def test_a_calibration_of_knots_counts_them_and_has_no_slope() -> None:
    found = side_by_side(calibration=Calibration(version="isotonic-x", knots_millionths=[[0, 1], [2, 3], [4, 5]]))
    assert (found["Knots"][1], found["Slope a"][1]) == ("3", "none")


texts = st.lists(st.sampled_from(["", "one", "two words", "two  words", "three", "é\u202e"]), max_size=12).map(
    "\n".join
)


@given(texts, texts)
def test_a_difference_of_lines_holds_both_texts_whole(before: str, after: str) -> None:
    def side(other: str) -> list[str]:
        return ["".join(part.text for part in line.words) for line in lines(before, after) if line.sign != other]

    assert (side("+"), side("-")) == (before.splitlines(), after.splitlines())


@given(texts)
def test_a_text_differs_from_itself_in_no_line(same: str) -> None:
    assert {line.sign for line in lines(same, same)} <= {""}


def test_in_a_changed_line_only_the_changed_words_are_marked() -> None:
    removed, added = lines("an outage is urgent", "an outage is calm")
    assert [part.text for part in removed.words if part.is_hit] == ["urgent"]
    assert [part.text for part in added.words if part.is_hit] == ["calm"]
    assert (removed.said, added.said) == ("removed", "added")


def test_a_rubric_of_one_word_over_and_over_is_compared_at_once() -> None:
    assert len(lines("a " * 4_000, "a " * 3_999 + "b")) == 2
