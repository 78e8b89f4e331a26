"""Pages in this process search the database of the test; those that want the log's copy say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings


@pytest.fixture(autouse=True)
def the_database_answers() -> Iterator[None]:
    with override_settings(ELASTICSEARCH_READER_URL=""):
        yield
