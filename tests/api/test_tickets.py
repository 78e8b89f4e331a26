"""What a program sees of a ticket, and what it may say about it."""

from __future__ import annotations

import pytest

from tests.api.client import TICKETS, Caller, a_ticket
from tests.factories import SOON, fallen_back, scored
from tickets import pipeline
from tickets.models import Decision, Entry, Queue, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller() -> Caller:
    return Caller()


def test_a_ticket_that_waits_says_so(caller: Caller) -> None:
    ticket = caller.post(TICKETS, a_ticket()).json()
    shown = caller.get(ticket["url"]).json()
    assert (shown["state"], shown["queue"], shown["decision"]) == ("waiting", None, None)


def test_a_decided_ticket_says_why(caller: Caller) -> None:
    ticket = scored()
    shown = caller.get(f"{TICKETS}{ticket.pk}/").json()
    decision, row = shown["decision"], Decision.objects.get(ticket_id=ticket.pk)
    assert (shown["state"], shown["queue"]) == ("decided", ticket.queue)
    assert (decision["score"], decision["threshold"]) == (row.score / 1e6, 0.7)
    assert (decision["score"] > decision["threshold"]) == (shown["queue"] == "urgent")
    assert decision["policy"] == 1
    assert decision["model"] == row.model_name
    assert f"{decision['score']:g}" in decision["reason"]
    text = ticket.inputs.get().text
    for mark in decision["evidence"]:
        assert text[mark["start"] : mark["end"]] == mark["text"]


def test_a_fallback_says_that_the_keyword_rules_decided(caller: Caller) -> None:
    shown = caller.get(f"{TICKETS}{fallen_back(1)[0].pk}/").json()
    assert shown["decision"]["kind"] == "fallback"
    assert shown["needs_check"] is True
    assert "keyword rules" in shown["decision"]["reason"]


def test_a_new_message_makes_a_new_version_which_is_scored_again(caller: Caller) -> None:
    ticket = scored()
    answer = caller.post(f"{TICKETS}{ticket.pk}/messages/", {"body": "And now it burns."})
    assert (answer.status_code, answer.json()["input_version"]) == (202, 2)
    pipeline.score_waiting("test", SOON)
    decision = caller.get(f"{TICKETS}{ticket.pk}/").json()["decision"]
    assert (decision["kind"], decision["input_version"]) == ("rescored", 2)


def test_an_override_moves_the_ticket_and_no_model_moves_it_back(caller: Caller) -> None:
    ticket = scored()
    other = Queue(ticket.queue).other
    wish = {"queue": other.value, "reason": "A person knows better"}
    moved = caller.post(f"{TICKETS}{ticket.pk}/override/", wish).json()
    assert (moved["queue"], moved["decided_by"], moved["decision"]["reason"]) == (other, "person", wish["reason"])
    caller.post(f"{TICKETS}{ticket.pk}/messages/", {"body": "More."})
    pipeline.score_waiting("test", SOON)
    shown = caller.get(f"{TICKETS}{ticket.pk}/").json()
    assert (shown["queue"], shown["decision"]["kind"]) == (other, "rescored")


def test_the_key_is_the_actor(caller: Caller) -> None:
    ticket = scored()
    caller.post(f"{TICKETS}{ticket.pk}/confirm/", {})
    assert Entry.objects.latest("seq").actor.startswith("key:")


def test_undo_takes_back_the_last_word(caller: Caller) -> None:
    ticket = scored()
    wish = {"queue": Queue(ticket.queue).other.value, "reason": "A slip of the hand"}
    caller.post(f"{TICKETS}{ticket.pk}/override/", wish)
    assert caller.post(f"{TICKETS}{ticket.pk}/undo/").json()["queue"] == ticket.queue
    assert Ticket.objects.get(pk=ticket.pk).decided_by == "model"


def test_what_makes_no_sense_is_a_conflict_that_says_why(caller: Caller) -> None:
    waiting, decided = caller.post(TICKETS, a_ticket()).json()["id"], fallen_back(1)[0]
    same = {"queue": decided.queue, "reason": "It is there already"}
    for path, body in (
        (f"{TICKETS}{decided.pk}/override/", same),
        (f"{TICKETS}{decided.pk}/undo/", {}),
    ):
        answer = caller.post(path, body)
        assert answer.status_code == 409
        assert answer.json()["detail"]
    assert Ticket.objects.get(pk=waiting).queue != ""
