"""The auditor's search: asks the log's copy where there is one, and the database where the copy cannot answer.

The text of reasons is searched in the database alone, whichever store answers the rest. It is personal data beside the
entry, and erasing a person deletes it; the copy's writer can only add, so what it held could not be erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import structlog
from django.conf import settings
from elasticsearch import (
    ApiError,
    AuthenticationException,
    AuthorizationException,
    ConnectionTimeout,
    Elasticsearch,
    NotFoundError,
    TransportError,
)

from tickets.audit import search_database, search_elasticsearch, ship
from tickets.audit.search_query import Found, Query
from tickets.models import ShippingFailure

PATIENCE = 2
"""Seconds the copy has for each of its two searches."""

_PROBLEMS: dict[type[Exception], str] = {
    ConnectionTimeout: f"It did not answer within {PATIENCE} seconds.",
    NotFoundError: "It holds no copy of the log yet.",
    AuthenticationException: "It refused the reader's name or password.",
    AuthorizationException: "It refused the reader.",
    ValueError: "ELASTICSEARCH_READER_URL is no URL.",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and by which store.

    behind, refused: entries that the copy lacks since they were not yet sent, or since it refused them; None where the
    database answered. problem: why the copy could not answer, or empty.
    """

    found: Found
    behind: int | None = None
    refused: int | None = None
    problem: str = ""

    @property
    def is_from_copy(self) -> bool:
        return self.behind is not None


def search(query: Query, size: int, index: str = ship.ALIAS) -> Answer:
    """At most `size` rows, latest first. index: where the copy is."""
    if not settings.ELASTICSEARCH_READER_URL or query.reason:
        return Answer(search_database.find(query, size))
    try:
        found = search_elasticsearch.find(query, size, _reader(settings.ELASTICSEARCH_READER_URL), index)
    except (ApiError, TransportError, ValueError) as error:
        problem = _PROBLEMS.get(type(error), "It could not be reached or failed; the log of the web process has more.")
        # The message of a ValueError repeats the URL, password and all.
        detail = "" if isinstance(error, ValueError) else str(error)[:300]
        log.warning("search_fell_back", problem=problem, error=detail, consequence="the database answers")
        return Answer(search_database.find(query, size), problem=problem)
    return Answer(found, ship.unshipped(), ShippingFailure.objects.count())


@cache
def _reader(url: str) -> Elasticsearch:
    """One for each process: its connections are used again."""
    return ship.client(url).options(request_timeout=PATIENCE)
