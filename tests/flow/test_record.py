"""The log: canonical bytes, a gapless chain, and a database that refuses to change it."""

from __future__ import annotations

import hashlib
import json

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import scored
from tickets.flow import canonical
from tickets.flow.record import Draft, decision_of, record
from tickets.models import Decision, Entry, Kind, LogHead, Policy, Reason
from tickets.models.clock import microseconds

values = st.recursive(
    st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
bodies = st.dictionaries(st.text(max_size=10), values, max_size=6)


@given(bodies)
def test_a_body_reads_back_as_it_was_and_writes_the_same_bytes_again(body: dict[str, object]) -> None:
    written = canonical.encode(body)
    assert json.loads(written) == body
    assert canonical.encode(dict(reversed(json.loads(written).items()))) == written
    assert json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() == written


@pytest.mark.parametrize("inexact", [0.7, True, None, [1, [2.0]], {"a": {"b": False}}, b"bytes", float("nan")])
def test_what_languages_write_unalike_is_refused(inexact: object) -> None:
    with pytest.raises(TypeError, match="canonical"):
        canonical.encode({"value": inexact})


@pytest.mark.django_db
class TestChain:
    def test_each_entry_hashes_the_one_before_it_and_its_own_bytes(self) -> None:
        record([Draft(Kind.EXPORTED, "log", "test", {"number": number}) for number in range(3)])
        entries = list(Entry.objects.order_by("seq"))
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        for before, entry in zip([None, *entries], entries, strict=False):
            previous = before.hash if before else "0" * 64
            assert entry.prev_hash == previous
            assert entry.hash == hashlib.sha256(bytes.fromhex(previous) + bytes(entry.body)).hexdigest()

    def test_what_is_rolled_back_leaves_no_gap(self) -> None:
        before = LogHead.objects.get().seq
        with transaction.atomic():
            record([Draft(Kind.EXPORTED, "log", "test")])
            transaction.set_rollback(True)
        assert record([Draft(Kind.EXPORTED, "log", "test")])[0].seq == before + 1

    def test_time_never_runs_backwards_in_the_log(self) -> None:
        late = 2**60
        LogHead.objects.update(at=late)
        assert record([Draft(Kind.EXPORTED, "log", "test")])[0].at == late

    def test_a_reason_stands_beside_the_entry_which_holds_its_digest_alone(self) -> None:
        entry = record([Draft(Kind.EXPORTED, "log", "test", reason="Lea asked for it")])[0]
        reason = Reason.objects.get(pk=entry.seq)
        assert b"Lea" not in bytes(entry.body)
        digest = hashlib.sha256(reason.nonce.encode() + reason.text.encode()).hexdigest()
        assert json.loads(bytes(entry.body))["reason_digest"] == digest

    def test_a_decision_can_be_derived_again_from_the_bytes(self) -> None:
        decision = Decision.objects.get(pk=scored().decision_id)
        derived = decision_of(json.loads(bytes(Entry.objects.get(pk=decision.seq).body)))
        assert derived == {field.attname: getattr(decision, field.attname) for field in Decision._meta.concrete_fields}

    def test_a_decision_says_what_it_came_from(self) -> None:
        ticket = scored()
        body = json.loads(bytes(Entry.objects.get(pk=ticket.decision_id).body))
        text = ticket.inputs.get()
        assert body["input"]["digest"] == hashlib.sha256(text.nonce.encode() + text.text.encode()).hexdigest()
        assert body["at"] == microseconds(Decision.objects.get(pk=ticket.decision_id).at)
        assert {"model", "calibration", "policy", "rubric_digest", "tokens", "tokens_cut", "evidence", "cause"} <= set(
            body
        )
        assert ticket.subject not in bytes(Entry.objects.get(pk=ticket.decision_id).body).decode()


TABLES = ["tickets_entry", "tickets_decision", "tickets_policy", "tickets_policyevent"]


@pytest.mark.django_db
class TestTheDatabaseRefuses:
    @pytest.mark.parametrize("table", TABLES)
    def test_to_delete_rows_that_are_written_once(self, table: str) -> None:
        scored()
        _refused(f"DELETE FROM {table}")

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE tickets_entry SET actor = 'nobody'",
            "UPDATE tickets_decision SET queue = 'standard'",
            "UPDATE tickets_policy SET threshold = 1",
            "UPDATE tickets_policyevent SET reason = ''",
        ],
    )
    def test_to_change_them(self, change: str) -> None:
        scored()
        _refused(change)

    @pytest.mark.parametrize("table", TABLES)
    def test_to_empty_their_tables(self, table: str) -> None:
        if connection.vendor == "sqlite":
            pytest.skip("SQLite has no TRUNCATE")
        _refused(f"TRUNCATE {table} CASCADE")

    def test_to_replace_an_entry(self) -> None:
        if connection.vendor != "sqlite":
            pytest.skip("only SQLite has INSERT OR REPLACE")
        seq = scored().decision_id
        _refused(
            "INSERT OR REPLACE INTO tickets_entry (seq, at, kind, subject, actor, body, prev_hash, hash) "
            f"VALUES ({seq}, 1, 'scored', 'ticket:1', 'x', x'00', '', '')"
        )

    def test_to_save_a_policy_again(self) -> None:
        policy = Policy.objects.get(pk=1)
        with pytest.raises(ValueError, match="never changes"):
            policy.save()


def _refused(statement: str) -> None:
    with (
        pytest.raises(DatabaseError, match=r"refused|permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
