"""What a program sees of a ticket, and what it may say about it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.client import TICKETS, Caller, a_ticket, named, row_counts
from tests.factories import CALM, SOON, fallen_back, scored, submitted
from tickets import pipeline
from tickets.models import Decision, Entry, Input, Label, Message, Queue, Scope, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller() -> Caller:
    return Caller()


def say(caller: Caller, ticket: Ticket, verb: str, **words: str) -> Any:
    return caller.post(f"{TICKETS}{ticket.pk}/{verb}/", words)


def shown(caller: Caller, ticket: Ticket) -> dict[str, Any]:
    answer = caller.get(f"{TICKETS}{ticket.pk}/")
    assert answer.status_code == 200
    return dict(answer.json())


def other_queue(ticket: Ticket) -> str:
    return Queue(ticket.queue).other.value


def test_a_ticket_that_waits_says_so(caller: Caller) -> None:
    ticket = caller.post(TICKETS, a_ticket(source="shop", external_id="7")).json()
    told = caller.get(ticket["url"]).json()
    assert (told["state"], told["queue"], told["decision"]) == ("waiting", None, None)
    assert (told["id"], told["url"], told["subject"]) == (ticket["id"], ticket["url"], "Lamp")
    assert (told["source"], told["external_id"], told["input_version"]) == ("shop", "7", 1)


def test_a_decided_ticket_says_why(caller: Caller) -> None:
    ticket = scored()
    told = shown(caller, ticket)
    decision, row = told["decision"], Decision.objects.get(ticket_id=ticket.pk)
    assert (told["state"], told["queue"], told["decided_by"]) == ("decided", ticket.queue, "model")
    assert (decision["score"], decision["threshold"]) == (row.score / 1e6, 0.7)
    assert (decision["score"] > decision["threshold"]) == (told["queue"] == "urgent")
    assert decision["confidence"] == row.confidence / 1e6
    assert (decision["policy"], decision["model"]) == (1, row.model_name)
    assert (decision["seq"], decision["kind"], decision["actor"]) == (row.pk, "scored", "worker:test")
    assert f"{decision['score']:g}" in decision["reason"]
    text = ticket.inputs.get().text
    for mark in decision["evidence"]:
        assert text[mark["start"] : mark["end"]] == mark["text"]


def test_the_evidence_of_a_fallback_are_words_of_the_ticket(caller: Caller) -> None:
    ticket = fallen_back(1)[0]
    marks = shown(caller, ticket)["decision"]["evidence"]
    text = Input.objects.get(ticket=ticket).text
    assert marks
    assert all(text[mark["start"] : mark["end"]] == mark["text"] != "" for mark in marks)
    assert any(mark["weight"] > 0 for mark in marks)


def test_a_fallback_says_that_the_keyword_rules_decided(caller: Caller) -> None:
    told = shown(caller, fallen_back(1)[0])
    assert (told["decision"]["kind"], told["decided_by"], told["needs_check"]) == ("fallback", "fallback", True)
    assert "keyword rules" in told["decision"]["reason"]


def test_a_new_message_makes_a_new_version_which_is_scored_again(caller: Caller) -> None:
    ticket = scored()
    answer = say(caller, ticket, "messages", body="And now it burns.")
    assert (answer.status_code, answer.json()["input_version"]) == (202, 2)
    assert Input.objects.get(ticket=ticket, version=2).text.endswith("And now it burns.")
    pipeline.score_waiting("test", SOON)
    decision = shown(caller, ticket)["decision"]
    assert (decision["kind"], decision["input_version"]) == ("rescored", 2)


def test_a_key_that_may_not_read_is_told_no_more_than_that_it_was_done() -> None:
    ticket = scored()
    writer, decider = Caller(Scope.TICKETS_WRITE), Caller(Scope.TICKETS_DECIDE)
    answers = [
        say(writer, ticket, "messages", body="And now it burns."),
        say(decider, ticket, "override", queue=other_queue(ticket), reason="A person knows better"),
        say(decider, ticket, "confirm"),
        say(decider, ticket, "explain"),
        say(decider, ticket, "undo"),
    ]
    assert [answer.status_code for answer in answers] == [202, 200, 200, 202, 200]
    for answer in answers:
        assert answer.json() == {"id": ticket.pk, "url": f"{TICKETS}{ticket.pk}/", "state": "decided"}


def test_an_override_moves_the_ticket_and_no_model_moves_it_back(caller: Caller) -> None:
    """Under a threshold of zero the model finds everything urgent, whatever it is made of."""
    caller.post("/api/v1/policies/", {"threshold": "0", "reason": "All of it"})
    caller.post("/api/v1/policies/2/activate/", {"reason": "Now"})
    ticket = scored()
    moved = say(caller, ticket, "override", queue="standard", reason="A person knows better").json()
    assert (ticket.queue, moved["queue"], moved["decided_by"]) == ("urgent", "standard", "person")
    assert (moved["decision"]["kind"], moved["decision"]["reason"]) == ("override", "A person knows better")
    say(caller, ticket, "messages", body="More.")
    pipeline.score_waiting("test", SOON)
    told = shown(caller, ticket)
    assert (told["queue"], told["decided_by"], told["decision"]["kind"]) == ("standard", "person", "rescored")
    assert Decision.objects.get(pk=told["decision"]["seq"]).verdict == "urgent"
    assert "A person had decided" in told["decision"]["reason"]


def test_after_an_override_the_model_s_score_is_still_shown(caller: Caller) -> None:
    ticket = scored()
    before = shown(caller, ticket)["decision"]
    after = say(caller, ticket, "override", queue=other_queue(ticket), reason="No").json()["decision"]
    for name in ("score", "threshold", "confidence", "model", "calibration", "evidence"):
        assert after[name] == before[name]


def test_a_confirmation_ends_please_check_and_needs_no_reason(caller: Caller) -> None:
    ticket = fallen_back(1)[0]
    told = say(caller, ticket, "confirm").json()
    assert (told["queue"], told["needs_check"], told["decided_by"]) == (ticket.queue, False, "person")
    assert (told["decision"]["kind"], told["decision"]["reason"]) == ("confirmed", "A person confirmed the queue.")


def test_a_ticket_that_waits_can_be_given_a_queue_by_a_person(caller: Caller) -> None:
    ticket = submitted()
    told = say(caller, ticket, "override", queue="urgent", reason="I saw the smoke").json()
    assert (told["state"], told["queue"], told["decided_by"]) == ("decided", "urgent", "person")
    assert (told["decision"]["score"], told["decision"]["model"]) == (None, "")


def test_words_are_taken_back_one_by_one_in_reverse(caller: Caller) -> None:
    ticket = fallen_back(1)[0]
    first, other = ticket.queue, other_queue(ticket)
    say(caller, ticket, "override", queue=other, reason="One")
    say(caller, ticket, "override", queue=first, reason="Two")
    say(caller, ticket, "confirm", reason="Three")
    told = [say(caller, ticket, "undo").json() for _ in range(3)]
    assert [(step["queue"], step["decided_by"]) for step in told] == [
        (first, "person"),
        (other, "person"),
        (first, "fallback"),
    ]
    assert told[-1]["needs_check"] is True
    assert not Label.objects.filter(ticket=ticket, revoked_at=None).exists()
    assert say(caller, ticket, "undo").status_code == 409


def test_undo_needs_no_body(caller: Caller) -> None:
    ticket = scored()
    say(caller, ticket, "confirm")
    answer = caller.raw(f"{TICKETS}{ticket.pk}/undo/", b"", content_type="")
    assert (answer.status_code, answer.json()["decided_by"]) == (200, "model")


@pytest.mark.parametrize(
    ("verb", "words"), [("override", {"queue": "urgent", "reason": "x"}), ("confirm", {}), ("undo", {})]
)
def test_a_word_is_not_remembered_by_an_idempotency_key_and_says_so(
    caller: Caller, verb: str, words: dict[str, str]
) -> None:
    ticket = scored(CALM)
    say(caller, ticket, "confirm")
    before = Entry.objects.count()
    answer = caller.post(f"{TICKETS}{ticket.pk}/{verb}/", words, Idempotency_Key="once")
    assert (answer.status_code, named(answer.json())) == (400, {"Idempotency-Key"})
    assert Entry.objects.count() == before


@pytest.mark.parametrize("body", [b"{junk", b"[]", b'{"seen": 1}'])
def test_undo_with_a_body_that_means_nothing_is_refused(caller: Caller, body: bytes) -> None:
    ticket = scored()
    say(caller, ticket, "confirm")
    assert caller.raw(f"{TICKETS}{ticket.pk}/undo/", body).status_code == 400
    assert Ticket.objects.get(pk=ticket.pk).decided_by == "person"


class TestConflict:
    """What makes no sense for a ticket as it is now: told why, and nothing is stored."""

    def is_refused(self, caller: Caller, ticket: Ticket, verb: str, why: str, **words: str) -> None:
        before, was = row_counts(), Ticket.objects.filter(pk=ticket.pk).values().get()
        answer = say(caller, ticket, verb, **words)
        assert answer.status_code == 409
        assert why in answer.json()["detail"]
        assert row_counts() == before
        assert Ticket.objects.filter(pk=ticket.pk).values().get() == was

    def test_moving_a_ticket_to_where_it_is(self, caller: Caller) -> None:
        ticket = fallen_back(1)[0]
        self.is_refused(caller, ticket, "override", "already", queue=ticket.queue, reason="Again")

    def test_confirming_what_is_not_decided(self, caller: Caller) -> None:
        self.is_refused(caller, submitted(), "confirm", "no decision yet")

    def test_undoing_what_no_person_did(self, caller: Caller) -> None:
        self.is_refused(caller, fallen_back(1)[0], "undo", "nothing to undo")
        self.is_refused(caller, submitted(), "undo", "nothing to undo")

    def test_one_message_more_than_a_ticket_holds(self, caller: Caller) -> None:
        ticket = scored()
        said = [Message(ticket=ticket, author="requester", body="More.", at=ticket.received_at) for _ in range(998)]
        Message.objects.bulk_create(said)
        assert say(caller, ticket, "messages", body="The last one.").status_code == 202
        self.is_refused(caller, ticket, "messages", "1,000 messages", body="One more.")
        self.is_refused(caller, ticket, "messages", "open a new ticket", body="One more.")

    def test_more_text_than_a_ticket_holds(self, caller: Caller) -> None:
        ticket = submitted("b" * 65_536)
        for _ in range(14):
            assert say(caller, ticket, "messages", body="b" * 65_536).status_code == 202
        self.is_refused(caller, ticket, "messages", "1,048,576 characters", body="b" * 65_536)
        assert say(caller, ticket, "messages", body="b" * 60_000).status_code == 202

    def test_undoing_the_only_decision_there_is(self, caller: Caller) -> None:
        ticket = submitted()
        say(caller, ticket, "override", queue="urgent", reason="I saw the smoke")
        self.is_refused(caller, ticket, "undo", "no automatic decision")


def test_the_key_is_the_actor_of_each_word(caller: Caller) -> None:
    ticket = scored()
    say(caller, ticket, "override", queue=other_queue(ticket), reason="No")
    say(caller, ticket, "confirm")
    say(caller, ticket, "undo")
    entries = Entry.objects.filter(subject=f"ticket:{ticket.pk}").exclude(kind="scored").order_by("seq")
    assert [entry.kind for entry in entries] == ["override", "confirmed", "undone"]
    assert {entry.actor for entry in entries} == {f"key:{caller.key.pk}"}


def test_a_reason_stays_out_of_the_log_which_holds_its_digest(caller: Caller) -> None:
    ticket = scored()
    say(caller, ticket, "override", queue=other_queue(ticket), reason="Lea is a friend")
    body = bytes(Entry.objects.latest("seq").body)
    assert b"Lea" not in body
    assert b"reason_digest" in body


def test_a_ticket_costs_as_many_queries_with_a_long_story_as_with_a_short_one(caller: Caller) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            shown(caller, ticket)
        return len(captured)

    ticket = scored()
    say(caller, ticket, "override", queue=other_queue(ticket), reason="No")
    few = queries()
    for _ in range(5):
        say(caller, ticket, "messages", body="More.")
        say(caller, ticket, "override", queue=ticket.queue, reason="Yes")
        say(caller, ticket, "override", queue=other_queue(ticket), reason="No")
    assert queries() == few
