"""Signed checkpoints go to Elasticsearch, where the application that made them can neither change nor delete them."""

from __future__ import annotations

import json
from typing import Any

import structlog
from elasticsearch import Elasticsearch

from tickets.audit import notes
from tickets.models import Checkpoint, Shipping
from tickets.models.clock import moment

INDEX = "triage-checkpoints"
_BATCH = 500
_CREATED, _PRESENT = 201, 409

log = structlog.get_logger(__name__)


def publish_batch(elasticsearch: Elasticsearch) -> int:
    """The next checkpoints by size; returns how many are there now that were not known to be.

    Raises what the client raises, and notes.NoteRefused for a row that is no note: the cursor stays then.
    """
    through = Shipping.objects.get(pk=1).checkpoints_through
    waiting = list(Checkpoint.objects.filter(size__gt=through).order_by("size")[:_BATCH])
    if not waiting:
        return 0
    operations = [part for checkpoint in waiting for part in _creation(checkpoint)]
    answers = elasticsearch.bulk(index=INDEX, operations=operations)["items"]
    published = 0
    for checkpoint, answer in zip(waiting, (answer["create"] for answer in answers), strict=True):
        # Whether what is present says the same is for `compare` to tell: here nothing could be done about it.
        if answer["status"] not in (_CREATED, _PRESENT):
            log.warning("not_published", size=checkpoint.size, error=json.dumps(answer.get("error"))[:300])
            break
        published += 1
    if published:
        last = waiting[published - 1].size
        # Never backwards: another shipper may be further.
        Shipping.objects.filter(pk=1, checkpoints_through__lt=last).update(checkpoints_through=last)
    return published


def document_of(note: str) -> dict[str, Any]:
    """The note as it was signed, and what it says. Raises notes.NoteRefused."""
    checkpoint, _ = notes.parse(note)
    return {
        "size": checkpoint.size,
        "at": moment(checkpoint.at).isoformat(),
        "origin": checkpoint.origin,
        "root": checkpoint.root.hex(),
        "head": checkpoint.head,
        "note": note,
    }


def _creation(checkpoint: Checkpoint) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"create": {"_id": str(checkpoint.size)}}, document_of(checkpoint.note)
