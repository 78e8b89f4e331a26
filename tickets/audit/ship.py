"""The log's copy in Elasticsearch. Entries have no gaps, so a cursor says how far it is; a repeat is harmless."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from elasticsearch import ApiError, Elasticsearch, TransportError

from tickets.audit.notes import NoteRefused
from tickets.audit.publish import publish_batch
from tickets.flow.canonical import decode
from tickets.models import Archive, Entry, Shipping, ShippingFailure
from tickets.models.clock import moment

ALIAS = "triage-decisions"
BATCH = 1_000
_CREATED, _PRESENT, _REFUSED = 201, 409, 400

log = structlog.get_logger(__name__)


def client(url: str) -> Elasticsearch:
    """No retries here: the cursor is the retry."""
    return Elasticsearch(url, request_timeout=30, max_retries=0)


def ship_waiting() -> int:
    """Ships batch after batch until the copy has every entry, and then every checkpoint; returns how many entries.

    Stops quietly where Elasticsearch cannot be reached or refuses.
    """
    if not settings.ELASTICSEARCH_URL:
        return 0
    with client(settings.ELASTICSEARCH_URL) as elasticsearch:
        shipped = _until_done(ship_batch, elasticsearch)
        _until_done(publish_batch, elasticsearch)
    return shipped


def _until_done(batch: Callable[[Elasticsearch], int], elasticsearch: Elasticsearch) -> int:
    done = 0
    try:
        while count := batch(elasticsearch):
            done += count
    except (ApiError, TransportError, NoteRefused) as error:
        log.warning("shipping_paused", error=str(error)[:300], consequence="sweep will try again")
    return done


def ship_batch(elasticsearch: Elasticsearch) -> int:
    """The next entries after the cursor; returns how many. Raises what the client raises: the cursor stays then.

    Two shippers at once may send the same entries; the second is told they are present.
    """
    shipping = Shipping.objects.get(pk=1)
    entries = list(Entry.objects.filter(seq__gt=shipping.shipped_through).order_by("seq")[:BATCH])
    if not entries:
        return 0
    results = [
        item["create"] for item in elasticsearch.bulk(operations=operations(entries, shipping.generation))["items"]
    ]
    answered = list(takewhile(lambda pair: _is_final(pair[1]), zip(entries, results, strict=True)))
    if not answered:
        log.warning("shipping_paused", error=json.dumps(results[0])[:300], consequence="sweep will try again")
        return 0
    failures = _failures(answered)
    with transaction.atomic():
        ShippingFailure.objects.bulk_create(
            failures, update_conflicts=True, unique_fields=["seq"], update_fields=["error", "at"]
        )
        # Never backwards: another shipper may be further. And only in the generation these entries went to.
        last = answered[-1][0].seq
        rows = Shipping.objects.filter(pk=1, generation=shipping.generation, shipped_through__lt=last)
        rows.update(shipped_through=last)
    return len(answered)


def unshipped() -> int:
    """How many entries the copy lacks that are here."""
    last = Entry.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    archive = Archive.latest()
    return last - max(Shipping.objects.get(pk=1).shipped_through, archive.through if archive else 0)


def index_of(entry: Entry, generation: int) -> str:
    """One index a UTC month of the entry, under a generation that re-indexing raises."""
    return f"{indices_of(generation)}{moment(entry.at):%Y.%m}"


def indices_of(generation: int) -> str:
    """What the names of a generation's indices begin with."""
    return f"{ALIAS}-g{generation:02}-"


def document_of(entry: Entry) -> dict[str, Any]:
    """What is searchable about an entry, and its bytes as they were hashed."""
    body = decode(bytes(entry.body))
    document = {
        "seq": entry.seq,
        "at": moment(entry.at).isoformat(),
        "kind": entry.kind,
        "subject": entry.subject,
        "actor": entry.actor,
        "hash": entry.hash,
        "prev_hash": entry.prev_hash,
        "body": bytes(entry.body).decode(),
    }
    return document | {name: value for name, value in _typed(body).items() if value not in (None, "")}


def _typed(body: dict[str, Any]) -> dict[str, Any]:
    milliseconds, judged = body.get("milliseconds", {}), body.get("judges", {})
    return {name: body.get(name) for name in ("ticket", "score", "threshold", "confidence", "verdict", "queue")} | {
        "previous_queue": body.get("previous_queue"),
        "cause": body.get("cause"),
        "needs_check": bool(body["needs_check"]) if "needs_check" in body else None,
        "policy": body.get("policy"),
        "model": body["model"]["name"] if "model" in body else None,
        "input_version": body["input"]["version"] if "input" in body else None,
        "milliseconds_total": milliseconds.get("total"),
        "milliseconds_score": milliseconds.get("score"),
        "judged_seq": judged.get("seq"),
        "judged_at": moment(judged["at"]).isoformat() if judged else None,
        "judged_model": judged.get("model"),
        "judged_verdict": judged.get("verdict"),
    }


def operations(entries: Sequence[Entry], generation: int) -> list[dict[str, Any]]:
    """Of a bulk request that creates and never overwrites."""
    operations: list[dict[str, Any]] = []
    for entry in entries:
        operations += [{"create": {"_index": index_of(entry, generation), "_id": str(entry.seq)}}, document_of(entry)]
    return operations


def _is_final(result: dict[str, Any]) -> bool:
    """Whether asking again would bring the same answer. A full disk, a blocked index or a full queue will pass."""
    return result["status"] in (_CREATED, _PRESENT, _REFUSED)


def _failures(answered: Sequence[tuple[Entry, dict[str, Any]]]) -> list[ShippingFailure]:
    failures = []
    for entry, result in answered:
        if result["status"] == _REFUSED:
            error = json.dumps(result.get("error", {}))[:500]
            failures.append(ShippingFailure(seq=entry.seq, error=error))
            log.error("not_shipped", seq=entry.seq, error=error)
    return failures
