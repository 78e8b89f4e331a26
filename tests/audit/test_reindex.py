"""The copy built anew: searches and shipping go on, nothing is lost between the generations."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from elasticsearch import Elasticsearch

from tests.commands.running import output_of
from tests.factories import CALM, scored
from tickets.audit import ship
from tickets.audit.compare import compare
from tickets.audit.elasticsearch import install
from tickets.audit.reindex import reindex
from tickets.models import Entry, Shipping, ShippingFailure

pytestmark = [pytest.mark.django_db, pytest.mark.real, pytest.mark.usefixtures("real_servers", "empty")]


@pytest.fixture(autouse=True)
def back_to_the_first(admin: Elasticsearch) -> Any:
    yield
    install(admin, os.environ["ELASTICSEARCH_URL"], os.environ["ELASTICSEARCH_READER_URL"])


def in_the_alias(admin: Elasticsearch) -> set[str]:
    return {index.split("-")[2] for index in admin.indices.get_alias(name=ship.ALIAS)}


def searched(admin: Elasticsearch) -> list[int]:
    admin.indices.refresh(index=ship.ALIAS)
    return [hit["_source"]["seq"] for hit in admin.search(index=ship.ALIAS, size=1_000, sort="seq")["hits"]["hits"]]


def every_seq() -> list[int]:
    return list(Entry.objects.order_by("seq").values_list("seq", flat=True))


def test_the_new_generation_has_everything_once_and_takes_the_old_ones_place(
    admin: Elasticsearch, reader: Elasticsearch
) -> None:
    scored()
    ship.ship_waiting()
    assert "Generation 2 is in place" in output_of("reindex_decisions")
    assert in_the_alias(admin) == {"g02"}
    assert searched(admin) == every_seq()
    assert list(compare(reader)) == []


def test_what_is_decided_afterwards_goes_to_the_new_one(admin: Elasticsearch, reader: Elasticsearch) -> None:
    scored()
    reindex(admin)
    scored(CALM)
    ship.ship_waiting()
    assert searched(admin) == every_seq()
    assert list(compare(reader)) == []


def test_what_was_shipped_to_the_old_one_meanwhile_is_in_the_new_one_too(
    admin: Elasticsearch, reader: Elasticsearch
) -> None:
    scored()
    ship.ship_waiting()

    def meanwhile(built: int) -> None:
        if Entry.objects.latest("seq").seq == built:
            scored(CALM)
            ship.ship_waiting()

    calls = iter([True, False, False, False])
    reindex(admin, lambda built: meanwhile(built) if next(calls) else None)
    ship.ship_waiting()
    assert searched(admin) == every_seq()
    assert list(compare(reader)) == []


def test_what_the_old_one_refused_is_no_failure_any_more(admin: Elasticsearch, reader: Elasticsearch) -> None:
    scored()
    for seq in (1, 2**40):
        ShippingFailure.objects.create(seq=seq, error="somebody made an index by hand")
    reindex(admin)
    assert not ShippingFailure.objects.exists()
    ship.ship_waiting()
    assert list(compare(reader)) == []


def test_a_shipper_that_began_before_the_swap_does_not_move_the_new_cursor(admin: Elasticsearch) -> None:
    scored()
    reindex(admin)
    Shipping.objects.update(shipped_through=0)
    with ship.client(os.environ["ELASTICSEARCH_URL"]) as writer:
        asked = writer.bulk

        class Swapping:
            def bulk(self, **request: Any) -> Any:
                Shipping.objects.update(generation=3)
                return asked(**request)

        ship.ship_batch(Swapping())  # type: ignore[arg-type]
    assert Shipping.objects.get(pk=1).shipped_through == 0


def test_setting_up_again_keeps_the_generation(admin: Elasticsearch) -> None:
    scored()
    reindex(admin)
    output_of("setup_elasticsearch")
    (template,) = admin.indices.get_index_template(name=f"{ship.ALIAS}-g02")["index_templates"]
    assert template["index_template"]["template"]["aliases"] == {ship.ALIAS: {}}


def test_without_a_server_the_old_copy_stays(settings: Any) -> None:
    settings.ELASTICSEARCH_ADMIN_URL = "http://elastic:secret@127.0.0.1:9"
    with pytest.raises(CommandError, match="the old copy stays") as refused:
        call_command("reindex_decisions")
    assert "secret" not in str(refused.value)
    assert Shipping.objects.get(pk=1).generation == 1
