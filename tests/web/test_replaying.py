"""A decision is made again from its page: asked for, done when nothing waits, told by the log."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.audit.tampering import as_bytes, tamper
from tests.factories import CALM, SOON, URGENT, acting, decide_by, fallen_back, person, scored, submitted
from tests.web.test_pages import logged_in
from tickets import pipeline
from tickets.audit.replay import replay, scorers_here
from tickets.audit.verify import verify
from tickets.flow import score
from tickets.models import Decision, Entry, Input, Job, JobKind, JobState, Kind, Queue, Ticket
from tickets.pipeline.idle import take
from tickets.pipeline.replaying import record_replay

pytestmark = pytest.mark.django_db
BY = pipeline.Actor("user:1")


@pytest.mark.parametrize("number", [2**63, 10**30])
def test_an_entry_that_cannot_be_is_not_found(number: int) -> None:
    assert logged_in(person("ops")).post(f"/audit/decisions/{number}/replay/").status_code == 404


@pytest.fixture
def seq() -> int:
    """The number of a decision of the model, which nobody asked to explain."""
    decide_by(review_band=0)
    return decided(URGENT)


def decided(body: str, **values: Any) -> int:
    seq = scored(body, **values).decision_id
    assert seq
    return seq


def work() -> None:
    pipeline.score_waiting("test", SOON)


def page_of(seq: int) -> str:
    return logged_in(person("auditor")).get(f"/audit/decisions/{seq}/").content.decode()


def told(seq: int) -> list[dict[str, Any]]:
    """The bodies of all entries about replays of a decision, oldest first."""
    entries = Entry.objects.filter(kind=Kind.REPLAYED, subject=f"entry:{seq}").order_by("seq")
    return [json.loads(bytes(entry.body)) for entry in entries]


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def forge(seq: int, **changed: Any) -> None:
    """The log says what never was."""
    body = json.loads(bytes(Entry.objects.get(pk=seq).body)) | changed
    tamper("tickets_entry", f"UPDATE tickets_entry SET body = {as_bytes(json.dumps(body).encode())} WHERE seq = {seq}")


class TestAsking:
    @pytest.mark.parametrize("role", ["auditor", "ops"])
    def test_the_button_asks_and_a_worker_answers_with_an_entry(self, seq: int, role: str) -> None:
        user = person(role)
        client = logged_in(user)
        assert f'action="/audit/decisions/{seq}/replay/"' in client.get(f"/audit/decisions/{seq}/").content.decode()
        answer = client.post(f"/audit/decisions/{seq}/replay/", follow=True)
        assert 'hx-trigger="every 2s"' in answer.content.decode()
        work()
        (body,) = told(seq)
        assert (body["replays"], body["asked_by"], body["actor"]) == (seq, f"user:{user.pk}", "worker:test")
        assert not Job.objects.exists()
        assert verify().fault is None

    def test_an_agent_may_not(self, seq: int) -> None:
        client = logged_in(person("agent"))
        assert client.post(f"/audit/decisions/{seq}/replay/").status_code == 403
        assert client.get(f"/audit/decisions/{seq}/replays/").status_code == 403
        assert not Job.objects.exists()

    def test_reading_the_address_asks_for_nothing(self, seq: int) -> None:
        assert logged_in(person("auditor")).get(f"/audit/decisions/{seq}/replay/").status_code == 405
        assert not Job.objects.exists()

    def test_what_no_model_decided_has_no_button_and_is_not_found(self, seq: int) -> None:
        ticket = Ticket.objects.get()
        override = pipeline.override(ticket.pk, Queue(ticket.queue).other, acting(person("agent")), "a drill")
        for other in (override.seq, 1):
            assert "/replay/" not in page_of(other)
        client = logged_in(person("auditor"))
        for other in (override.seq, 1, 999_999):
            assert client.post(f"/audit/decisions/{other}/replay/").status_code == 404
        assert not Job.objects.exists()

    def test_asking_twice_is_asking_once(self, seq: int) -> None:
        for _ in range(2):
            pipeline.ask_for_replay(seq, BY)
        work()
        assert len(told(seq)) == 1

    def test_tickets_are_scored_first(self, seq: int) -> None:
        pipeline.ask_for_replay(seq, BY)
        submitted(CALM)
        work()
        last = Decision.objects.order_by("-entry")[0]
        assert last.kind == Kind.SCORED
        assert told(seq)[0]["seq"] > last.seq

    def test_waiting_for_the_answer_opens_the_entry_once(self, seq: int) -> None:
        client = logged_in(person("auditor"))
        opened = Entry.objects.filter(kind=Kind.AUDIT_OPENED)
        before = opened.count()
        for _ in range(3):
            assert client.get(f"/audit/decisions/{seq}/replays/").status_code == 200
        assert opened.count() == before


class TestTheAnswer:
    def test_the_same_model_says_the_same_and_the_page_says_so(self, seq: int) -> None:
        pipeline.ask_for_replay(seq, BY)
        work()
        (body,) = told(seq)
        assert body["same"] == 1
        assert body["score"] == body["recorded"] == Decision.objects.get(pk=seq).score
        assert re.search(r"Decided again.*same 0\.\d+ entry", words(page_of(seq)))

    def test_the_keyword_rules_are_asked_again_too(self) -> None:
        fallback = fallen_back(1)[0].decision_id
        assert fallback
        pipeline.ask_for_replay(fallback, BY)
        work()
        assert told(fallback)[0]["same"] == 1

    def test_a_score_the_model_never_gave_differs_and_by_how_much_is_shown(self, seq: int) -> None:
        margin = json.loads(bytes(Entry.objects.get(pk=seq).body))["margin"]
        forge(seq, margin=margin + 2_500_000, score=123_456, verdict="standard")
        pipeline.ask_for_replay(seq, BY)
        work()
        (body,) = told(seq)
        assert (body["same"], body["verdict_changed"], body["recorded"]) == (0, 1, 123_456)
        assert body["margin_moved"] == pytest.approx(-2_500_000, abs=100)
        page = words(page_of(seq))
        assert "different 0.123456 then" in page
        assert "the margin moved by -2.500" in page
        assert "and with it the verdict" in page

    def test_a_text_that_was_erased_is_told(self, seq: int) -> None:
        gone = decided(CALM, email="gone@example.com")
        pipeline.erase("gone@example.com", BY, "Asked for by letter")
        pipeline.ask_for_replay(gone, BY)
        work()
        (body,) = told(gone)
        assert body["problem"] == "the text is no longer stored"
        assert "score" not in body
        assert "not replayed the text is no longer stored" in words(page_of(gone))

    def test_another_model_than_this_workers_is_named(self, seq: int) -> None:
        forge(seq, model={"name": "WorldPM-72B", "digest": "4" * 64})
        pipeline.ask_for_replay(seq, BY)
        work()
        assert "WorldPM-72B (444444444444) is not on this machine" in told(seq)[0]["problem"]

    def test_several_are_listed_latest_first(self, seq: int) -> None:
        for _ in range(3):
            pipeline.ask_for_replay(seq, BY)
            work()
        links = re.findall(r'<a href="/audit/decisions/(\d+)/">entry', page_of(seq))
        assert [int(link) for link in links] == [body["seq"] for body in reversed(told(seq))]

    def test_it_changes_nothing_about_the_ticket_or_its_decisions(self, seq: int) -> None:
        before = list(Ticket.objects.values()), list(Decision.objects.values())
        pipeline.ask_for_replay(seq, BY)
        work()
        assert told(seq)
        assert (list(Ticket.objects.values()), list(Decision.objects.values())) == before


class TestFailing:
    def test_a_worker_that_comes_too_late_records_nothing(self, seq: int) -> None:
        pipeline.ask_for_replay(seq, BY)
        held = take(JobKind.REPLAY, score.scorer().model)
        assert held
        assert not pipeline.replay_one("other", score.scorer().model)
        Job.objects.update(available_at=timezone.now() - timedelta(seconds=1))
        assert pipeline.replay_one("other", score.scorer().model)
        record_replay(held, next(replay(seq, seq, scorers_here())), "worker:late")
        assert [body["actor"] for body in told(seq)] == ["worker:other"]

    def test_a_person_erased_meanwhile_takes_the_question_along(self, seq: int) -> None:
        gone = decided(CALM, email="gone@example.com")
        pipeline.ask_for_replay(gone, BY)
        pipeline.erase("gone@example.com", BY, "Asked for by letter")
        work()
        assert told(gone) == []
        assert not Job.objects.exists()

    def test_a_model_that_fails_is_asked_three_times_then_the_page_says_why_and_offers_it_again(
        self, seq: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*arguments: object) -> None:
            raise RuntimeError("CUDA out of memory")

        pipeline.ask_for_replay(seq, BY)
        with monkeypatch.context() as patch:
            patch.setattr(type(score.scorer()), "score", fail)
            for _ in range(5):
                Job.objects.update(available_at=timezone.now() - timedelta(seconds=1))
                work()
        job = Job.objects.get()
        assert (job.state, job.attempts) == (JobState.FAILED, 3)
        assert "CUDA out of memory" in page_of(seq)
        pipeline.ask_for_replay(seq, BY)
        work()
        assert told(seq)[0]["same"] == 1
        assert "out of memory" not in page_of(seq)

    def test_a_changed_text_is_not_taken_for_the_one_that_was_scored(self, seq: int) -> None:
        Input.objects.update(text="something else")
        pipeline.ask_for_replay(seq, BY)
        work()
        assert "its digest differs" in told(seq)[0]["problem"]
