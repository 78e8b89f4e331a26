"""The Elasticsearch copy against the database, by the reader's credential: two witnesses that should say the same.

Documents are got by id, which sees what was written a moment ago; what the copy has beyond the log is searched for,
and so are published checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch

from tickets.audit.archive import archived_through
from tickets.audit.published import published_differences, published_notes
from tickets.audit.ship import ALIAS, document_of, index_of
from tickets.models import Entry, LogHead, Shipping

__all__ = ["Difference", "compare", "published_notes"]
_CHUNK = 500
_EXTRA_SHOWN = 100
_HASHED = ("hash", "prev_hash", "body")


@dataclass(frozen=True, slots=True)
class Difference:
    """An entry, or a checkpoint of so many, about which the two witnesses differ, and in what."""

    seq: int
    what: str


def compare(
    elasticsearch: Elasticsearch, first: int = 1, last: int | None = None, progress: Callable[[int], object] = int
) -> Iterator[Difference]:
    """What was shipped of the entries `first` to `last`, in order, and what the copy has beyond the log.

    Of entries that were archived nothing is said: their indices may be gone, too.
    Raises ApiError, TransportError.
    """
    shipping = Shipping.objects.get(pk=1)
    until = shipping.shipped_through if last is None else min(last, shipping.shipped_through)
    for start in range(max(first, archived_through() + 1), until + 1, _CHUNK):
        end = min(start + _CHUNK - 1, until)
        entries = list(Entry.objects.filter(seq__gte=start, seq__lte=end).order_by("seq"))
        yield from _chunk(elasticsearch, entries, shipping.generation)
        progress(end)
    yield from (Difference(*one) for one in published_differences(elasticsearch, first, last))
    if last is None:
        yield from _beyond(elasticsearch)


def _chunk(elasticsearch: Elasticsearch, entries: Sequence[Entry], generation: int) -> Iterator[Difference]:
    if not entries:
        return
    wanted = [{"_index": index_of(entry, generation), "_id": str(entry.seq)} for entry in entries]
    answers = elasticsearch.mget(docs=wanted)["docs"]
    for entry, answer in zip(entries, answers, strict=True):
        if what := _difference(entry, answer, index_of(entry, generation)):
            yield Difference(entry.seq, what)


def _difference(entry: Entry, answer: dict[str, Any], index: str) -> str:
    """Empty where they agree. Hash and bytes first: they say whose word is in doubt."""
    if not answer.get("found"):
        return f"the copy lacks it (it should be in {index})"
    here, there = document_of(entry), answer["_source"]
    for name in (*_HASHED, *sorted(here.keys() | there.keys())):
        if here.get(name) != there.get(name):
            return f"{name} is {here.get(name)!r} in the log and {there.get(name)!r} in the copy"
    return ""


def _beyond(elasticsearch: Elasticsearch) -> Iterator[Difference]:
    """Where the copy remembers more than the log has, the log was cut or a backup was restored."""
    head = LogHead.objects.get(pk=1).seq
    hits = elasticsearch.search(
        index=ALIAS, query={"range": {"seq": {"gt": head}}}, sort=["seq"], size=_EXTRA_SHOWN, source=["seq", "hash"]
    )["hits"]["hits"]
    for hit in hits:
        found = hit["_source"]
        yield Difference(found["seq"], f"the copy has it with hash {found['hash']}, and the log ends at {head}")
