"""Verifying names the first entry that somebody changed, moved, added or took away."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.audit.tampering import as_bytes, tamper
from tests.factories import CALM, SOON, acting, person, scored
from tickets import pipeline
from tickets.audit.verify import Fault, verify
from tickets.flow.canonical import chain_hash
from tickets.flow.record import Draft
from tickets.models import ActivePolicy, Decision, Entry, Evaluation, Input, Kind, LogHead, Queue, Reason
from tickets.policy.measured import Measured

pytestmark = pytest.mark.django_db
MADE_UP = {"source": "labels", "data_digest": "0" * 64, "figures": {"auc": 1.0}, "at": datetime(2026, 1, 1, tzinfo=UTC)}


@pytest.fixture
def last() -> Entry:
    """The last of several entries of several kinds, from the fourth on about tickets."""
    first = scored()
    scored(CALM)
    pipeline.override(first.pk, Queue(first.queue).other, acting(person("agent")), "no outage")
    return Entry.objects.latest("seq")


def evaluated() -> Evaluation:
    """A model's figures, kept."""
    found = Measured("labels", "0" * 64, ActivePolicy.current(), {"auc": 0.5, "tickets": 3}, {"auc": 0.5})
    return pipeline.record_evaluation(found, pipeline.Actor("test"))


def fault() -> Fault:
    found = verify().fault
    assert found is not None
    return found


def test_an_untouched_log_has_no_fault(last: Entry) -> None:
    report = verify()
    assert report.fault is None
    assert (report.entries, report.head) == (last.seq, last.hash)


def test_changed_bytes_are_found(last: Entry) -> None:
    entry = Entry.objects.get(pk=last.seq - 1)
    changed = bytes(entry.body).replace(b'"queue":"standard"', b'"queue":"urgent"')
    assert changed != bytes(entry.body)
    tamper("tickets_entry", f"UPDATE tickets_entry SET body = {as_bytes(changed)} WHERE seq = {entry.seq}")
    assert fault().seq == entry.seq
    assert "its bytes give" in fault().what


def test_bytes_and_hash_changed_together_break_the_link_to_the_next_entry(last: Entry) -> None:
    entry = Entry.objects.get(pk=last.seq - 1)
    changed = bytes(entry.body).replace(b'"queue":"standard"', b'"queue":"urgent"')
    new_hash = chain_hash(entry.prev_hash, changed)
    tamper(
        "tickets_entry",
        f"UPDATE tickets_entry SET body = {as_bytes(changed)}, hash = '{new_hash}' WHERE seq = {entry.seq}",
    )
    tamper("tickets_decision", f"UPDATE tickets_decision SET queue = 'urgent' WHERE seq = {entry.seq}")
    assert fault().seq == last.seq
    assert "prev_hash" in fault().what


@pytest.mark.parametrize("column", ["kind", "actor", "subject"])
def test_a_changed_column_beside_unchanged_bytes_is_found(last: Entry, column: str) -> None:
    tamper("tickets_entry", f"UPDATE tickets_entry SET {column} = 'exported' WHERE seq = {last.seq}")
    assert fault() == Fault(last.seq, fault().what)
    assert f"column {column}" in fault().what


def test_a_changed_decision_beside_an_unchanged_entry_is_found(last: Entry) -> None:
    tamper("tickets_decision", f"UPDATE tickets_decision SET policy_number = 99 WHERE seq = {last.seq}")
    assert fault().seq == last.seq
    assert "decision column policy_number" in fault().what


def test_a_missing_decision_is_found(last: Entry) -> None:
    tamper("tickets_decision", f"DELETE FROM tickets_decision WHERE seq = {last.seq}")
    assert fault().seq == last.seq


def test_a_missing_entry_is_found(last: Entry) -> None:
    tamper("tickets_entry", f"DELETE FROM tickets_entry WHERE seq = {last.seq - 1}")
    assert fault() == Fault(last.seq - 1, f"entry {last.seq - 1} is missing; the next one is {last.seq}")


def test_a_cut_tail_is_found(last: Entry) -> None:
    tamper("tickets_entry", f"DELETE FROM tickets_entry WHERE seq = {last.seq}")
    assert fault().seq == last.seq
    assert "the log ends at" in fault().what


def test_a_head_moved_back_with_the_tail_gone_is_found_when_the_end_is_named(last: Entry) -> None:
    before = Entry.objects.get(pk=last.seq - 1)
    tamper("tickets_entry", f"DELETE FROM tickets_entry WHERE seq = {last.seq}")
    LogHead.objects.update(seq=before.seq, hash=before.hash)
    found = verify(last=last.seq).fault
    assert found is not None
    assert found.seq == last.seq


def test_exchanged_entries_are_found(last: Entry) -> None:
    one, other = last.seq - 1, last.seq
    tamper(
        "tickets_entry",
        f"UPDATE tickets_entry SET seq = 0 WHERE seq = {one}",
        f"UPDATE tickets_entry SET seq = {one} WHERE seq = {other}",
        f"UPDATE tickets_entry SET seq = {other} WHERE seq = 0",
    )
    assert fault().seq == one


def test_an_entry_added_behind_the_head_is_found(last: Entry) -> None:
    body = bytes(last.body)
    Entry.objects.create(
        seq=last.seq + 1,
        at=last.at,
        kind=last.kind,
        subject=last.subject,
        actor=last.actor,
        body=body,
        prev_hash=last.hash,
        hash=chain_hash(last.hash, body),
    )
    assert fault().seq == last.seq + 1


def test_bytes_that_are_no_json_are_a_fault_and_no_crash(last: Entry) -> None:
    new_hash = chain_hash(last.prev_hash, b"\xff{")
    changed = as_bytes(b"\xff{")
    change = f"body = {changed}, hash = '{new_hash}'"
    tamper("tickets_entry", f"UPDATE tickets_entry SET {change} WHERE seq = {last.seq}")
    assert fault().seq == last.seq


def test_a_part_of_the_log_can_be_verified_alone(last: Entry) -> None:
    assert verify(3, 5).entries == 3
    assert verify(3, last.seq).head == last.hash


def test_beginning_beyond_the_end_of_the_log_is_a_fault_and_no_crash(last: Entry) -> None:
    assert f"entry {last.seq + 1} is missing" in str(verify(last.seq + 2).fault)
    assert verify(last.seq + 1).fault is None


def forge_decision(of: int, seq: int) -> None:
    """A row as it is derived from the entry `of`, under another number; whoever may insert can add it."""
    row = Decision.objects.get(pk=of)
    row.entry_id, row.cause = seq, "late"
    row.save(force_insert=True)


def test_a_decision_beside_an_entry_that_is_none_is_found(last: Entry) -> None:
    opened = pipeline.note(Draft(Kind.AUDIT_OPENED, f"entry:{last.seq}", "test"))
    assert verify().fault is None
    forge_decision(last.seq, opened.seq)
    assert fault() == Fault(opened.seq, "it is no decision, but the table of decisions has a row for it")


@pytest.mark.parametrize("seq", [-3, 0, 2**62])
def test_a_decision_without_an_entry_is_found(last: Entry, seq: int) -> None:
    forge_decision(last.seq, seq)
    assert fault().seq == seq
    assert "no such entry" in fault().what


class TestWhatStandsBeside:
    def test_another_reason_is_found(self, last: Entry) -> None:
        Reason.objects.filter(seq=last.seq).update(text="an outage")
        assert fault().seq == last.seq
        assert "stored reason" in fault().what

    def test_a_reason_where_none_was_given_is_found(self, last: Entry) -> None:
        Reason.objects.create(seq=last.seq - 1, text="an outage", nonce="0" * 64)
        assert fault().seq == last.seq - 1
        assert "but the bytes say None" in fault().what

    @pytest.mark.parametrize("changed", [{"text": "Nothing is wrong."}, {"nonce": "0" * 64}])
    def test_another_text_is_found_at_the_first_decision_on_it(self, last: Entry, changed: dict[str, str]) -> None:
        first = Decision.objects.filter(ticket_id=int(last.subject.removeprefix("ticket:"))).earliest("entry")
        Input.objects.filter(ticket=first.ticket_id).update(**changed)
        assert fault().seq == first.seq
        assert "stored text, version 1" in fault().what

    def test_each_version_of_a_text_is_compared_with_the_decisions_on_it(self, last: Entry) -> None:
        ticket = int(last.subject.removeprefix("ticket:"))
        pipeline.add_message(ticket, "It is worse now")
        assert pipeline.score_waiting("test", SOON)
        assert verify().fault is None
        Input.objects.filter(ticket=ticket, version=2).update(text="It is fine now")
        assert fault().seq == Decision.objects.get(ticket_id=ticket, input_version=2).seq

    def test_what_was_erased_is_no_fault(self, last: Entry) -> None:
        Reason.objects.all().delete()
        Input.objects.all().delete()
        assert verify().fault is None

    @pytest.mark.parametrize(
        "changed", ['{"auc": 0.9}', '{"auc": null}', "[0.5]", "null", "[" * 2_000 + "]" * 2_000, '{"auc": 1e999}']
    )
    def test_better_figures_of_a_model_are_found_whatever_they_are(self, last: Entry, changed: str) -> None:
        kept = evaluated()
        assert verify().fault is None
        with connection.cursor() as cursor:
            cursor.execute("UPDATE tickets_evaluation SET figures = %s", [changed])
        assert fault().seq == kept.seq
        assert "stored figures" in fault().what

    def test_a_missing_evaluation_is_found(self, last: Entry) -> None:
        kept = evaluated()
        kept.delete()
        assert fault().seq == kept.seq
        assert "stored figures have the digest None" in fault().what

    def test_an_evaluation_that_no_entry_tells_of_is_found(self, last: Entry) -> None:
        kept = evaluated()
        Evaluation.objects.create(**dict(MADE_UP, model=kept.model, seq=last.seq))
        assert fault().seq == last.seq

    def test_an_evaluation_beyond_the_log_is_found(self, last: Entry) -> None:
        Evaluation.objects.create(**dict(MADE_UP, model=evaluated().model, seq=2**62))
        assert fault() == Fault(2**62, "the table of evaluations has a row for it, but the log has no such entry")

    def test_it_is_compared_in_as_many_queries_for_many_entries_as_for_few(
        self, last: Entry, django_assert_num_queries: Any
    ) -> None:
        with CaptureQueriesContext(connection) as few:
            verify()
        for _ in range(5):
            scored(CALM)
        with django_assert_num_queries(len(few)):
            verify()
