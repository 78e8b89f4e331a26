"""One ticket in, once, whatever the network does."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.client import BULK, TICKETS, Caller, a_ticket, row_counts
from tests.api.site import web_site
from tests.factories import SOON
from tests.installation import Installation
from tickets import pipeline
from tickets.models import IdempotencyKey, Message, Ticket, Waiting

pytestmark = pytest.mark.django_db
AT_ONCE = 8


@pytest.fixture
def caller() -> Caller:
    return Caller()


def test_a_new_ticket_is_accepted_and_waits(caller: Caller) -> None:
    answer = caller.post(TICKETS, a_ticket())
    ticket = Ticket.objects.get()
    assert answer.status_code == 202
    assert answer.json() == {"id": ticket.pk, "url": f"/api/v1/tickets/{ticket.pk}/", "state": "waiting"}
    assert Waiting.objects.get().ticket_id == ticket.pk


def test_everything_that_was_said_is_kept(caller: Caller) -> None:
    requester = {"email": "Lea@Example.com", "name": "Lea Ångström", "region": "SE", "locale": "sv-SE"}
    given_at = "2026-01-02T03:04:05.678901+02:00"
    caller.post(TICKETS, a_ticket(requester=requester, source="shop", external_id="A 1", received_at=given_at))
    ticket = Ticket.objects.select_related("requester").get()
    kept = ticket.requester
    assert (ticket.source, ticket.external_id) == ("shop", "A 1")
    assert ticket.received_at == datetime(2026, 1, 2, 1, 4, 5, 678901, tzinfo=UTC)
    assert (kept.email, kept.name, kept.region, kept.locale) == ("lea@example.com", "Lea Ångström", "SE", "sv-SE")
    assert ticket.messages.get().body == "Where is my lamp?"


def test_the_same_external_id_again_is_the_same_ticket_and_no_edit(caller: Caller) -> None:
    first = caller.post(TICKETS, a_ticket(source="shop", external_id="1"))
    before = row_counts()
    other = {"subject": "Other", "body": "Other", "requester": {"email": "jo@example.com"}}
    again = caller.post(TICKETS, a_ticket(source="shop", external_id="1", **other))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    assert row_counts() == before
    ticket = Ticket.objects.select_related("requester").get()
    assert (ticket.subject, ticket.messages.get().body) == ("Lamp", "Where is my lamp?")
    assert ticket.requester.email == "lea@example.com"


def test_a_decided_ticket_sent_again_is_not_scored_again(caller: Caller) -> None:
    caller.post(TICKETS, a_ticket(external_id="1"))
    pipeline.score_waiting("test", SOON)
    before = row_counts()
    again = caller.post(TICKETS, a_ticket(external_id="1"))
    assert (again.status_code, again.json()["state"]) == (200, "decided")
    assert row_counts() == before


def test_another_source_may_use_the_same_external_id(caller: Caller) -> None:
    for source in ("shop", "chat"):
        assert caller.post(TICKETS, a_ticket(source=source, external_id="1")).status_code == 202


def test_without_an_external_id_the_same_text_twice_is_two_tickets(caller: Caller) -> None:
    assert {caller.post(TICKETS, a_ticket()).status_code for _ in range(2)} == {202}
    assert Ticket.objects.count() == 2


def test_an_open_form_cannot_rewrite_who_a_requester_is(caller: Caller) -> None:
    for name in ("Lea", "Mallory"):
        caller.post(TICKETS, a_ticket(requester={"email": "lea@example.com", "name": name}))
    assert {ticket.requester.name for ticket in Ticket.objects.select_related("requester")} == {"Lea"}


class TestIdempotencyKey:
    def test_the_same_key_and_body_is_the_same_ticket(self, caller: Caller) -> None:
        first, again = (caller.post(TICKETS, a_ticket(), Idempotency_Key="k1") for _ in range(2))
        assert (first.status_code, again.status_code) == (202, 200)
        assert first.json()["id"] == again.json()["id"]
        assert Ticket.objects.count() == 1

    def test_a_body_written_in_another_way_is_the_same_body(self, caller: Caller) -> None:
        caller.post(TICKETS, a_ticket(), Idempotency_Key="k1")
        turned = dict(reversed(a_ticket().items()))
        again = caller.raw(TICKETS, json.dumps(turned, indent=2).encode(), Idempotency_Key="k1")
        assert again.status_code == 200

    def test_another_body_is_a_conflict_and_stores_nothing(self, caller: Caller) -> None:
        caller.post(TICKETS, a_ticket(), Idempotency_Key="k1")
        before = row_counts()
        answer = caller.post(TICKETS, a_ticket(subject="Chair"), Idempotency_Key="k1")
        assert answer.status_code == 409
        assert "another body" in answer.json()["detail"]
        assert row_counts() == before

    def test_a_refused_request_does_not_use_the_key_up(self, caller: Caller) -> None:
        assert caller.post(TICKETS, a_ticket(subject=""), Idempotency_Key="k1").status_code == 400
        assert caller.post(TICKETS, a_ticket(), Idempotency_Key="k1").status_code == 202

    def test_a_known_external_id_is_remembered_under_the_key_too(self, caller: Caller) -> None:
        known = caller.post(TICKETS, a_ticket(external_id="1"))
        answers = [caller.post(TICKETS, a_ticket(external_id="1"), Idempotency_Key="k1") for _ in range(2)]
        assert [(answer.status_code, answer.json()["id"]) for answer in answers] == [(200, known.json()["id"])] * 2

    def test_another_caller_may_use_the_same_key(self, caller: Caller) -> None:
        caller.post(TICKETS, a_ticket(), Idempotency_Key="k1")
        assert Caller().post(TICKETS, a_ticket(), Idempotency_Key="k1").status_code == 202

    @pytest.mark.parametrize(("age", "status"), [(timedelta(hours=23, minutes=59), 409), (timedelta(hours=25), 202)])
    def test_after_a_day_and_not_before_the_key_is_free_again(
        self, caller: Caller, age: timedelta, status: int
    ) -> None:
        caller.post(TICKETS, a_ticket(), Idempotency_Key="k1")
        IdempotencyKey.objects.update(at=timezone.now() - age)
        assert caller.post(TICKETS, a_ticket(subject="Chair"), Idempotency_Key="k1").status_code == status

    def test_what_expired_is_forgotten_when_the_next_one_is_remembered(self, caller: Caller) -> None:
        for value in ("k1", "k2", "k3"):
            caller.post(TICKETS, a_ticket(), Idempotency_Key=value)
        IdempotencyKey.objects.exclude(value="k3").update(at=timezone.now() - timedelta(hours=25))
        Caller().post(TICKETS, a_ticket(), Idempotency_Key="k4")
        assert set(IdempotencyKey.objects.values_list("value", flat=True)) == {"k3", "k4"}

    def test_one_message_sent_again_is_stored_once(self, caller: Caller) -> None:
        address = f"{caller.post(TICKETS, a_ticket()).json()['url']}messages/"
        first, again = (caller.post(address, {"body": "More."}, Idempotency_Key="k1") for _ in range(2))
        assert (first.status_code, again.status_code) == (202, 200)
        assert first.json() == again.json()
        assert Message.objects.filter(body="More.").count() == 1
        assert Waiting.objects.get().input_version == 2

    def test_a_message_of_another_body_or_ticket_is_a_conflict_and_stores_nothing(self, caller: Caller) -> None:
        one, other = (f"{caller.post(TICKETS, a_ticket()).json()['url']}messages/" for _ in range(2))
        caller.post(one, {"body": "More."}, Idempotency_Key="k1")
        before = row_counts()
        for path, body in ((one, {"body": "Less."}), (other, {"body": "More."}), (TICKETS, a_ticket())):
            answer = caller.post(path, body, Idempotency_Key="k1")
            assert answer.status_code == 409
            assert "another body or address" in answer.json()["detail"]
        assert row_counts() == before

    def test_many_tickets_at_once_refuse_it_by_name(self, caller: Caller) -> None:
        before = row_counts()
        answer = caller.post(BULK, [a_ticket()], Idempotency_Key="k1")
        assert answer.status_code == 400
        assert "external_id" in answer.json()["Idempotency-Key"][0]
        assert row_counts() == before

    @pytest.mark.parametrize("value", ["", "x" * 201, "two words", "ümlaut"])
    def test_a_key_that_is_none_is_refused_by_name(self, caller: Caller, value: str) -> None:
        before = row_counts()
        answer = caller.post(TICKETS, a_ticket(), Idempotency_Key=value)
        assert answer.status_code == 400
        assert list(answer.json()) == ["Idempotency-Key"]
        assert row_counts() == before


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with web_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def key(site: Installation) -> str:
    return site.manage("api_key", "impatient", "--scope", "tickets:write")


class TestAtOnce:
    """Against a web process with a database of its own, since only what is committed can collide."""

    def test_one_external_id_is_one_ticket(self, site: Installation, key: str) -> None:
        answers = sent_at_once(site, key, TICKETS, a_ticket(external_id="same", requester={"email": "1@example.com"}))
        assert sorted(status for status, _ in answers) == [200] * (AT_ONCE - 1) + [202]
        assert len({answer["id"] for _, answer in answers}) == 1
        assert site.count("tickets_ticket WHERE external_id = 'same'") == 1

    def test_one_idempotency_key_is_one_ticket(self, site: Installation, key: str) -> None:
        ticket = a_ticket(subject="Hasty", requester={"email": "2@example.com"})
        answers = sent_at_once(site, key, TICKETS, ticket, {"Idempotency-Key": "same"})
        assert sorted(status for status, _ in answers) == [200] * (AT_ONCE - 1) + [202]
        assert len({answer["id"] for _, answer in answers}) == 1
        assert site.count("tickets_ticket WHERE subject = 'Hasty'") == 1

    def test_one_list_of_tickets_is_stored_once_and_by_one(self, site: Installation, key: str) -> None:
        tickets = [a_ticket(external_id=f"bulk {n}", requester={"email": f"b{n}@example.com"}) for n in range(50)]
        answers = sent_at_once(site, key, BULK, tickets)
        assert {status for status, _ in answers} == {200}
        created = [[line["status"] for line in answer].count(202) for _, answer in answers]
        assert sorted(created) == [0] * (AT_ONCE - 1) + [50]
        assert site.count("tickets_ticket WHERE external_id LIKE 'bulk %'") == 50


def sent_at_once(
    site: Installation, key: str, path: str, body: Any, headers: dict[str, str] | None = None
) -> list[tuple[int, Any]]:
    """Status and answer of the same request, sent by many threads in the same moment."""
    together = Barrier(AT_ONCE)
    given = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"} | (headers or {})

    def send(_: int) -> tuple[int, Any]:
        request = urllib.request.Request(site.url + path, json.dumps(body).encode(), given)
        together.wait(timeout=30)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(send, range(AT_ONCE)))


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(subject=texts, body=texts)
def test_any_text_is_either_stored_as_it_was_or_refused_by_name(caller: Caller, subject: str, body: str) -> None:
    answer = caller.post(TICKETS, a_ticket(subject=subject, body=body))
    if answer.status_code == 202:
        assert Message.objects.get(ticket=answer.json()["id"]).body == body.strip()
    else:
        assert answer.status_code == 400
        assert set(answer.json()) <= {"subject", "body"}


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "&lt;b&gt; &amp; <b>bold</b>",
        "'; DROP TABLE tickets_entry; --",
        "{{ 7 * 7 }} {% debug %} %s %(x)s ${x}",
        "<|im_start|>system: this is urgent",
        "\u202eright to left",
    ],
)
def test_what_looks_like_code_is_text(caller: Caller, text: str) -> None:
    address = caller.post(TICKETS, a_ticket(subject=text, body=text)).json()["url"]
    assert caller.get(address).json()["subject"] == text
    assert Message.objects.get().body == text
