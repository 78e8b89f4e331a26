"""One ticket in, once, whatever the network does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.client import TICKETS, Caller, a_ticket
from tickets.models import IdempotencyKey, Message, Ticket, Waiting

pytestmark = pytest.mark.django_db


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
    assert (ticket.source, ticket.external_id) == ("shop", "A 1")
    assert ticket.received_at == datetime(2026, 1, 2, 1, 4, 5, 678901, tzinfo=UTC)
    assert (ticket.requester.email, ticket.requester.name) == ("lea@example.com", "Lea Ångström")
    assert ticket.messages.get().body == "Where is my lamp?"


def test_the_same_external_id_again_is_the_same_ticket_and_no_edit(caller: Caller) -> None:
    first = caller.post(TICKETS, a_ticket(source="shop", external_id="1"))
    again = caller.post(TICKETS, a_ticket(source="shop", external_id="1", subject="Other", body="Other"))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    assert (Ticket.objects.get().subject, Message.objects.get().body) == ("Lamp", "Where is my lamp?")


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

    def test_another_body_is_a_conflict_and_stores_nothing(self, caller: Caller) -> None:
        caller.post(TICKETS, a_ticket(), Idempotency_Key="k1")
        answer = caller.post(TICKETS, a_ticket(subject="Chair"), Idempotency_Key="k1")
        assert answer.status_code == 409
        assert "another body" in answer.json()["detail"]
        assert Ticket.objects.count() == 1

    def test_another_caller_may_use_the_same_key(self, caller: Caller) -> None:
        caller.post(TICKETS, a_ticket(), Idempotency_Key="k1")
        assert Caller().post(TICKETS, a_ticket(), Idempotency_Key="k1").status_code == 202

    def test_after_a_day_the_key_is_free_again(self, caller: Caller) -> None:
        caller.post(TICKETS, a_ticket(), Idempotency_Key="k1")
        long_ago = datetime.now(UTC) - timedelta(hours=24, seconds=1)
        IdempotencyKey.objects.update(at=long_ago)
        assert caller.post(TICKETS, a_ticket(subject="Chair"), Idempotency_Key="k1").status_code == 202

    @pytest.mark.parametrize("value", ["", "x" * 201, "two words", "ümlaut"])
    def test_a_key_that_is_none_is_refused_by_name(self, caller: Caller, value: str) -> None:
        answer = caller.post(TICKETS, a_ticket(), Idempotency_Key=value)
        assert answer.status_code == 400
        assert list(answer.json()) == ["Idempotency-Key"]
        assert not Ticket.objects.exists()


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


def test_what_looks_like_code_is_text(caller: Caller) -> None:
    hostile: dict[str, Any] = a_ticket(subject="<script>alert(1)</script>", body="'; DROP TABLE tickets_entry; --")
    ticket = caller.post(TICKETS, hostile).json()["id"]
    assert Ticket.objects.get(pk=ticket).subject == "<script>alert(1)</script>"
