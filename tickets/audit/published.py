"""Checkpoints as they were published, by the reader's credential: what the log was before anybody could rewrite it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from elasticsearch import Elasticsearch

from tickets.audit.notes import parse
from tickets.audit.publish import INDEX
from tickets.models import Checkpoint, Entry, Kind, LogHead, Shipping
from tickets.models.entry import bodies

_PAGE = 500


def published_notes(elasticsearch: Elasticsearch) -> Iterator[str]:
    """Signed notes by size, as somebody elsewhere would have kept them. Raises ApiError, TransportError.

    Without those of entries that the log itself says were lost: it goes on from a backup, and verifying names the fork.
    """
    for page in _pages(elasticsearch):
        yield from (document["note"] for document in page)


def published_differences(elasticsearch: Elasticsearch, first: int, last: int | None) -> Iterator[tuple[int, str]]:
    """Sizes from `first` to `last` (None: the end) at which the database and what was published differ, and in what.

    Raises ApiError, TransportError.
    """
    chosen = Checkpoint.objects.filter(size__gte=first)
    if last is not None:
        chosen = chosen.filter(size__lte=last)
    yield from _gone(elasticsearch, chosen.filter(size__lte=Shipping.objects.get(pk=1).checkpoints_through))
    for page in _pages(elasticsearch):
        within = [one for one in page if one["size"] >= first and (last is None or one["size"] <= last)]
        # Read after the page: what was signed and published meanwhile is known here, too.
        head = LogHead.objects.get(pk=1).seq
        stored = dict(chosen.filter(size__in=[one["size"] for one in within]).values_list("size", "note"))
        for one in within:
            if what := _difference(one, stored.get(one["size"]), head):
                yield one["size"], f"a checkpoint of {one['size']} entries was published, and {what}"


def _difference(document: dict[str, Any], stored: str | None, head: int) -> str:
    if document["size"] > head:
        return f"the log ends at {head}"
    if stored is None:
        return "the database holds none of that size"
    return "" if stored == document["note"] else "the database holds another note of that size"


def _gone(elasticsearch: Elasticsearch, shipped: Any) -> Iterator[tuple[int, str]]:
    """Got by id, which sees what was published a moment ago."""
    sizes = list(shipped.order_by("size").values_list("size", flat=True))
    for start in range(0, len(sizes), _PAGE):
        wanted = sizes[start : start + _PAGE]
        answers = elasticsearch.mget(index=INDEX, ids=[str(size) for size in wanted], source=False)["docs"]
        for size, answer in zip(wanted, answers, strict=True):
            if not answer.get("found"):
                yield size, f"the checkpoint of {size} entries was published, and is no longer in {INDEX}"


def _pages(elasticsearch: Elasticsearch) -> Iterator[list[dict[str, Any]]]:
    lost, after = _lost(), -1
    while True:
        hits = elasticsearch.search(index=INDEX, sort=["size"], search_after=[after], size=_PAGE)["hits"]["hits"]
        if not hits:
            return
        after = hits[-1]["sort"][0]
        documents = [hit["_source"] for hit in hits]
        yield [one for one in documents if not any(one["size"] in sizes for sizes in lost)]


def _lost() -> list[range]:
    """Sizes that the log had before it went on from a backup, by its own word."""
    forks = bodies(Entry.objects.filter(kind=Kind.FORKED).values_list("seq", flat=True)).values()
    return [range(body["after"] + 1, parse(body["lost"])[0].size + 1) for body in forks]
