"""The auditor's search: asks the log's copy where there is one, and the database where the copy cannot answer.

The text of reasons is searched in the database alone, whichever store answers the rest. It is personal data beside the
entry, and erasing a person deletes it; the copy's writer can only add, so what it held could not be erased.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from tickets.audit import copy_reader, search_database, search_elasticsearch, ship
from tickets.audit.search_query import Found, Query
from tickets.models import ShippingFailure

PATIENCE = 2
"""Seconds the copy has for each of its two searches."""


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
        found = search_elasticsearch.find(query, size, copy_reader.reader(PATIENCE), index)
    except copy_reader.FAILURES as error:
        return Answer(search_database.find(query, size), problem=copy_reader.problem_of(error, PATIENCE))
    return Answer(found, ship.unshipped(), ShippingFailure.objects.count())
