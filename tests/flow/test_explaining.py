"""Which sentences moved a score: always for what is to be checked, for the rest when somebody asks."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.factories import CALM, SOON, URGENT, acting, decide_by, fallen_back, person, scored, submitted
from tickets import pipeline
from tickets.audit.explain import explain
from tickets.audit.verify import verify
from tickets.flow import explaining, score
from tickets.flow.review import ReviewRefused
from tickets.models import Decision, Entry, Input, Job, JobKind, JobState, Kind, Label, Queue, Ticket, Waiting
from tickets.pipeline.explaining import record_explanation
from tickets.pipeline.idle import take

pytestmark = pytest.mark.django_db
TEXT = "I hope you are well. No customer can pay since nine o'clock, all cards fail. Kind regards, Ann"
WHOLE_BAND = {"review_band": 1_000_000}
NO_BAND = {"review_band": 0}


def told(ticket: Ticket) -> list[dict[str, Any]]:
    """The bodies of all explanations of a ticket, oldest first."""
    entries = Entry.objects.filter(kind=Kind.EXPLAINED, subject=f"ticket:{ticket.pk}").order_by("seq")
    return [json.loads(bytes(entry.body)) for entry in entries]


def work() -> None:
    pipeline.score_waiting("test", SOON)


class TestWhen:
    def test_a_score_in_the_review_band_is_explained_without_asking(self) -> None:
        decide_by(**WHOLE_BAND)
        ticket = scored(TEXT)
        (body,) = told(ticket)
        assert (body["explains"], body["asked_by"]) == (ticket.decision_id, "system")
        assert not Job.objects.exists()

    def test_a_score_outside_it_is_explained_when_somebody_asks(self) -> None:
        decide_by(**NO_BAND)
        ticket, agent = scored(TEXT), acting(person("agent"))
        assert told(ticket) == []
        pipeline.ask_for_explanation(ticket.pk, agent)
        work()
        (body,) = told(ticket)
        assert (body["explains"], body["asked_by"]) == (ticket.decision_id, agent.name)

    def test_asking_twice_is_asking_once(self) -> None:
        decide_by(**NO_BAND)
        ticket = scored(TEXT)
        for _ in range(2):
            pipeline.ask_for_explanation(ticket.pk, acting(person("agent")))
        work()
        assert len(told(ticket)) == 1

    def test_tickets_are_scored_before_anything_is_explained(self) -> None:
        decide_by(**WHOLE_BAND)
        tickets = [submitted(CALM) for _ in range(3)]
        work()
        scored_at = max(Decision.objects.filter(kind=Kind.SCORED).values_list("entry", flat=True))
        assert min(body["seq"] for ticket in tickets for body in told(ticket)) > scored_at

    def test_what_the_keyword_rules_decided_is_not_asked_of_the_model(self) -> None:
        decide_by(**WHOLE_BAND)
        (ticket,) = fallen_back(1)
        assert not Job.objects.exists()
        with pytest.raises(ReviewRefused, match="keyword rules"):
            pipeline.ask_for_explanation(ticket.pk, acting(person("agent")))

    def test_a_ticket_without_a_score_has_nothing_to_explain(self) -> None:
        with pytest.raises(ReviewRefused, match="no score yet"):
            pipeline.ask_for_explanation(submitted(TEXT).pk, acting(person("agent")))


class TestWhat:
    def test_the_sentence_with_the_harm_comes_first_and_the_marks_are_sentences_of_the_text(self) -> None:
        decide_by(**WHOLE_BAND)
        explanation = explain(scored(TEXT, subject="A question"))
        assert explanation
        assert explanation.sentences[0].text == "No customer can pay since nine o'clock, all cards fail."
        assert explanation.sentences[0].weight > 0
        assert {mark.text for mark in explanation.sentences} >= {"I hope you are well.", "A question"}

    def test_an_explanation_decides_nothing(self) -> None:
        decide_by(**WHOLE_BAND)
        ticket = scored(URGENT)
        before = (ticket.queue, ticket.decided_by, ticket.needs_check, ticket.decision_id)
        assert told(ticket)
        after = Ticket.objects.get(pk=ticket.pk)
        assert (after.queue, after.decided_by, after.needs_check, after.decision_id) == before

    def test_a_word_of_a_person_is_taken_back_as_if_nothing_had_been_explained(self) -> None:
        decide_by(**NO_BAND)
        ticket, agent = scored(URGENT), acting(person("agent"))
        pipeline.override(ticket.pk, Queue.STANDARD, agent, "a drill")
        pipeline.ask_for_explanation(ticket.pk, agent)
        work()
        pipeline.undo(ticket.pk, agent)
        assert Ticket.objects.get(pk=ticket.pk).queue == Queue.URGENT
        assert Label.objects.filter(revoked_at=None).count() == 0

    def test_the_log_with_explanations_verifies(self) -> None:
        decide_by(**WHOLE_BAND)
        assert told(scored(TEXT))
        assert verify().fault is None

    def test_a_newer_score_is_not_explained_by_an_older_explanation(self) -> None:
        decide_by(**WHOLE_BAND)
        ticket = scored(TEXT)
        pipeline.add_message(ticket.pk, "It works again, thank you.")
        Waiting.objects.update(available_at=timezone.now() - timedelta(seconds=1))
        work()
        first, second = told(ticket)
        assert first["explains"] < second["explains"]
        explanation = explain(Ticket.objects.get(pk=ticket.pk))
        assert explanation
        assert "It works again, thank you." in {mark.text for mark in explanation.sentences}


class TestFailing:
    @pytest.fixture
    def asked(self) -> Ticket:
        decide_by(**NO_BAND)
        ticket = scored(TEXT)
        pipeline.ask_for_explanation(ticket.pk, acting(person("agent")))
        return ticket

    def test_where_the_text_is_gone_the_job_says_so_and_ends(self, asked: Ticket) -> None:
        Input.objects.filter(ticket=asked).delete()
        work()
        job = Job.objects.get()
        assert (job.state, job.problem) == (JobState.FAILED, "The text is no longer stored.")

    def test_a_worker_that_died_with_it_loses_nothing(self, asked: Ticket) -> None:
        model = score.scorer().model
        held = take(JobKind.EXPLAIN, score.scorer().model)
        assert held
        assert not pipeline.explain_one("other", model)
        Job.objects.update(available_at=timezone.now() - timedelta(seconds=1))
        assert pipeline.explain_one("other", model)
        assert len(told(asked)) == 1
        late = explaining.read(*held, model)
        record_explanation(late, (), 0, "worker:late")
        assert len(told(asked)) == 1

    def test_a_model_that_fails_is_asked_three_times(self, asked: Ticket, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*arguments: object) -> None:
            raise RuntimeError("CUDA out of memory")

        monkeypatch.setattr(explaining, "explain", fail)
        for _ in range(5):
            Job.objects.update(available_at=timezone.now() - timedelta(seconds=1))
            work()
        job = Job.objects.get()
        assert (job.state, job.attempts) == (JobState.FAILED, 3)
        assert "out of memory" in job.problem
