"""Two witnesses: whatever somebody does to one of them, the other tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from elasticsearch import Elasticsearch

from tests.audit.tampering import as_bytes, tamper
from tests.commands.running import output_of
from tests.factories import CALM, acting, person, scored
from tickets import pipeline
from tickets.audit import ship
from tickets.audit.compare import Difference, compare
from tickets.audit.verify import verify
from tickets.flow.canonical import chain_hash
from tickets.models import Entry, LogHead, Queue

pytestmark = [pytest.mark.django_db, pytest.mark.real, pytest.mark.usefixtures("real_servers", "empty")]


@pytest.fixture
def last() -> Entry:
    """Of a log that was shipped."""
    first = scored()
    scored(CALM)
    pipeline.override(first.pk, Queue(first.queue).other, acting(person("agent")), "Übung 💥")
    ship.ship_waiting()
    return Entry.objects.latest("seq")


def differences(reader: Elasticsearch) -> list[Difference]:
    return list(compare(reader))


def test_a_copy_that_nobody_touched_agrees(last: Entry, reader: Elasticsearch) -> None:
    assert differences(reader) == []
    assert f"agrees through entry {last.seq}" in output_of("verify_log", "--elasticsearch")


def test_what_is_not_shipped_yet_is_no_difference(last: Entry, reader: Elasticsearch) -> None:
    scored()
    assert differences(reader) == []


@pytest.mark.parametrize("field", ["hash", "body", "queue", "actor"])
def test_a_document_changed_by_the_superuser_is_named_with_what_differs(
    last: Entry,
    admin: Elasticsearch,
    reader: Elasticsearch,
    field: str,
) -> None:
    admin.update(index=ship.index_of(last, 1), id=str(last.seq), doc={field: "forged"})
    (found,) = differences(reader)
    assert found.seq == last.seq
    assert found.what.startswith(f"{field} is ")
    assert "'forged' in the copy" in found.what


def test_a_document_that_was_removed_is_missed(
    last: Entry,
    admin: Elasticsearch,
    reader: Elasticsearch,
) -> None:
    admin.delete(index=ship.index_of(last, 1), id=str(last.seq))
    assert [(one.seq, "lacks it" in one.what) for one in differences(reader)] == [(last.seq, True)]
    with pytest.raises(CommandError, match=f"entry {last.seq}: the copy lacks it"):
        call_command("verify_log", "--elasticsearch")


def test_a_log_rewritten_with_right_hashes_is_betrayed_by_the_copy(last: Entry, reader: Elasticsearch) -> None:
    changed = bytes(last.body).replace(b'"kind":"override"', b'"kind": "override"')
    now = chain_hash(last.prev_hash, changed)
    tamper(
        "tickets_entry",
        f"UPDATE tickets_entry SET body = {as_bytes(changed)}, hash = '{now}' WHERE seq = {last.seq}",
    )
    LogHead.objects.update(hash=now)
    assert verify().fault is None
    (found,) = differences(reader)
    assert (found.seq, found.what.split()[0]) == (last.seq, "hash")


def test_a_restored_backup_is_betrayed_by_what_the_copy_remembers(
    last: Entry,
    admin: Elasticsearch,
    reader: Elasticsearch,
) -> None:
    before = Entry.objects.get(seq=last.seq - 1)
    tamper("tickets_decision", f"DELETE FROM tickets_decision WHERE seq = {last.seq}")
    tamper("tickets_entry", f"DELETE FROM tickets_entry WHERE seq = {last.seq}")
    LogHead.objects.update(seq=before.seq, hash=before.hash, at=before.at)
    admin.indices.refresh(index=ship.ALIAS)
    assert differences(reader) == [
        Difference(last.seq, f"the copy has it with hash {last.hash}, and the log ends at {before.seq}")
    ]


def test_without_a_reader_or_a_server_it_says_so(last: Entry, settings: Any, tmp_path: Path) -> None:
    settings.ELASTICSEARCH_READER_URL = "http://reader:secret@127.0.0.1:9"
    with pytest.raises(CommandError, match="cannot be asked") as refused:
        call_command("verify_log", "--elasticsearch")
    assert refused.value.returncode == 2
    assert "secret" not in str(refused.value)
    settings.ELASTICSEARCH_READER_URL = ""
    with pytest.raises(CommandError, match="ELASTICSEARCH_READER_URL"):
        call_command("verify_log", "--elasticsearch")
