"""`manage.py setup_elasticsearch`: can be run again, and says what is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from elasticsearch import Elasticsearch

from tests.commands.running import output_of
from tests.factories import scored
from tests.installation import empty_elasticsearch
from tickets.audit import ship
from tickets.models import Entry

pytestmark = pytest.mark.django_db
NOBODY_THERE = "http://elastic:geheim@127.0.0.1:1"


@pytest.fixture
def empty(real_servers: None) -> Iterator[None]:
    empty_elasticsearch()
    yield
    empty_elasticsearch()


@pytest.mark.real
@pytest.mark.usefixtures("empty")
def test_run_twice_the_copy_can_still_be_written_and_read() -> None:
    first, second = output_of("setup_elasticsearch"), output_of("setup_elasticsearch")
    assert first == second == "Elasticsearch is ready: template, writer and reader are installed.\n"
    scored()
    assert ship.ship_waiting() == Entry.objects.count()
    with Elasticsearch(os.environ["ELASTICSEARCH_ADMIN_URL"]) as admin:
        admin.indices.refresh(index=ship.ALIAS)
    with Elasticsearch(os.environ["ELASTICSEARCH_READER_URL"]) as reader:
        assert reader.count(index=ship.ALIAS)["count"] == Entry.objects.count()


@pytest.mark.parametrize("missing", ["ELASTICSEARCH_URL", "ELASTICSEARCH_ADMIN_URL"])
def test_a_setting_that_is_missing_is_named(missing: str) -> None:
    urls = {"ELASTICSEARCH_URL": NOBODY_THERE, "ELASTICSEARCH_ADMIN_URL": NOBODY_THERE} | {missing: ""}
    with override_settings(**urls), pytest.raises(CommandError, match=f"Set {missing}, for example"):
        call_command("setup_elasticsearch")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (NOBODY_THERE, "Elasticsearch refused: Connection error"),
        ("elastic:geheim@127.0.0.1:9200", "ELASTICSEARCH_ADMIN_URL is no URL; write one like http://"),
        ("http://elastic:geheim@[", "ELASTICSEARCH_ADMIN_URL is no URL; write one like http://"),
    ],
)
def test_a_server_that_cannot_be_reached_is_told_without_its_password(url: str, says: str) -> None:
    settings = {"ELASTICSEARCH_URL": url, "ELASTICSEARCH_ADMIN_URL": url}
    with override_settings(**settings), pytest.raises(CommandError, match=says) as caught:
        call_command("setup_elasticsearch")
    assert "geheim" not in str(caught.value)


@pytest.mark.real
@pytest.mark.usefixtures("real_servers")
def test_a_writer_without_a_name_is_refused_with_an_example() -> None:
    says = "triage_writer names no user and password: http://user"
    with override_settings(ELASTICSEARCH_URL="http://127.0.0.1:9200"), pytest.raises(CommandError, match=says):
        call_command("setup_elasticsearch")
