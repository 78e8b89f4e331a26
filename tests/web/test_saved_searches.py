"""Saved searches: a person's own, always a link that works, replaced only when that was said."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils.timezone import override
from hypothesis import given
from hypothesis import strategies as some

from tests.factories import fallen_back, person
from tests.web.test_pages import logged_in, queries
from tickets.models import Entry, Kind, SavedSearch, User
from tickets.web.decision_search import DecisionSearch
from tickets.web.saved_searches import MOST, SaveForm

pytestmark = pytest.mark.django_db
URGENT = "queue=urgent"


@pytest.fixture
def auditor() -> User:
    return person("auditor")


@pytest.fixture
def client(auditor: User) -> Client:
    return logged_in(auditor)


def save(client: Client, name: str, query: str = URGENT, **more: str) -> Any:
    return client.post("/audit/saved/", {"name": name, "query": query} | more)


def links(client: Client, path: str = "/audit/") -> dict[str, str]:
    """Name -> query of the saved searches on a page."""
    return {one.search.name: one.search.query for one in client.get(path).context["saved"]}


def test_a_search_is_saved_under_a_name_and_found_again(client: Client) -> None:
    fallen_back(1)
    assert save(client, "Urgent ones")["Location"] == "/audit/?queue=urgent"
    assert links(client) == {"Urgent ones": "queue=urgent"}
    page = client.get("/audit/?queue=urgent").content.decode()
    assert re.search(r'<a href="/audit/\?queue=urgent"\s+aria-current="page"><bdi>Urgent ones</bdi>', page)


def test_what_is_saved_means_the_same_to_every_reader(client: Client, auditor: User) -> None:
    User.objects.filter(pk=auditor.pk).update(time_zone="Europe/Berlin")
    save(client, "January", "since=2026-01-10T12:00:00&before=99&queue=")
    assert SavedSearch.objects.get().query == "since=2026-01-10T11:00:00Z"


def test_searches_are_their_owners_alone(client: Client) -> None:
    save(client, "Mine")
    other = logged_in(person("ops"))
    assert links(other) == {}
    assert other.post(f"/audit/saved/{SavedSearch.objects.get().pk}/delete/").status_code == 404
    assert save(other, "Mine", "queue=standard").status_code == 302
    assert links(client) == {"Mine": URGENT}


def test_a_name_that_is_taken_is_replaced_only_when_that_was_said(client: Client) -> None:
    save(client, "Mine")
    refused = save(client, "Mine", "queue=standard")
    assert refused.status_code == 409
    assert 'name="replace"' in refused.content.decode()
    assert links(client) == {"Mine": URGENT}
    assert save(client, "Mine", "queue=standard", replace="on").status_code == 302
    assert links(client) == {"Mine": "queue=standard"}


def test_saving_the_same_twice_is_saving_it_once(client: Client) -> None:
    assert [save(client, "Mine").status_code for _ in range(2)] == [302, 302]
    assert SavedSearch.objects.count() == 1


def test_a_deleted_one_is_gone_and_the_reader_stays_at_the_search(client: Client) -> None:
    save(client, "Mine")
    address = f"/audit/saved/{SavedSearch.objects.get().pk}/delete/"
    answer = client.post(address, {"next": "/audit/?kind=override"})
    assert answer["Location"] == "/audit/?kind=override"
    assert links(client) == {}
    assert client.post(address).status_code == 404


def test_a_hundred_are_kept_and_the_next_is_refused_in_words(client: Client, auditor: User) -> None:
    rows = [SavedSearch(user=auditor, name=f"{n}", query=URGENT, saved_at=auditor.date_joined) for n in range(MOST)]
    SavedSearch.objects.bulk_create(rows)
    refused = save(client, "One more")
    assert refused.status_code == 400
    assert "Delete one first." in str(refused.context["save_form"].errors["name"])
    assert save(client, "1", "queue=standard", replace="on").status_code == 302
    assert SavedSearch.objects.count() == MOST


@pytest.mark.parametrize(
    ("name", "field"),
    [("", "name"), ("x" * 81, "name"), ("a\0b", "name"), ("\u200b", "name"), ("   ", "name")],
)
def test_a_name_that_is_none_is_refused_and_the_search_stays(client: Client, name: str, field: str) -> None:
    answer = save(client, name)
    assert answer.status_code == 400
    assert list(answer.context["save_form"].errors) == [field]
    assert answer.context["search"].cleaned_data["queue"] == "urgent"
    assert not SavedSearch.objects.exists()


@pytest.mark.parametrize(
    ("query", "field"),
    [("queue=none", "queue"), ("ticket=x", "ticket"), ("reason=a%00b", "reason"), ("through=1", "__all__")],
)
def test_a_search_that_is_none_is_refused_and_the_field_named(client: Client, query: str, field: str) -> None:
    answer = save(client, "Mine", query)
    assert answer.status_code == 400
    assert list(answer.context["search"].errors) == [field]
    assert not SavedSearch.objects.exists()


def test_an_address_that_is_too_long_is_refused_in_words(client: Client) -> None:
    answer = save(client, "Mine", urlencode({"reason": "👩" * 500}))
    assert answer.status_code == 400
    assert "query: at most 4,000 characters" in answer.content.decode()


def test_what_is_shown_where_nothing_could_be_saved_is_in_the_log_as_any_search(client: Client) -> None:
    save(client, "", "kind=override")
    assert Entry.objects.filter(kind=Kind.AUDIT_SEARCHED).count() == 1


def test_the_page_of_one_that_was_not_saved_leads_back_to_the_search(client: Client) -> None:
    assert client.get("/audit/saved/?queue=urgent")["Location"] == "/audit/?queue=urgent"


def test_names_are_shown_as_text(client: Client) -> None:
    save(client, "<script>alert(1)</script>")
    assert "<script>alert" not in client.get("/audit/").content.decode()


def test_an_agent_saves_no_search_of_the_log() -> None:
    assert save(logged_in(person("agent")), "Mine").status_code == 403


def test_the_page_needs_as_many_queries_for_many_saved_searches_as_for_one(client: Client, auditor: User) -> None:
    save(client, "0")
    client.get("/audit/")
    few = queries(client, "/audit/")
    rows = [SavedSearch(user=auditor, name=f"x{n}", query=URGENT, saved_at=auditor.date_joined) for n in range(30)]
    SavedSearch.objects.bulk_create(rows)
    assert queries(client, "/audit/") == few


@given(
    some.fixed_dictionaries(
        {},
        optional={
            "queue": some.sampled_from(["urgent", "standard"]),
            "reason": some.text(min_size=1, max_size=500),
            "actor": some.text(min_size=1, max_size=200),
            "since": some.datetimes().map(str) | some.datetimes(timezones=some.timezones()).map(str),
            "score_min": some.integers(0, 1_000_000).map(lambda millionths: str(Decimal(millionths) / 1_000_000)),
            "needs_check": some.sampled_from(["on", "off"]),
            "before": some.integers(1, 2**63 - 1).map(str),
        },
    )
)
def test_whatever_can_be_saved_opens_as_the_same_search_in_every_zone(values: dict[str, str]) -> None:
    query = QueryDict(mutable=True)
    query.update(values)
    form = SaveForm(DecisionSearch(query), {"name": "Any"})
    if form.search.is_valid() and form.is_valid():
        with override("Pacific/Kiritimati"):
            opened = DecisionSearch(QueryDict(form.query))
            assert opened.is_valid()
            assert opened.is_stable
            assert opened.address() == f"?{form.query}"
