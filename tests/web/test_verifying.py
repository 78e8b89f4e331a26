"""Verifying from the page: asked for, watched, cancelled, and its result read from the log."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone
from elasticsearch import Elasticsearch

from tests.audit.tampering import as_bytes, tamper
from tests.factories import acting, fallen_back, person
from tests.installation import empty_elasticsearch
from tests.web.test_pages import logged_in, queries
from tickets import pipeline
from tickets.audit import publish, ship
from tickets.audit.elasticsearch import install
from tickets.audit.verifying import Range
from tickets.models import Entry, Job, JobState, Kind, LogHead, User
from tickets.pipeline import Actor
from tickets.web.verifications import progress_of

pytestmark = pytest.mark.django_db
PAGE = "/audit/verify/"


@pytest.fixture
def auditor() -> User:
    return person("auditor")


@pytest.fixture
def client(auditor: User) -> Client:
    return logged_in(auditor)


@pytest.fixture
def copy(real_servers: None) -> Iterator[Elasticsearch]:
    """An empty copy behind its alias, and a page that offers to compare it."""
    reader = os.environ["ELASTICSEARCH_READER_URL"]
    with Elasticsearch(os.environ["ELASTICSEARCH_ADMIN_URL"]) as admin:
        install(admin, os.environ["ELASTICSEARCH_URL"], reader)
        empty_elasticsearch()
        admin.delete_by_query(index=publish.INDEX, query={"match_all": {}}, refresh=True)
        with override_settings(ELASTICSEARCH_READER_URL=reader):
            yield admin
        empty_elasticsearch()


def text(answer: Any) -> str:
    """What a reader reads, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", answer.content.decode())).split())


def asked(by: str = "user:1", **wanted: Any) -> Job:
    return pipeline.ask_for_verification(Range(**wanted), Actor(by))[0]


def run(job: Job, progress: int = 0, total: int = 0) -> None:
    """A worker has it, and is that far."""
    Job.objects.filter(pk=job.pk).update(
        claim=1, available_at=timezone.now() + timedelta(minutes=1), progress=progress, total=total
    )


def head() -> int:
    return LogHead.objects.get().seq


class TestAsking:
    def test_the_button_makes_a_job_that_a_worker_does_and_the_page_shows_what_came_of_it(self, client: Client) -> None:
        fallen_back(2)
        end = head()
        assert client.post(PAGE)["Location"] == PAGE
        assert "The whole log" in text(client.get(PAGE))
        assert pipeline.run_job("h")
        page = text(client.get(PAGE))
        assert f"1 to {end}" in page
        assert f"right {end} entries not compared" in page
        assert page.count("The whole log") == 0

    def test_a_part_is_asked_for_by_its_numbers(self, client: Client) -> None:
        client.post(PAGE, {"first": "2", "last": "3"})
        assert Job.objects.get().subject == "log:2:3"
        assert "Entries 2 to 3" in text(client.get(PAGE))

    def test_asking_for_what_is_open_shows_the_open_one(self, client: Client) -> None:
        asked()
        page = client.post(PAGE, follow=True)
        assert "That is being verified already" in text(page)
        assert len(page.context["lines"]) == 1

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"first": "0"}, "first"),
            ({"first": "x"}, "first"),
            ({"first": str(10**30)}, "first"),
            ({"last": "100000"}, "last"),
            ({"first": "3", "last": "2"}, "last"),
        ],
    )
    def test_a_range_that_is_none_is_refused_and_the_field_named(
        self, client: Client, values: dict[str, str], field: str
    ) -> None:
        answer = client.post(PAGE, values)
        assert answer.status_code == 400
        assert list(answer.context["form"].errors) == [field]
        assert not Job.objects.exists()

    def test_too_many_at_once_are_refused_in_words(self, client: Client) -> None:
        fallen_back(22)
        for last in range(1, 21):
            asked(last=last)
        answer = client.post(PAGE)
        assert answer.status_code == 409
        assert "cancel one" in text(answer)

    def test_without_a_copy_none_is_offered(self, client: Client) -> None:
        assert "Compare the Elasticsearch copy" not in text(client.get(PAGE))
        client.post(PAGE, {"copy": "on"})
        assert Job.objects.get().subject == "log:1:end"

    @pytest.mark.parametrize(("role", "status"), [("agent", 403), ("ops", 302), ("auditor", 302)])
    def test_auditors_and_ops_may_ask(self, role: str, status: int) -> None:
        assert logged_in(person(role)).post(PAGE).status_code == status


class TestWatching:
    def test_the_bar_and_the_rest_follow_the_worker(self, client: Client) -> None:
        job = asked()
        Job.objects.update(created_at=timezone.now() - timedelta(seconds=100))
        run(job, progress=2_000, total=8_000)
        page = client.get(f"{PAGE}{job.pk}/", headers={"HX-Request": "true"})
        assert 'value="2000"' in page.content.decode()
        assert 'max="8000"' in page.content.decode()
        assert "25 %: 2,000 of 8,000 entries, about 5 min left" in text(page)

    def test_the_rest_is_reckoned_from_when_the_one_before_was_done(self) -> None:
        asked(last=1)
        pipeline.run_job("h")
        job = asked()
        Job.objects.update(created_at=timezone.now() - timedelta(days=1))
        run(job, progress=1, total=2)
        job.refresh_from_db()
        rest = progress_of(job).rest
        assert rest is not None
        assert rest < timedelta(hours=1)

    def test_one_that_no_worker_has_waits(self, client: Client) -> None:
        job = asked()
        page = client.get(f"{PAGE}{job.pk}/", headers={"HX-Request": "true"})
        assert "Waits for a worker" in text(page)

    def test_when_it_has_ended_everything_beside_it_is_shown_anew_with_a_word_to_those_who_listen(
        self, client: Client
    ) -> None:
        job = asked()
        pipeline.run_job("h")
        page = client.get(f"{PAGE}{job.pk}/", headers={"HX-Request": "true"})
        assert (page["HX-Retarget"], page["HX-Reswap"]) == ("#verifying", "outerHTML")
        assert 'id="news"' in page.content.decode()
        assert "all right" in text(page)

    def test_without_javascript_its_address_is_the_page(self, client: Client) -> None:
        assert client.get(f"{PAGE}{asked().pk}/")["Location"] == PAGE

    def test_a_failed_one_says_why_until_it_is_dismissed(self, client: Client, auditor: User) -> None:
        job = asked(acting(auditor).name)
        Job.objects.update(state=JobState.FAILED, problem="<b>no disk</b>", finished_at=timezone.now())
        page = client.get(PAGE)
        assert "could not be verified" in text(page)
        assert "&lt;b&gt;no disk&lt;/b&gt;" in page.content.decode()
        client.post(f"{PAGE}{job.pk}/cancel/")
        assert "could not be verified" not in text(client.get(PAGE))

    def test_the_page_needs_as_many_queries_for_many_as_for_few(self, client: Client, auditor: User) -> None:
        fallen_back(12)
        tamper("tickets_entry", f"UPDATE tickets_entry SET prev_hash = '{'f' * 64}' WHERE seq = 9")
        name = acting(auditor).name

        def some_of_each(first: int, number: int) -> None:
            for last in range(first, first + number):
                asked(name, last=last)
                pipeline.run_job("h")
            for last in range(first, first + number):
                asked(name, first=2, last=last)
            Job.objects.filter(
                pk__in=[asked(name, first=3, last=last).pk for last in range(first, first + number)]
            ).update(state=JobState.FAILED, finished_at=timezone.now())

        some_of_each(9, 1)
        client.get(PAGE)
        few = queries(client, PAGE)
        some_of_each(10, 4)
        assert queries(client, PAGE) == few


class TestCancelling:
    def test_who_asked_may_cancel(self) -> None:
        ops = person("ops")
        job = asked(acting(ops).name)
        assert logged_in(ops).post(f"{PAGE}{job.pk}/cancel/")["Location"] == PAGE
        assert not Job.objects.exists()

    def test_an_auditor_may_cancel_what_another_asked_for_and_ops_may_not(self, client: Client) -> None:
        job = asked("user:0")
        ops = logged_in(person("ops"))
        assert "Cancel" not in text(ops.get(PAGE))
        assert ops.post(f"{PAGE}{job.pk}/cancel/").status_code == 403
        assert Job.objects.exists()
        client.post(f"{PAGE}{job.pk}/cancel/")
        assert not Job.objects.exists()

    def test_cancelling_what_has_ended_is_told_and_harms_nothing(self, client: Client) -> None:
        job = asked()
        pipeline.run_job("h")
        assert "It had ended already." in text(client.post(f"{PAGE}{job.pk}/cancel/", follow=True))

    def test_other_jobs_are_not_cancelled_here(self, client: Client) -> None:
        now = timezone.now()
        job = Job.objects.create(kind="explain", subject="decision:1", actor="system", created_at=now, available_at=now)
        client.post(f"{PAGE}{job.pk}/cancel/")
        assert Job.objects.filter(pk=job.pk).exists()


class TestResults:
    def verified(self, client: Client, **wanted: Any) -> Any:
        asked(**wanted)
        assert pipeline.run_job("h")
        return client.get(PAGE)

    def test_the_first_bad_entry_is_named_with_a_link_to_its_page(self, client: Client) -> None:
        fallen_back(4)
        raw = bytes(Entry.objects.get(seq=4).body).replace(b'"seq":4', b'"seq":5')
        tamper("tickets_entry", f"UPDATE tickets_entry SET body = {as_bytes(raw)} WHERE seq = 4")
        page = self.verified(client)
        assert '<a href="/audit/decisions/4/">Entry 4</a>' in page.content.decode()
        assert "3 before it are right" in text(page)
        assert client.get("/audit/decisions/4/").status_code == 200

    def test_a_missing_entry_is_named_without_a_link(self, client: Client) -> None:
        fallen_back(4)
        tamper("tickets_entry", "DELETE FROM tickets_entry WHERE seq = 4")
        page = self.verified(client)
        assert "Entry 4: entry 4 is missing" in text(page)
        assert '"/audit/decisions/4/"' not in page.content.decode()

    @pytest.mark.parametrize("raw", [b"\xff", b"[]", b"{}", b'{"first":1,"last":[],"entries":1,"asked_by":"x"}', b"7"])
    def test_a_result_whose_bytes_were_changed_is_shown_as_wrong(self, client: Client, raw: bytes) -> None:
        self.verified(client)
        seq = Entry.objects.get(kind=Kind.VERIFIED).seq
        tamper("tickets_entry", f"UPDATE tickets_entry SET body = {as_bytes(raw)} WHERE seq = {seq}")
        assert "The bytes of this entry are no result" in text(client.get(PAGE))

    @pytest.mark.real
    def test_a_copy_that_agrees_is_said_to_agree(self, client: Client, copy: Elasticsearch) -> None:
        fallen_back(3)
        ship.ship_waiting()
        shipped = head()
        client.post(PAGE, {"copy": "on"})
        pipeline.run_job("h")
        assert f"agrees through entry {shipped}" in text(client.get(PAGE))

    @pytest.mark.real
    def test_a_copy_that_differs_is_counted_and_its_first_difference_named(
        self, client: Client, copy: Elasticsearch
    ) -> None:
        fallen_back(3)
        ship.ship_waiting()
        shipped = head()
        for seq in (2, 4):
            copy.delete(index=ship.index_of(Entry.objects.get(seq=seq), 1), id=str(seq))
        page = text(self.verified(client, copy=True))
        assert "differs 2 differences, the first at entry 2: the copy lacks it" in page
        assert f"right {shipped} entries" in page

    @pytest.mark.real
    def test_a_copy_that_somebody_deleted_is_missed_entry_by_entry(self, client: Client, copy: Elasticsearch) -> None:
        fallen_back(1)
        ship.ship_waiting()
        shipped = head()
        empty_elasticsearch()
        page = text(self.verified(client, copy=True))
        assert f"differs {shipped} differences, the first at entry 1" in page
