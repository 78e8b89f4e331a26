"""Checkpoints in Elasticsearch: published once, under a user who can only add, and witnesses against the database."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import AuthorizationException, BadRequestError, Elasticsearch

from tests.audit.tampering import as_bytes, tamper
from tests.factories import CALM, scored
from tickets import pipeline
from tickets.audit import checkpoints, keys, notes, ship
from tickets.audit.compare import compare, published_notes
from tickets.audit.elasticsearch import install
from tickets.audit.publish import INDEX
from tickets.audit.verify import verify
from tickets.flow.canonical import chain_hash, encode
from tickets.models import Checkpoint, Entry, LogHead, Shipping, ShippingFailure

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.real,
    pytest.mark.usefixtures("real_servers", "empty", "nothing_published"),
]


def set_up(admin: Elasticsearch) -> None:
    install(admin, os.environ["ELASTICSEARCH_URL"], os.environ["ELASTICSEARCH_READER_URL"])


@pytest.fixture
def nothing_published(admin: Elasticsearch, tmp_path: Path, settings: Any) -> Iterator[None]:
    """Before and after; and files of its own."""
    settings.LOG_KEY_FILE = tmp_path / "log_key.pem"
    settings.CHECKPOINTS_FILE = tmp_path / "checkpoints.jsonl"
    admin.options(ignore_status=404).indices.delete(index=INDEX)
    set_up(admin)
    yield
    admin.options(ignore_status=404).indices.delete(index=INDEX)
    set_up(admin)


def signed(number: int = 1) -> list[Checkpoint]:
    """Checkpoints of a log that grows by a ticket before each."""
    made = []
    for _ in range(number):
        scored(CALM)
        made.append(pipeline.sign_log())
    return made


def published(admin: Elasticsearch) -> dict[int, dict[str, Any]]:
    admin.indices.refresh(index=INDEX)
    return {hit["_source"]["size"]: hit["_source"] for hit in admin.search(index=INDEX, size=100)["hits"]["hits"]}


def differences(admin: Elasticsearch, reader: Elasticsearch) -> list[tuple[int, str]]:
    """About checkpoints alone; what a change of the log does to the copy of its entries is tested elsewhere."""
    admin.indices.refresh(index=f"{INDEX},{ship.ALIAS}")
    return [(one.seq, one.what) for one in compare(reader) if "checkpoint" in one.what]


def rewrite(first: int) -> None:
    """As somebody does who owns the database and the key: other bytes from `first` on, right hashes, signed anew."""
    before = Entry.objects.get(seq=first - 1).hash
    for entry in list(Entry.objects.filter(seq__gte=first).order_by("seq")):
        body = json.loads(bytes(entry.body))
        if "milliseconds" in body:
            body["milliseconds"]["total"] += 1
        content = encode(body)
        now = chain_hash(before, content)
        tamper(
            "tickets_entry",
            f"UPDATE tickets_entry SET body = {as_bytes(content)}, prev_hash = '{before}', hash = '{now}' "
            f"WHERE seq = {entry.seq}",
        )
        before = now
    LogHead.objects.update(hash=before)
    sizes = list(Checkpoint.objects.filter(size__gte=first).order_by("size").values_list("size", flat=True))
    for size in sizes:
        resign(size)


def resign(size: int) -> None:
    entry, signer = Entry.objects.get(seq=size), keys.signer()
    checkpoint = notes.Checkpoint("triage", size, checkpoints.root_of(size), entry.hash, entry.at)
    note = notes.sign(checkpoint, signer.name, signer.private_key)
    Checkpoint.objects.filter(size=size).update(note=note)


def test_each_checkpoint_is_published_once_as_it_was_signed(admin: Elasticsearch) -> None:
    made = signed(2)
    ship.ship_waiting()
    ship.ship_waiting()
    assert {size: document["note"] for size, document in published(admin).items()} == {
        one.size: one.note for one in made
    }
    document = published(admin)[made[0].size]
    assert document["head"] == Entry.objects.get(seq=made[0].size).hash
    assert (document["origin"], len(document["root"])) == (notes.parse(made[0].note)[0].origin, 64)
    assert Shipping.objects.get(pk=1).checkpoints_through == made[-1].size


def test_publishing_again_is_harmless_and_changes_nothing(admin: Elasticsearch) -> None:
    made = signed()
    ship.ship_waiting()
    before = published(admin)
    Checkpoint.objects.update(note=Checkpoint.objects.get().note.replace("— ", "— x"))
    Shipping.objects.update(checkpoints_through=0)
    ship.ship_waiting()
    assert published(admin) == before
    assert Shipping.objects.get(pk=1).checkpoints_through == made[-1].size


def test_the_writer_can_neither_overwrite_nor_delete_nor_read_them(writer: Elasticsearch) -> None:
    size = str(signed()[0].size)
    ship.ship_waiting()
    attempts: list[Callable[[], object]] = [
        lambda: writer.index(index=INDEX, id=size, document={"size": 1}),
        lambda: writer.delete(index=INDEX, id=size),
        lambda: writer.update(index=INDEX, id=size, doc={"head": "0"}),
        lambda: writer.indices.delete(index=INDEX),
        lambda: writer.search(index=INDEX),
    ]
    for attempt in attempts:
        with pytest.raises(AuthorizationException):
            attempt()


def test_the_reader_can_only_read_them(admin: Elasticsearch, reader: Elasticsearch) -> None:
    made = signed()
    ship.ship_waiting()
    admin.indices.refresh(index=INDEX)
    assert list(published_notes(reader)) == [made[0].note]
    with pytest.raises(AuthorizationException):
        reader.create(index=INDEX, id="1", document={"size": 1})


def test_what_is_no_checkpoint_is_refused(writer: Elasticsearch) -> None:
    with pytest.raises(BadRequestError, match="strict"):
        writer.create(index=INDEX, id="1", document={"size": 1, "surprise": 1})


def test_setting_up_again_keeps_what_was_published(admin: Elasticsearch) -> None:
    signed()
    ship.ship_waiting()
    before = published(admin)
    set_up(admin)
    assert published(admin) == before != {}


def test_where_the_index_is_missing_entries_are_shipped_and_checkpoints_wait(admin: Elasticsearch) -> None:
    made = signed()
    admin.indices.delete(index=INDEX)
    ship.ship_waiting()
    assert (ship.unshipped(), Shipping.objects.get(pk=1).checkpoints_through) == (0, 0)
    assert not ShippingFailure.objects.exists()
    set_up(admin)
    ship.ship_waiting()
    assert list(published(admin)) == [made[0].size]


def test_where_the_writer_may_not_publish_entries_are_shipped_and_checkpoints_wait(admin: Elasticsearch) -> None:
    made = signed()
    ours = admin.security.get_role(name="triage_writer")["triage_writer"]["indices"]
    admin.security.put_role(name="triage_writer", indices=[one for one in ours if one["names"] != [INDEX]])
    ship.ship_waiting()
    assert (ship.unshipped(), Shipping.objects.get(pk=1).checkpoints_through) == (0, 0)
    admin.security.put_role(name="triage_writer", indices=ours)
    ship.ship_waiting()
    assert list(published(admin)) == [made[0].size]


def test_a_row_that_is_no_note_holds_up_no_entry(admin: Elasticsearch) -> None:
    signed()
    Checkpoint.objects.update(note="nothing")
    ship.ship_waiting()
    assert (ship.unshipped(), Shipping.objects.get(pk=1).checkpoints_through) == (0, 0)


def test_where_both_hold_the_same_there_is_no_difference(admin: Elasticsearch, reader: Elasticsearch) -> None:
    signed(2)
    ship.ship_waiting()
    signed()
    assert differences(admin, reader) == []


def test_a_checkpoint_the_database_no_longer_holds_is_named(admin: Elasticsearch, reader: Elasticsearch) -> None:
    first, _ = signed(2)
    ship.ship_waiting()
    Checkpoint.objects.filter(size=first.size).delete()
    ((size, what),) = differences(admin, reader)
    assert (size, what) == (
        first.size,
        f"a checkpoint of {size} entries was published, and the database holds none of that size",
    )


def test_a_published_checkpoint_that_was_removed_is_missed(admin: Elasticsearch, reader: Elasticsearch) -> None:
    first, _ = signed(2)
    ship.ship_waiting()
    admin.delete(index=INDEX, id=str(first.size))
    ((size, what),) = differences(admin, reader)
    assert (size, "no longer in" in what) == (first.size, True)


def test_a_log_that_was_cut_is_betrayed_by_the_size_that_was_published(
    admin: Elasticsearch, reader: Elasticsearch
) -> None:
    first, second = signed(2)
    ship.ship_waiting()
    end = Entry.objects.get(seq=first.size)
    for table in ("tickets_decision", "tickets_entry"):
        tamper(table, f"DELETE FROM {table} WHERE seq > {end.seq}")
    LogHead.objects.update(seq=end.seq, hash=end.hash, at=end.at)
    Checkpoint.objects.filter(size=second.size).delete()
    assert verify().fault is None
    assert differences(admin, reader) == [
        (second.size, f"a checkpoint of {second.size} entries was published, and the log ends at {end.seq}")
    ]
    fault = verify(against=published_notes(reader)).fault
    assert fault is not None
    assert "its tail is gone" in fault.what


def test_a_chain_rewritten_and_signed_anew_is_betrayed_by_what_was_published(
    admin: Elasticsearch, reader: Elasticsearch
) -> None:
    first, second = signed(2)
    ship.ship_waiting()
    changed = Entry.objects.filter(kind="scored").earliest("seq").seq
    rewrite(changed)
    assert verify().fault is None, "the database alone is in order"
    assert [size for size, _ in differences(admin, reader)] == [first.size, second.size]
    assert all("another note" in what for _, what in differences(admin, reader))
    fault = verify(against=published_notes(reader)).fault
    assert fault is not None
    assert (fault.seq, "rewritten or split" in fault.what) == (first.size, True)


def test_only_checkpoints_within_the_range_are_compared(admin: Elasticsearch, reader: Elasticsearch) -> None:
    first, second = signed(2)
    ship.ship_waiting()
    Checkpoint.objects.all().delete()
    admin.indices.refresh(index=INDEX)
    assert [one.seq for one in compare(reader, last=first.size)] == [first.size]
    assert [one.seq for one in compare(reader, first=first.size + 1)] == [second.size]


def test_what_a_named_fork_lost_is_neither_a_difference_nor_held_against_the_log(
    admin: Elasticsearch, reader: Elasticsearch
) -> None:
    first, second = signed(2)
    ship.ship_waiting()
    end = Entry.objects.get(seq=first.size)
    for table in ("tickets_decision", "tickets_entry"):
        tamper(table, f"DELETE FROM {table} WHERE seq > {end.seq}")
    LogHead.objects.update(seq=end.seq, hash=end.hash, at=end.at)
    Checkpoint.objects.filter(size=second.size).delete()
    pipeline.fork_log("backup", second.note, pipeline.Actor("command"), "The disk failed")
    assert differences(admin, reader) == []
    report = verify(against=published_notes(reader))
    assert (report.fault, len(report.forks)) == (None, 1)


def test_a_forged_note_is_refused_when_it_is_held_against_the_log(admin: Elasticsearch, reader: Elasticsearch) -> None:
    (one,) = signed()
    ship.ship_waiting()
    forged = one.note.replace("\nhead ", "\nhead 0", 1)
    admin.update(index=INDEX, id=str(one.size), doc={"note": forged}, refresh=True)
    assert differences(admin, reader) == [
        (
            one.size,
            f"a checkpoint of {one.size} entries was published, and the database holds another note of that size",
        )
    ]
    assert verify(against=published_notes(reader)).fault is not None
