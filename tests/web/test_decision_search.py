"""The auditor's search: what it finds, how it narrows, who answers, and that it is in the log itself."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest

from tests.factories import CALM, URGENT, acting, fallen_back, person, scored
from tests.web.test_pages import logged_in, queries
from tickets import pipeline
from tickets.models import Decision, Entry, Kind, Queue

pytestmark = pytest.mark.django_db


def page(address: str = "/audit/", role: str = "auditor") -> str:
    answer = logged_in(person(role)).get(address)
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def shown(html: str) -> list[int]:
    """The entries in the table."""
    return [int(seq) for seq in re.findall(r'data-label="Entry"><a href="/audit/decisions/(\d+)/"', html)]


def noted(kind: Kind) -> list[dict[str, Any]]:
    return [json.loads(bytes(entry.body)) for entry in Entry.objects.filter(kind=kind).order_by("seq")]


def test_a_facet_counts_its_values_and_narrows_the_search_to_one() -> None:
    scored(URGENT)
    fallen_back(3)
    html = page()
    link = re.search(r'href="(\?[^"]*kind=fallback[^"]*)"[^>]*>\s*<bdi>Fallback</bdi>\s*<span class="count">3<', html)
    assert link
    assert len(shown(page(f"/audit/{unquote(link[1])}"))) == 3


def test_a_chosen_facet_still_shows_its_other_values_and_can_be_widened() -> None:
    scored(URGENT)
    fallen_back(2)
    html = page("/audit/?kind=fallback")
    assert re.search(r"<bdi>Scored</bdi>\s*<span class=\"count\">1<", html)
    assert re.search(r'aria-current="true"[^>]*><bdi>Fallback</bdi>', html)


def test_words_of_a_reason_are_found_and_marked_and_never_become_markup() -> None:
    agent, ticket = acting(person("agent")), scored(URGENT)
    pipeline.override(ticket.pk, Queue(ticket.queue).other, agent, "<b>A fire drill</b>, no fire")
    scored(CALM)
    html = page("/audit/?reason=FIRE")
    assert len(shown(html)) == 1
    assert html.count('<mark class="hit">fire</mark>') == 2
    assert "<b>A" not in html


def test_a_search_is_an_entry_once_and_not_again_for_its_further_pages() -> None:
    fallen_back(60)
    auditor = person("auditor")
    client = logged_in(auditor)
    html = client.get("/audit/?kind=fallback").content.decode()
    older = re.search(r'href="(\?[^"]*before=\d+[^"]*)">Older', html)
    assert older
    assert client.get(f"/audit/{older[1].replace('&amp;', '&')}").status_code == 200
    (search,) = noted(Kind.AUDIT_SEARCHED)
    assert (search["query"], search["actor"]) == ("kind=fallback", f"user:{auditor.pk}")


def test_letters_looked_for_in_reasons_stay_beside_the_log() -> None:
    scored()
    page("/audit/?reason=Mrs+Miller")
    (search,) = noted(Kind.AUDIT_SEARCHED)
    assert "Miller" not in json.dumps(search)
    assert search["reason_digest"]


def test_an_opened_decision_is_an_entry_and_one_that_is_not_there_is_none() -> None:
    seq = scored().decision_id
    page(f"/audit/decisions/{seq}/", role="ops")
    assert logged_in(person("auditor")).get("/audit/decisions/999999/").status_code == 404
    assert [entry["subject"] for entry in noted(Kind.AUDIT_OPENED)] == [f"entry:{seq}"]


def test_a_bad_filter_is_named_and_nothing_is_noted() -> None:
    answer = logged_in(person("auditor")).get("/audit/?ticket=x")
    assert answer.status_code == 400
    assert noted(Kind.AUDIT_SEARCHED) == []


def test_the_database_answers_where_elasticsearch_is_away_and_the_page_says_so(settings: Any) -> None:
    scored()
    settings.ELASTICSEARCH_READER_URL = "http://reader:secret@127.0.0.1:9"
    html = page()
    assert "Elasticsearch could not answer" in html
    assert "secret" not in html
    assert shown(html) == list(Decision.objects.order_by("-entry").values_list("entry", flat=True))


def test_the_embedded_page_says_that_the_database_answers() -> None:
    scored()
    html = page()
    assert re.search(r"by\s+the database", html)
    assert "could not answer" not in html


def test_an_empty_log_and_an_empty_result_say_what_they_are() -> None:
    assert "holds no decision yet" in page()
    scored()
    assert "No decision matches" in page("/audit/?ticket=999")


def test_it_needs_as_many_queries_for_many_rows_and_values_as_for_few() -> None:
    client = logged_in(person("auditor"))
    fallen_back(2)
    client.get("/audit/")
    few = queries(client, "/audit/")
    scored()
    fallen_back(70)
    assert queries(client, "/audit/") == few
