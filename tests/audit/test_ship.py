"""The copy in Elasticsearch: everything once, under a user who can only add, whatever fails on the way."""

from __future__ import annotations

import hashlib
import json

import pytest
from django.test import override_settings
from elasticsearch import ApiError, AuthorizationException, Elasticsearch

from tests.factories import CALM, scored
from tickets import pipeline
from tickets.audit import ship
from tickets.audit.verifying import Range
from tickets.models import Entry, Kind, Shipping, ShippingFailure

pytestmark = [pytest.mark.django_db, pytest.mark.real, pytest.mark.usefixtures("real_servers", "empty")]


def copied(admin: Elasticsearch) -> dict[int, dict[str, object]]:
    admin.indices.refresh(index=ship.ALIAS)
    hits = admin.search(index=ship.ALIAS, size=1_000, sort="seq")["hits"]["hits"]
    return {hit["_source"]["seq"]: hit["_source"] for hit in hits}


def test_switched_on_late_it_starts_at_the_first_entry(admin: Elasticsearch) -> None:
    scored()
    ship.ship_waiting()
    assert list(copied(admin)) == list(Entry.objects.values_list("seq", flat=True))
    assert ship.unshipped() == 0


def test_a_worker_that_verifies_ships_what_is_recorded_meanwhile(admin: Elasticsearch) -> None:
    scored()
    pipeline.ask_for_verification(Range(), pipeline.Actor("user:1"))
    pipeline.run_job("test")
    result = Entry.objects.get(kind=Kind.VERIFIED)
    assert list(copied(admin)) == list(range(1, result.seq))


def test_the_copy_holds_the_bytes_that_were_hashed(admin: Elasticsearch) -> None:
    entry = Entry.objects.get(pk=scored().decision_id)
    ship.ship_waiting()
    document = copied(admin)[entry.seq]
    body = str(document["body"]).encode()
    assert hashlib.sha256(bytes.fromhex(entry.prev_hash) + body).hexdigest() == document["hash"] == entry.hash
    assert document["queue"] == json.loads(body)["queue"]


def test_shipping_again_is_harmless(admin: Elasticsearch) -> None:
    scored()
    ship.ship_waiting()
    before = copied(admin)
    Shipping.objects.update(shipped_through=0)
    ship.ship_waiting()
    assert copied(admin) == before
    assert not ShippingFailure.objects.exists()


def test_the_writer_can_neither_overwrite_nor_delete_nor_read(admin: Elasticsearch, writer: Elasticsearch) -> None:
    entry = Entry.objects.get(pk=scored().decision_id)
    ship.ship_waiting()
    index = ship.index_of(entry, 1)
    for attempt in (
        lambda: writer.index(index=index, id=str(entry.seq), document={"seq": 1}),
        lambda: writer.delete(index=index, id=str(entry.seq)),
        lambda: writer.update(index=index, id=str(entry.seq), doc={"queue": "standard"}),
        lambda: writer.indices.delete(index=index),
        lambda: writer.search(index=index),
    ):
        with pytest.raises(AuthorizationException):
            attempt()


def test_the_reader_can_only_read(admin: Elasticsearch, reader: Elasticsearch) -> None:
    entry = Entry.objects.get(pk=scored().decision_id)
    ship.ship_waiting()
    admin.indices.refresh(index=ship.ALIAS)
    assert reader.count(index=ship.ALIAS)["count"] == entry.seq
    with pytest.raises(AuthorizationException):
        reader.create(index=ship.index_of(entry, 1), id="x", document={"seq": 0})


def test_a_field_that_the_mapping_does_not_know_is_refused(admin: Elasticsearch, writer: Elasticsearch) -> None:
    entry = Entry.objects.get(pk=scored().decision_id)
    with pytest.raises(ApiError, match="strict"):
        writer.create(index=ship.index_of(entry, 1), id="x", document={"seq": 0, "surprise": 1})


def test_without_elasticsearch_the_cursor_stays() -> None:
    scored()
    with override_settings(ELASTICSEARCH_URL="http://triage_writer:x@127.0.0.1:1"):
        assert ship.ship_waiting() == 0
    assert ship.unshipped() == Entry.objects.count()


def test_where_the_index_is_blocked_for_a_while_nothing_is_skipped(admin: Elasticsearch) -> None:
    entry = Entry.objects.get(pk=scored().decision_id)
    ship.ship_waiting()
    scored(CALM)
    admin.indices.put_settings(index=ship.index_of(entry, 1), settings={"index.blocks.write": True})
    assert ship.ship_waiting() == 0
    assert ship.unshipped() == 1
    admin.indices.put_settings(index=ship.index_of(entry, 1), settings={"index.blocks.write": False})
    assert ship.ship_waiting() == 1
    assert list(copied(admin)) == list(Entry.objects.values_list("seq", flat=True))
    assert not ShippingFailure.objects.exists()


def test_an_entry_that_is_refused_for_good_is_named_and_holds_up_no_other(admin: Elasticsearch) -> None:
    entry = Entry.objects.get(pk=scored().decision_id)
    index = ship.index_of(entry, 1)
    # Somebody made the index of the month by hand, with another type for a field.
    admin.indices.create(index=index, mappings={"dynamic": "strict", "properties": {"queue": {"type": "integer"}}})
    ship.ship_waiting()
    assert ship.unshipped() == 0
    failures = list(ShippingFailure.objects.values_list("seq", flat=True))
    assert failures == [entry.seq]
