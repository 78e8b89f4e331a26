"""The copy in Elasticsearch, when the beginning of the log is archived."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from tests.audit.aged_log import FEBRUARY, archive, months
from tests.factories import URGENT, scored
from tickets.audit import ship
from tickets.audit.compare import compare
from tickets.audit.search_elasticsearch import find
from tickets.audit.search_query import Query
from tickets.models import Entry

pytestmark = [pytest.mark.django_db, pytest.mark.real, pytest.mark.usefixtures("real_servers", "empty")]


def test_the_copys_months_go_with_theirs_and_the_rest_agrees(
    tmp_path: Path,
    settings: Any,
    admin: Elasticsearch,
    reader: Elasticsearch,
) -> None:
    settings.ELASTICSEARCH_URL = os.environ["ELASTICSEARCH_URL"]
    settings.ELASTICSEARCH_ADMIN_URL = os.environ["ELASTICSEARCH_ADMIN_URL"]
    months()
    scored(URGENT)
    ship.ship_waiting()
    first = ship.index_of(Entry.objects.get(seq=1), 1)
    printed = archive(tmp_path / "files", FEBRUARY)
    assert [line for line in printed.splitlines() if "index" in line] == [f"Dropped the index {first}"]
    assert f"{ship.indices_of(1)}2098.01" in admin.indices.get(index=f"{ship.ALIAS}-g*")
    ship.ship_waiting()
    admin.indices.refresh(index=ship.ALIAS)
    assert list(compare(reader)) == []
    assert [row.is_only_in_copy for row in find(Query(), 10, reader).rows] == [False]
