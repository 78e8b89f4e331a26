"""Whoever cheats with archives is refused by the database, or found."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db import DatabaseError, connection, transaction

from tests.audit.aged_log import FEBRUARY, archive, fault, fill, latest
from tests.audit.tampering import as_bytes, tamper
from tickets import pipeline
from tickets.audit import merkle
from tickets.audit.checkpoints import LogContradicted, tiles_of
from tickets.audit.verify import Fault
from tickets.flow.canonical import chain_hash, encode
from tickets.models import Archive, Decision, Entry, Kind, LogHead, Ticket, Tile

pytestmark = pytest.mark.django_db


class TestTheDatabase:
    def refused(self, statement: str) -> bool:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
        except DatabaseError:
            return True
        return False

    def may_delete(self) -> None:
        """As the owner of the tables, who can take the right back."""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "GRANT UPDATE, DELETE ON tickets_entry, tickets_decision, tickets_archive TO CURRENT_USER"
                )

    def row(self, through: int) -> None:
        Archive.objects.create(
            through=through,
            seq=through + 1,
            head="0" * 64,
            root="0" * 64,
            sha256="0" * 64,
            at=datetime(2098, 1, 1, tzinfo=UTC),
        )

    @pytest.mark.parametrize("table", ["tickets_entry", "tickets_decision"])
    def test_a_row_goes_exactly_when_an_archive_covers_it(self, ticket: Ticket, table: str) -> None:
        first, seq = Decision.objects.order_by("pk").values_list("pk", flat=True)
        self.may_delete()
        assert self.refused(f"DELETE FROM {table} WHERE seq = {first}")
        self.row(seq - 1)
        assert self.refused(f"DELETE FROM {table} WHERE seq = {seq}")
        assert not self.refused(f"DELETE FROM {table} WHERE seq = {first}")
        assert self.refused(f"UPDATE {table} SET kind = 'x' WHERE seq = {seq}")

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no roles")
    def test_a_false_archive_row_lets_the_application_delete_nothing(self, ticket: Ticket) -> None:
        self.row(1_024)
        assert self.refused("DELETE FROM tickets_entry WHERE seq = 1")
        assert self.refused("DELETE FROM tickets_decision WHERE seq < 1024")

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no roles")
    def test_the_right_to_delete_is_given_back(self, folder: Path) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT has_table_privilege(t, 'DELETE') FROM unnest(ARRAY['tickets_entry', 'tickets_decision']) t"
            )
            assert [one for (one,) in cursor.fetchall()] == [False, False]

    def test_an_archive_row_is_written_once(self, ticket: Ticket) -> None:
        self.may_delete()
        self.row(1_024)
        statements = ["UPDATE tickets_archive SET through = 5000", "DELETE FROM tickets_archive"]
        if connection.vendor == "postgresql":
            statements.append("TRUNCATE tickets_archive")
        else:
            values = "(1024, 9, 'x', 'x', 'x', '2098-01-01')"
            columns = "(through, seq, head, root, sha256, at)"
            statements.append(f"INSERT OR REPLACE INTO tickets_archive {columns} VALUES {values}")
            statements.append(
                f"INSERT OR REPLACE INTO tickets_archive {columns} VALUES {values.replace('1024, 9', '9, 1025')}"
            )
        assert [one for one in statements if not self.refused(one)] == []


class TestAttacks:
    """By whoever owns the database."""

    def test_rows_removed_behind_a_false_archive_row_are_missed(self, ticket: Ticket) -> None:
        head, root = Entry.objects.get(seq=1_024).hash, merkle.root(tiles_of(1_024)).hex()
        Archive.objects.create(
            through=1_024, seq=1_100, head=head, root=root, sha256="0" * 64, at=datetime(2098, 1, 1, tzinfo=UTC)
        )
        tamper("tickets_decision", "DELETE FROM tickets_decision WHERE seq <= 1024")
        tamper("tickets_entry", "DELETE FROM tickets_entry WHERE seq <= 1024")
        assert fault() == Fault(
            1_100, "an archive row says that entry 1100 archived the log through 1024; there is no such entry"
        )

    @pytest.mark.parametrize("column", ["head", "root", "sha256"])
    def test_an_archive_row_that_was_changed_is_found(self, folder: Path, column: str) -> None:
        tamper("tickets_archive", f"UPDATE tickets_archive SET {column} = '{'0' * 64}'")
        assert column in fault().what.replace("Merkle ", "")

    def test_an_archive_row_beyond_what_the_log_says_is_found(self, folder: Path) -> None:
        seq = latest().seq
        root = merkle.root(tiles_of(2_048)).hex()
        tamper("tickets_archive", f"UPDATE tickets_archive SET through = 2048, root = '{root}'")
        assert fault().seq == seq
        assert "through 2048, but the entry says 1024" in fault().what

    def test_an_archived_entry_that_was_changed_is_found(self, folder: Path) -> None:
        entry = Entry.objects.get(kind=Kind.ARCHIVED)
        changed = bytes(entry.body).replace(b'"count":1024', b'"count":1023')
        tamper("tickets_entry", f"UPDATE tickets_entry SET body = {as_bytes(changed)} WHERE seq = {entry.seq}")
        assert (fault().seq, "its bytes give" in fault().what) == (entry.seq, True)

    def test_more_rows_removed_than_the_archive_covers_are_missed(self, folder: Path) -> None:
        tamper("tickets_entry", "DELETE FROM tickets_entry WHERE seq <= 1030")
        assert fault() == Fault(1_025, "entry 1025 is missing; the next one is 1031")

    def test_a_tile_that_was_changed_is_found_and_named(self, folder: Path) -> None:
        Tile.objects.filter(number=0).update(root="0" * 64)
        assert "or a tile of entries 1 to 1024, was changed" in fault().what

    @pytest.mark.parametrize("root", ["", "xyz", "00"])
    def test_a_tile_that_is_broken_is_named(self, folder: Path, root: str) -> None:
        Tile.objects.filter(number=0).update(root=root)
        assert fault() == Fault(1, "tile 0, entries 1 to 1024, is missing or broken")

    def test_a_tile_that_was_removed_is_named_and_no_other_is_made_of_nothing(self, folder: Path) -> None:
        Tile.objects.filter(number=0).delete()
        assert fault().what == "tile 0, entries 1 to 1024, is missing or broken"
        fill(1)
        with pytest.raises(LogContradicted, match="tile 0"):
            pipeline.sign_log()
        assert not Tile.objects.filter(number=0).exists()

    def test_a_log_rewritten_behind_the_archive_contradicts_its_checkpoints(self, folder: Path) -> None:
        last = Entry.objects.latest("seq")
        body = encode(json.loads(bytes(last.body)) | {"more": 1})
        now = chain_hash(last.prev_hash, body)
        tamper(
            "tickets_entry", f"UPDATE tickets_entry SET body = {as_bytes(body)}, hash = '{now}' WHERE seq = {last.seq}"
        )
        LogHead.objects.update(hash=now)
        assert fault().seq == last.seq

    def test_nothing_leaves_a_log_that_is_wrong(self, ticket: Ticket, tmp_path: Path) -> None:
        tamper("tickets_decision", f"UPDATE tickets_decision SET policy_number = 99 WHERE seq = {ticket.decision_id}")
        with pytest.raises(CommandError, match=f"entry {ticket.decision_id}: decision column policy_number"):
            archive(tmp_path / "files", FEBRUARY)
        assert not Archive.objects.exists()
        assert Entry.objects.filter(seq=1).exists()

    def test_nothing_leaves_by_a_tile_that_was_changed(self, ticket: Ticket, tmp_path: Path) -> None:
        tiles_of(1_024)
        Tile.objects.filter(number=0).update(root="0" * 64)
        with pytest.raises(CommandError):
            archive(tmp_path / "files", FEBRUARY)
        assert not Archive.objects.exists()
        assert Entry.objects.filter(seq=1).exists()
