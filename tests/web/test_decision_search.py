"""The auditor's search as a page: a stable address, facets to narrow and widen, and a word about who answered."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from elasticsearch import Elasticsearch

from tests.factories import acting, fallen_back, person
from tests.installation import empty_elasticsearch
from tests.web.test_pages import logged_in
from tickets import pipeline
from tickets.audit import ship
from tickets.audit.elasticsearch import install
from tickets.models import Decision, Entry, Kind, Queue, Reason, Shipping
from tickets.web.auditors import PAGE
from tickets.web.decision_facets import FacetValue

pytestmark = pytest.mark.django_db
DOWN = "http://reader:secret@127.0.0.1:1"


@pytest.fixture
def client() -> Client:
    return logged_in(person("auditor"))


@pytest.fixture
def copy(real_servers: None) -> Iterator[Elasticsearch]:
    """The copy behind its alias, and pages that search it."""
    reader = os.environ["ELASTICSEARCH_READER_URL"]
    with Elasticsearch(os.environ["ELASTICSEARCH_ADMIN_URL"]) as admin:
        install(admin, os.environ["ELASTICSEARCH_URL"], reader)
        empty_elasticsearch()
        with override_settings(ELASTICSEARCH_READER_URL=reader):
            yield admin
        empty_elasticsearch()


def shown(client: Client, address: str = "/audit/") -> list[int]:
    return [decision.seq for decision, _ in client.get(address).context["rows"]]


def values(client: Client, address: str, facet: str) -> dict[str, FacetValue]:
    facets = client.get(address).context["facets"]
    return {value.label: value for value in next(links for links in facets if links.title == facet).values}


def text(answer: Any) -> str:
    """What a reader reads, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", answer.content.decode())).split())


def moved(number: int = 1, reason: str = "no outage") -> list[Entry]:
    by = acting(person("agent"))
    return [pipeline.override(ticket.pk, Queue.STANDARD, by, reason) for ticket in fallen_back(number)]


def test_a_facet_narrows_the_search_to_what_it_counts(client: Client) -> None:
    moved(2)
    fallen_back(3)
    override = values(client, "/audit/", "Kind")["Override"]
    assert override.count == 2
    assert len(shown(client, f"/audit/{override.address}")) == 2


def test_a_chosen_facet_widens_the_search_again_and_still_counts_its_neighbours(client: Client) -> None:
    moved(2)
    fallen_back(3)
    address = "/audit/" + values(client, "/audit/", "Kind")["Override"].address
    beside = values(client, address, "Kind")
    assert {label: value.count for label, value in beside.items()} == {"Fallback": 5, "Override": 2}
    assert [label for label, value in beside.items() if value.is_chosen] == ["Override"]
    assert sorted(shown(client, f"/audit/{beside['Override'].address}")) == sorted(shown(client))


def test_narrowing_keeps_the_other_filters_and_starts_at_the_newest(client: Client) -> None:
    fallen_back(1)
    address = values(client, "/audit/?score_min=0.5&before=1000", "Queue")["Urgent"].address
    assert address == "?queue=urgent&score_min=0.5"


@pytest.mark.parametrize("chosen", ["queue=standard", "actor=nobody", "policy=77", "model=none"])
def test_a_chosen_value_that_nothing_has_can_be_taken_back(client: Client, chosen: str) -> None:
    fallen_back(1)
    answer = client.get(f"/audit/?{chosen}")
    taken_back = [v.address for links in answer.context["facets"] for v in links.values if v.is_chosen]
    assert taken_back == ["?"]
    assert "No decision matches." in text(answer)


@pytest.mark.parametrize("path", ["/audit/", "/audit/saved/"])
def test_every_page_of_a_search_is_in_the_log_wherever_it_begins(client: Client, path: str) -> None:
    query = f"queue=urgent&reason=Smith&before={2**63 - 1}"
    fallen_back(1)
    client.head(f"/audit/?{query}") if path == "/audit/" else client.post(path, {"name": "", "query": query})
    entry = Entry.objects.get(kind=Kind.AUDIT_SEARCHED)
    assert json.loads(bytes(entry.body))["query"] == f"queue=urgent&before={2**63 - 1}"
    assert Reason.objects.get(pk=entry.seq).text == "reason: Smith"


def test_pages_continue_below_the_last_row_and_count_the_whole_search(client: Client) -> None:
    fallen_back(PAGE + 3)
    first = client.get("/audit/?queue=urgent")
    second = client.get(f"/audit/{first.context['older']}")
    assert shown(client, "/audit/?queue=urgent") + shown(client, f"/audit/{first.context['older']}") == [
        *Decision.objects.order_by("-pk").values_list("pk", flat=True)
    ]
    assert first.context["found"].total == second.context["found"].total == PAGE + 3
    assert second.context["newest"] == "?queue=urgent"
    assert second.context["older"] == ""


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("verdict=maybe", "verdict"),
        ("cause=x", "cause"),
        (f"reason={'x' * 501}", "reason"),
        ("reason=a%00b", "reason"),
        ("score_min=2", "score_min"),
        ("policy=0", "policy"),
        ("before=x", "before"),
        ("through=1", "__all__"),
    ],
)
def test_what_cannot_be_searched_is_refused_and_the_field_named(client: Client, query: str, field: str) -> None:
    answer = client.get(f"/audit/?{query}")
    assert answer.status_code == 400
    assert list(answer.context["search"].errors) == [field]


def test_verdict_and_cause_are_filters_too(client: Client) -> None:
    late = fallen_back(1)[0]
    assert shown(client, "/audit/?verdict=urgent&cause=deadline") == [Decision.objects.get(ticket_id=late.pk).seq]
    assert shown(client, "/audit/?verdict=standard") == shown(client, "/audit/?cause=new") == []


def test_a_hit_in_a_reason_is_marked_and_the_rest_escaped(client: Client) -> None:
    (entry,) = moved(reason="<b>No</b> outage & <script>")
    moved(reason="something else")
    page = client.get("/audit/?reason=outage+%26+%3CSCRIPT")
    assert [decision.seq for decision, _ in page.context["rows"]] == [entry.seq]
    assert '&lt;b&gt;No&lt;/b&gt; <mark class="hit">outage &amp; &lt;script</mark>&gt;' in page.content.decode()


def test_without_a_copy_the_page_says_quietly_that_the_database_answers(client: Client) -> None:
    fallen_back(1)
    page = text(client.get("/audit/"))
    assert re.search(r"1 decision, counted at [-0-9]{10} [:0-9]{8} by the database\.", page)
    assert "could not answer" not in page


def test_where_the_copy_is_down_a_banner_says_that_the_database_answers(client: Client) -> None:
    seqs = [entry.seq for entry in moved(2)]
    with override_settings(ELASTICSEARCH_READER_URL=DOWN):
        answer = client.get("/audit/?kind=override")
    assert [decision.seq for decision, _ in answer.context["rows"]] == seqs[::-1]
    assert "Elasticsearch could not answer." in text(answer)
    assert "secret" not in answer.content.decode()


def test_an_empty_log_shows_no_facets_and_says_what_will_come(client: Client) -> None:
    answer = client.get("/audit/")
    assert "The log holds no decision yet." in text(answer)
    assert b"facets" not in answer.content


def test_the_page_shows_no_more_of_a_facet_than_the_most_frequent(client: Client) -> None:
    for ticket in fallen_back(12):
        pipeline.confirm(ticket.pk, acting(person("agent")))
    links = next(links for links in client.get("/audit/").context["facets"] if links.title == "Actor")
    assert (len(links.values), links.others, links.values[0].label) == (10, 3, "sweep")


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize("address", ["/audit/", "/audit/?reason=out", "/audit/?kind=override&actor=user:1"])
def test_a_search_costs_as_many_queries_for_many_rows_as_for_few(client: Client, address: str) -> None:
    moved(2)
    client.get(address)
    few = queries(client, address)
    moved(PAGE + 5)
    assert queries(client, address) == few


@pytest.mark.real
def test_the_copy_answers_and_its_rows_are_the_database_s(client: Client, copy: Elasticsearch) -> None:
    seqs = [entry.seq for entry in moved(3)]
    ship.ship_waiting()
    copy.indices.refresh(index=ship.ALIAS)
    fallen_back(2)
    answer = client.get("/audit/?kind=override")
    assert [decision.seq for decision, _ in answer.context["rows"]] == seqs[::-1]
    assert "by Elasticsearch; the rows are read from the database." in text(answer)
    assert "The copy is 2 entries behind" in text(answer)


@pytest.mark.real
def test_a_row_of_the_copy_that_the_database_lacks_is_shown_as_such(client: Client, copy: Elasticsearch) -> None:
    (entry,) = moved()
    document = ship.document_of(entry)
    index = ship.index_of(entry, Shipping.objects.get(pk=1).generation)
    with Elasticsearch(os.environ["ELASTICSEARCH_URL"]) as writer:
        for seq, changed in ((entry.seq, {"actor": "somebody"}), (entry.seq + 1, {})):
            writer.create(index=index, id=str(seq), document=document | changed | {"seq": seq})
    copy.indices.refresh(index=ship.ALIAS)
    answer = client.get("/audit/")
    assert answer.status_code == 200
    assert f"{entry.seq + 1} only in the copy" in text(answer)
    assert f"/audit/decisions/{entry.seq + 1}/" not in answer.content.decode()
    assert f"{entry.seq} copy differs: actor" in text(answer)


@pytest.mark.real
def test_a_search_of_the_copy_costs_as_many_queries_for_many_rows_as_for_few(
    client: Client, copy: Elasticsearch
) -> None:
    counts = []
    for number in (2, PAGE + 5):
        moved(number)
        ship.ship_waiting()
        copy.indices.refresh(index=ship.ALIAS)
        client.get("/audit/?kind=override")
        counts.append(queries(client, "/audit/?kind=override"))
    assert counts[0] == counts[1]
