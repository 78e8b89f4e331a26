"""The reader's way to the log's copy, and in a sentence why it could not answer."""

from __future__ import annotations

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

from tickets.audit import ship

FAILURES = (ApiError, TransportError, ValueError)
"""What asking may raise. The message of a ValueError repeats the URL, password and all."""

_PROBLEMS: dict[type[Exception], str] = {
    ConnectionTimeout: "It did not answer within {patience} seconds.",
    NotFoundError: "It holds no copy of the log yet.",
    AuthenticationException: "It refused the reader's name or password.",
    AuthorizationException: "It refused the reader.",
    ValueError: "ELASTICSEARCH_READER_URL is no URL.",
}

log = structlog.get_logger(__name__)


def reader(patience: float) -> Elasticsearch:
    """patience: seconds for an answer. Raises ValueError."""
    return _client(settings.ELASTICSEARCH_READER_URL).options(request_timeout=patience)


def problem_of(error: Exception, patience: float) -> str:
    """For the page; the details go to the log of the process. patience: seconds it had."""
    problem = _PROBLEMS.get(type(error), "It could not be reached or failed; the log of the web process has more.")
    problem = problem.format(patience=patience)
    detail = "" if isinstance(error, ValueError) else str(error)[:300]
    log.warning("copy_could_not_answer", problem=problem, error=detail, consequence="the database answers")
    return problem


@cache
def _client(url: str) -> Elasticsearch:
    """One for each process: its connections are used again."""
    return ship.client(url)
