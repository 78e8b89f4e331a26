"""The log's copy as its admin, its writer and its reader see it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch

from tests.installation import empty_elasticsearch
from tickets.audit.elasticsearch import install


@pytest.fixture(scope="module")
def admin() -> Iterator[Elasticsearch]:
    with Elasticsearch(os.environ["ELASTICSEARCH_ADMIN_URL"]) as client:
        install(client, os.environ["ELASTICSEARCH_URL"], os.environ["ELASTICSEARCH_READER_URL"])
        yield client


@pytest.fixture
def writer() -> Iterator[Elasticsearch]:
    with Elasticsearch(os.environ["ELASTICSEARCH_URL"], max_retries=0) as client:
        yield client


@pytest.fixture
def reader() -> Iterator[Elasticsearch]:
    with Elasticsearch(os.environ["ELASTICSEARCH_READER_URL"]) as client:
        yield client


@pytest.fixture
def empty(admin: Elasticsearch) -> Iterator[None]:
    """No document, before and after."""
    empty_elasticsearch()
    yield
    empty_elasticsearch()
