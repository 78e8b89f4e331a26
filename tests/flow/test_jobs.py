"""Verifying as a job: asked for once, done by one worker at a time, its result in the log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as some

from tests.audit.tampering import as_bytes, tamper
from tests.factories import acting, fallen_back, person
from tests.installation import Installation, eventually
from tickets import pipeline
from tickets.audit import verify as walking
from tickets.audit.verify import verify
from tickets.audit.verifying import Range
from tickets.flow import jobs
from tickets.flow.canonical import chain_hash
from tickets.models import Entry, Job, JobState, Kind, LogHead
from tickets.pipeline import Actor, TooManyJobs
from tickets.pipeline.jobs import LEASE, MOST_OPEN

pytestmark = pytest.mark.django_db
INT64 = 2**63 - 1
ALL = Range()


@pytest.fixture(autouse=True)
def several_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A walk that tells its progress more than once, of a log short enough for a test."""
    monkeypatch.setattr(walking, "_CHUNK", 2)
    with override_settings(ELASTICSEARCH_URL="", ELASTICSEARCH_READER_URL=""):
        yield


def asked(wanted: Range = ALL, by: str = "user:1") -> Job:
    return pipeline.ask_for_verification(wanted, Actor(by))[0]


def results() -> list[dict[str, Any]]:
    """What the log tells of verifications, oldest first."""
    entries = Entry.objects.filter(subject="log", kind=Kind.VERIFIED).order_by("seq")
    return [json.loads(bytes(entry.body)) for entry in entries]


def head() -> int:
    return LogHead.objects.get().seq


def lose_leases() -> None:
    Job.objects.update(available_at=timezone.now() - timedelta(seconds=1))


def once(act: Callable[[], object]) -> Callable[[], bool]:
    """Acts when the worker asks whether it should stop, which it should not."""
    left = [act]

    def is_stopping() -> bool:
        if left:
            left.pop()()
        return False

    return is_stopping


@given(
    some.builds(
        Range,
        first=some.integers(1, INT64),
        last=some.none() | some.integers(1, INT64),
        copy=some.booleans(),
    )
)
def test_a_range_is_the_same_after_being_named_in_a_row_of_64_characters(wanted: Range) -> None:
    assert len(wanted.subject) <= 64
    assert Range.of(wanted.subject) == wanted


class TestAsking:
    def test_the_same_range_is_verified_once_while_it_is_open(self) -> None:
        first, is_new = pipeline.ask_for_verification(ALL, Actor("user:1"))
        again, is_new_again = pipeline.ask_for_verification(ALL, Actor("user:2"))
        assert (first.pk, is_new, is_new_again) == (again.pk, True, False)
        assert asked(Range(1, 2)).pk != first.pk

    def test_more_than_twenty_ranges_do_not_wait(self) -> None:
        for last in range(1, MOST_OPEN + 1):
            asked(Range(1, last))
        with pytest.raises(TooManyJobs, match="cancel one"):
            asked(Range(2, 3))
        assert asked(Range(1, 1)).pk == Job.objects.get(subject="log:1:1").pk

    def test_asking_again_after_a_failure_takes_the_failed_one_away(self) -> None:
        Job.objects.filter(pk=asked().pk).update(state=JobState.FAILED)
        again = asked()
        assert list(Job.objects.values_list("pk", "state")) == [(again.pk, JobState.OPEN)]


class TestDoing:
    def test_what_was_verified_is_an_entry_and_the_job_is_gone(self) -> None:
        fallen_back(3)
        auditor, end = acting(person("auditor")), head()
        asked(by=auditor.name)
        assert pipeline.run_job("h")
        (body,) = results()
        assert (body["asked_by"], body["actor"], body["subject"]) == (auditor.name, "worker:h", "log")
        assert (body["first"], body["last"], body["entries"]) == (1, end, end)
        assert body["head"] == Entry.objects.get(seq=end).hash
        assert not {"fault", "copy"} & body.keys()
        assert not Job.objects.exists()

    def test_a_part_is_verified_as_a_part(self) -> None:
        fallen_back(4)
        asked(Range(2, 3))
        pipeline.run_job("h")
        assert [(body["first"], body["last"], body["entries"]) for body in results()] == [(2, 3, 2)]

    def test_signed_checkpoints_that_agree_are_counted(self, settings: Any, tmp_path: Path) -> None:
        settings.LOG_KEY_FILE, settings.CHECKPOINTS_FILE = tmp_path / "key", tmp_path / "checkpoints.jsonl"
        fallen_back(2)
        pipeline.sign_log()
        asked()
        pipeline.run_job("h")
        assert results()[0]["checkpoints"] == 1

    def test_without_a_job_there_is_nothing_to_do(self) -> None:
        assert not pipeline.run_job("h")
        assert results() == []

    def test_the_log_with_results_verifies(self) -> None:
        asked()
        pipeline.run_job("h")
        assert verify().fault is None

    def test_progress_is_written_while_it_goes_on_and_holds_the_job(self) -> None:
        fallen_back(6)
        job, seen = asked(), []
        Job.objects.update(total=0)

        def look() -> bool:
            seen.append(Job.objects.values_list("progress", "total").get())
            Job.objects.update(available_at=timezone.now() + timedelta(seconds=1))
            return len(seen) > 1

        pipeline.run_job("h", look)
        assert seen == [(0, 0), (2, head())]
        job.refresh_from_db()
        assert job.progress == 2

    def test_one_runs_at_a_time(self) -> None:
        fallen_back(6)
        asked()
        asked(Range(1, 2))
        others: list[bool] = []
        pipeline.run_job("h", once(lambda: others.append(pipeline.run_job("other"))))
        assert others == [False]
        assert pipeline.run_job("other")
        assert [body["last"] for body in results()][1] == 2

    def test_a_copy_that_cannot_be_asked_does_not_lose_what_the_log_says(self) -> None:
        asked(Range(copy=True))
        with override_settings(ELASTICSEARCH_READER_URL="http://reader:secret@127.0.0.1:1"):
            pipeline.run_job("h")
        (body,) = results()
        assert body["entries"] == head() - 1
        assert body["copy"]["problem"] == "Elasticsearch could not be asked; the log of the worker has more."


class TestBroken:
    @pytest.fixture
    def end(self) -> int:
        fallen_back(6)
        return head()

    def verified(self, wanted: Range = ALL) -> dict[str, Any]:
        asked(wanted)
        assert pipeline.run_job("h")
        return results()[-1]

    def test_the_first_wrong_entry_is_named_and_the_result_is_appended(self, end: int) -> None:
        raw = bytes(Entry.objects.get(seq=4).body).replace(b'"seq":4', b'"seq":5')
        tamper("tickets_entry", f"UPDATE tickets_entry SET body = {as_bytes(raw)} WHERE seq = 4")
        body = self.verified()
        assert (body["fault"]["seq"], body["entries"], body["last"]) == (4, 3, end)
        assert "its bytes give" in body["fault"]["what"]
        assert body["seq"] == end + 1

    @pytest.mark.parametrize("forged", ["x" * 5_000, "\0"])
    def test_whatever_a_forged_entry_says_is_told_in_bounds(self, end: int, forged: str) -> None:
        self.forge(2, {"kind": "forked", "name": forged, "after": 1}, is_consistent=True)
        self.forge(3, {"kind": forged})
        for body in (self.verified(Range(2, 2)), self.verified(Range(3, 3))):
            assert all(len(fork) <= 200 for fork in body["forks"])
        assert len(results()[0]["forks"]) == 1
        assert results()[1]["fault"]["seq"] == 3
        assert "column kind is" in results()[1]["fault"]["what"]
        assert len(results()[1]["fault"]["what"]) <= 500

    def test_half_a_character_pair_is_no_text_of_an_entry(self, end: int) -> None:
        self.forge(2, {"kind": "forked", "name": "\ud800" * 5_000, "after": 1}, is_consistent=True)
        fault = self.verified()["fault"]
        assert fault["seq"] == 2
        assert "its bytes are no JSON" in fault["what"]
        assert len(fault["what"]) <= 500

    def forge(self, seq: int, changed: dict[str, Any], *, is_consistent: bool = False) -> None:
        """Other bytes with a hash that fits them; and the columns, too."""
        entry = Entry.objects.get(seq=seq)
        raw = json.dumps(json.loads(bytes(entry.body)) | changed).encode()
        values = [f"body = {as_bytes(raw)}", f"hash = '{chain_hash(entry.prev_hash, raw)}'"]
        values += [f"kind = '{changed['kind']}'"] if is_consistent else []
        tamper("tickets_entry", f"UPDATE tickets_entry SET {', '.join(values)} WHERE seq = {seq}")
        if is_consistent:
            following = (
                f"UPDATE tickets_entry SET prev_hash = '{chain_hash(entry.prev_hash, raw)}' WHERE seq = {seq + 1}"
            )
            tamper("tickets_entry", following)

    def test_a_part_behind_a_missing_entry_says_what_is_missing(self, end: int) -> None:
        tamper("tickets_entry", "DELETE FROM tickets_entry WHERE seq = 3")
        body = self.verified(Range(4, 5))
        assert (body["fault"]["seq"], body["entries"]) == (3, 0)
        assert "entry 3 is missing" in body["fault"]["what"]

    def test_where_the_log_takes_no_entry_the_job_tells_what_was_found(self, end: int) -> None:
        LogHead.objects.update(seq=2)
        asked()
        pipeline.run_job("h")
        job = Job.objects.get()
        assert job.state == JobState.FAILED
        assert job.problem.startswith(f"Entry {end}: the head says entry 2")
        assert results() == []


class TestEnding:
    def test_a_worker_whose_job_is_cancelled_stops_and_says_nothing(self) -> None:
        fallen_back(6)
        job = asked()
        seen: list[bool] = []
        assert pipeline.run_job("h", once(lambda: seen.append(pipeline.cancel_job(job))))
        assert seen == [True]
        assert results() == []
        assert not pipeline.cancel_job(job)

    def test_a_worker_that_stops_hands_the_job_back_unused(self) -> None:
        asked()
        assert pipeline.run_job("h", lambda: True)
        assert Job.objects.values_list("claim", "attempts").get() == (0, 0)
        assert pipeline.run_job("other")
        assert len(results()) == 1

    def test_another_worker_takes_over_from_one_that_died(self) -> None:
        asked()
        with transaction.atomic():
            jobs.claim(pipeline.startable_jobs(), timezone.now(), LEASE)
        assert not pipeline.run_job("other")
        lose_leases()
        assert pipeline.run_job("other")
        assert len(results()) == 1

    def test_a_worker_that_was_too_slow_leaves_the_job_to_who_has_it(self) -> None:
        fallen_back(6)
        asked()

        def taken_over() -> None:
            lose_leases()
            assert pipeline.run_job("other")

        pipeline.run_job("slow", once(taken_over))
        assert [body["actor"] for body in results()] == ["worker:other"]

    def test_three_failures_end_it_and_say_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*arguments: object) -> None:
            raise RuntimeError("the disk is full")

        asked()
        monkeypatch.setattr("tickets.pipeline.jobs.verification", fail)
        for _ in range(5):
            lose_leases()
            pipeline.run_job("h")
        job = Job.objects.get()
        assert (job.state, job.attempts, job.problem) == (JobState.FAILED, 3, "RuntimeError: the disk is full")

    def test_a_job_whose_workers_all_died_is_not_tried_for_ever(self) -> None:
        asked()
        for _ in range(5):
            with transaction.atomic():
                jobs.claim(pipeline.startable_jobs(), timezone.now(), LEASE)
            lose_leases()
        job = Job.objects.get()
        assert (job.state, job.attempts) == (JobState.FAILED, 3)
        assert "ended 3 times" in job.problem


def test_a_housekeeping_worker_finds_it_when_it_starts_and_later_when_the_sweep_knocks(
    embedded_installation: Installation,
) -> None:
    site = embedded_installation
    create = (
        "from tickets.models import Job; from django.utils.timezone import now; "
        "Job.objects.create(kind='verify', subject='log:1:end', actor='user:1', created_at=now(), available_at=now())"
    )
    site.shell(create)
    site.start("housekeeping")
    eventually(lambda: site.count("tickets_entry WHERE kind = 'verified'") == 1, "the first is verified")
    site.shell(create)
    site.start("sweep")
    eventually(lambda: site.count("tickets_entry WHERE kind = 'verified'") == 2, "the second is verified")
    assert site.count("tickets_job") == 0
