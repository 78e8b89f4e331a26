"""The search: the database and the copy find the same, and the database is the truth of what was found."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from django.test import override_settings
from elasticsearch import Elasticsearch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.audit.generated_log import append, facets, logs, matching, queries
from tests.factories import acting, fallen_back, person
from tickets import pipeline
from tickets.audit import search_database, search_elasticsearch
from tickets.audit.elasticsearch import MAPPING, install
from tickets.audit.highlight import stretches
from tickets.audit.search import search
from tickets.audit.search_query import Found, Query
from tickets.audit.ship import document_of
from tickets.flow.record import Draft
from tickets.models import Decision, Entry, Kind, Queue, Reason

pytestmark = pytest.mark.django_db
real = pytest.mark.real
once = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
Ask = Callable[[Sequence[Decision]], Query]
UNREACHABLE = "http://reader:secret@127.0.0.1:1"


class Copy:
    """An index of its own, in three shards as three months would make it."""

    def __init__(self, admin: Elasticsearch) -> None:
        self.admin, self.index, self.through = admin, f"triage-decisions-test-{uuid.uuid4().hex}", 0
        admin.indices.create(
            index=self.index, mappings=MAPPING, settings={"number_of_shards": 3, "number_of_replicas": 0}
        )

    def follow(self) -> None:
        """Takes over what the log holds beyond it."""
        entries = list(Entry.objects.filter(seq__gt=self.through).order_by("seq"))
        self.take([document_of(entry) for entry in entries])
        self.through = entries[-1].seq

    def take(self, documents: list[dict[str, object]]) -> None:
        operations = [line for document in documents for line in ({"index": {"_id": str(document["seq"])}}, document)]
        assert not self.admin.bulk(index=self.index, operations=operations, refresh=True)["errors"]

    def find(self, query: Query, size: int = 50) -> Found:
        with Elasticsearch(os.environ["ELASTICSEARCH_READER_URL"]) as reader:
            return search_elasticsearch.find(query, size, reader, self.index)


@pytest.fixture
def copy(real_servers: None) -> Iterator[Copy]:
    with Elasticsearch(os.environ["ELASTICSEARCH_ADMIN_URL"]) as admin:
        install(admin, os.environ["ELASTICSEARCH_URL"], os.environ["ELASTICSEARCH_READER_URL"])
        made = Copy(admin)
        yield made
        admin.indices.delete(index=made.index)


def seqs(found: Found) -> list[int]:
    return [row.decision.seq for row in found.rows]


def counted(found: Found) -> tuple[object, ...]:
    return found.total, found.has_older, [*found.facets]


@once
@given(log=logs(), ask=queries())
def test_the_database_finds_what_the_words_of_the_query_say(log: list[Draft], ask: Ask) -> None:
    rows = append(log)
    query = ask(rows)
    expected = matching(query, rows)
    shown = [row.seq for row in expected if query.before is None or row.seq < query.before]
    found = search_database.find(query, 5)
    assert (seqs(found), found.has_older) == (shown[:5], len(shown) > 5)
    assert (found.total, [*found.facets]) == (len(expected), facets(query, rows))


@real
@once
@given(log=logs(), asks=st.lists(queries(), min_size=3, max_size=3))
def test_the_copy_and_the_database_agree_row_for_row_and_facet_for_facet(
    copy: Copy, log: list[Draft], asks: list[Ask]
) -> None:
    rows = append(log)
    copy.follow()
    for query in [ask(rows) for ask in asks]:
        ours, theirs = search_database.find(query, 5), copy.find(query, 5)
        assert seqs(theirs) == seqs(ours)
        assert counted(theirs) == counted(ours)
        assert not any(row.differs or row.is_only_in_copy for row in theirs.rows)


@real
def test_pages_of_the_copy_show_each_decision_once_while_the_log_grows(copy: Copy) -> None:
    fallen_back(7)
    copy.follow()
    expected = list(Decision.objects.order_by("-pk").values_list("pk", flat=True))
    seen, before = [], None
    while True:
        page = copy.find(Query(before=before), 3)
        seen += seqs(page)
        if not page.has_older:
            break
        before = seen[-1]
        fallen_back(1)
        copy.follow()
    assert seen == expected


@real
def test_what_the_database_lacks_is_shown_as_only_in_the_copy(copy: Copy) -> None:
    fallen_back(1)
    entry = Entry.objects.latest("seq")
    copy.take([document_of(entry), document_of(entry) | {"seq": entry.seq + 1}])
    lost, held = copy.find(Query()).rows
    assert (lost.is_only_in_copy, held.is_only_in_copy) == (True, False)
    names = [field.attname for field in Decision._meta.fields if not field.primary_key]
    assert [getattr(lost.decision, name) for name in names] == [getattr(held.decision, name) for name in names]
    assert lost.decision.seq == entry.seq + 1


@real
def test_what_differs_is_shown_as_the_database_has_it_and_named(copy: Copy) -> None:
    fallen_back(1)
    entry, decision = Entry.objects.latest("seq"), Decision.objects.get()
    copy.take([document_of(entry) | {"queue": "standard", "score": 1, "actor": "somebody"}])
    row = copy.find(Query(queue=Queue.STANDARD)).rows[0]
    assert (row.decision.queue, row.decision.score, row.decision.actor) == ("urgent", decision.score, decision.actor)
    assert set(row.differs) == {"queue", "score", "actor"}


@real
def test_a_document_without_fields_breaks_no_page(copy: Copy) -> None:
    copy.take([{"seq": 10**12, "kind": "scored"}])
    row = copy.find(Query()).rows[0]
    assert (row.decision.seq, row.decision.ticket_id, row.is_only_in_copy) == (10**12, None, True)


@real
@pytest.mark.parametrize(
    "query",
    [
        Query(since=datetime(9998, 12, 31, tzinfo=UTC)),
        Query(until=datetime(1969, 12, 31, 12, tzinfo=UTC)),
        Query(ticket=2**63 - 1, policy=2**31 - 1, before=2**63 - 1),
    ],
    ids=["late", "early", "large"],
)
def test_bounds_beyond_what_the_copy_can_hold_find_nothing_in_both(copy: Copy, query: Query) -> None:
    fallen_back(1)
    copy.follow()
    assert counted(copy.find(query)) == counted(search_database.find(query, 50))
    assert copy.find(query).total == 0


@real
def test_the_copy_answers_where_it_can_and_says_how_far_behind_it_is(copy: Copy) -> None:
    fallen_back(3)
    copy.follow()
    answer = search(Query(), 2, copy.index)
    assert answer.is_from_copy
    assert (answer.behind, answer.problem) == (Entry.objects.count(), "")  # nothing was sent by the shipper itself
    assert seqs(answer.found) == seqs(search_database.find(Query(), 2))


@real
def test_the_text_of_reasons_is_searched_where_it_can_be_erased(copy: Copy) -> None:
    ticket = fallen_back(2)[0]
    entry = pipeline.override(ticket.pk, Queue.STANDARD, acting(person("agent")), "No outage, Lea Muster says")
    copy.follow()
    answer = search(Query(reason="lea muster"), 50, copy.index)
    assert not answer.is_from_copy
    assert seqs(answer.found) == [entry.seq]
    Reason.objects.all().delete()
    assert seqs(search(Query(reason="lea muster"), 50, copy.index).found) == []
    assert not any("Lea" in str(hit["_source"]) for hit in copy.admin.search(index=copy.index)["hits"]["hits"])


@pytest.mark.parametrize(("letters", "finds"), [("100 %", True), ("100%", False), ("_", False), ("SURE", True)])
def test_letters_of_a_reason_mean_themselves(letters: str, finds: bool) -> None:
    ticket = fallen_back(1)[0]
    pipeline.override(ticket.pk, Queue.STANDARD, acting(person("agent")), "100 % sure")
    assert bool(search_database.find(Query(reason=letters), 50).rows) == finds


def test_the_reason_of_a_policy_is_no_decision() -> None:
    pipeline.note(Draft(Kind.EXPORTED, "log", "user:1", {}, "a policy's reason"))
    assert search_database.find(Query(reason="policy"), 50).total == 0


def test_without_a_copy_the_database_answers_and_nothing_is_wrong() -> None:
    fallen_back(1)
    with override_settings(ELASTICSEARCH_READER_URL=""):
        answer = search(Query(), 50)
    assert (answer.found.total, answer.is_from_copy, answer.problem) == (1, False, "")


@pytest.mark.parametrize("url", [UNREACHABLE, "nonsense:secret"])
def test_where_the_copy_is_down_the_database_answers_and_says_so(url: str) -> None:
    fallen_back(1)
    with override_settings(ELASTICSEARCH_READER_URL=url):
        answer = search(Query(), 50)
    assert (answer.found.total, answer.is_from_copy) == (1, False)
    assert answer.problem
    assert "secret" not in answer.problem


def test_where_the_copy_is_slow_the_database_answers() -> None:
    fallen_back(1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://reader:secret@127.0.0.1:{silent.getsockname()[1]}"
        with override_settings(ELASTICSEARCH_READER_URL=url):
            answer = search(Query(), 50)
    assert answer.found.total == 1
    assert "within 2 seconds" in answer.problem


@real
def test_where_the_index_is_missing_the_database_answers(copy: Copy) -> None:
    fallen_back(1)
    answer = search(Query(), 50, "triage-decisions-test-absent")
    assert (answer.found.total, answer.problem) == (1, "It holds no copy of the log yet.")


@real
def test_where_the_password_is_wrong_the_database_answers(copy: Copy) -> None:
    fallen_back(1)
    parts = urlsplit(os.environ["ELASTICSEARCH_READER_URL"])
    wrong = parts._replace(netloc=f"{parts.username}:wrong@{parts.hostname}:{parts.port}").geturl()
    with override_settings(ELASTICSEARCH_READER_URL=wrong):
        answer = search(Query(), 50, copy.index)
    assert (answer.found.total, answer.problem) == (1, "It refused the reader's name or password.")


@real
def test_the_copy_is_never_asked_for_part_of_an_answer(copy: Copy) -> None:
    """A search that one shard cannot answer is answered by the database, not by the other shards."""
    fallen_back(6)
    copy.follow()
    copy.admin.indices.close(index=copy.index)
    answer = search(Query(), 50, copy.index)
    assert (answer.found.total, answer.is_from_copy) == (6, False)
    assert answer.problem


@given(text=st.text(), letters=st.text(min_size=1))
def test_a_highlighted_text_is_the_whole_text(text: str, letters: str) -> None:
    assert "".join(part.text for part in stretches(text, letters)) == text


def test_hits_are_marked_in_any_case() -> None:
    parts = stretches("No outage. Überhaupt NO.", "no")
    assert [(part.text, part.is_hit) for part in parts] == [
        ("No", True),
        (" outage. Überhaupt ", False),
        ("NO", True),
        (".", False),
    ]
    assert [part.text for part in stretches("a.b ab", "a.b") if part.is_hit] == ["a.b"]
