"""Verifying names the first entry that somebody changed, moved, added or took away."""

from __future__ import annotations

import pytest

from tests.audit.tampering import as_bytes, tamper
from tests.factories import CALM, acting, person, scored
from tickets import pipeline
from tickets.audit.verify import Fault, verify
from tickets.flow.canonical import chain_hash
from tickets.models import Entry, LogHead, Queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def last() -> Entry:
    """The last of several entries of several kinds, from the fourth on about tickets."""
    first = scored()
    scored(CALM)
    pipeline.override(first.pk, Queue(first.queue).other, acting(person("agent")), "no outage")
    return Entry.objects.latest("seq")


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
