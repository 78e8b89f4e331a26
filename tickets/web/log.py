"""Entries of the log as their pages show them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Exists, OuterRef, Q, Subquery
from django.http import Http404

from tickets.audit.archive import archive_of
from tickets.audit.explain import MILLION, Mark
from tickets.flow.canonical import chain_hash
from tickets.models import Archive, Checkpoint, Decision, Entry, Input, LegalHold, Reason
from tickets.models.entry import DECISIONS
from tickets.models.input import digest_of
from tickets.web.names import names_of

_OTHERS_SHOWN = 200
_OTHER_SUBJECTS = (
    *("calibration:", "entry:", "key:", "log", "model:"),
    *("page:", "person:", "policy:", "timeline:", "user:"),
)
_LATER_SHOWN = 50
_NUMBERS = re.compile(r"\[\n\s+([-\d.eE+,\s]+?)\n\s+\]")


@dataclass(frozen=True, slots=True)
class EntryPage:
    """recomputed: the hash that the bytes and the entry before give; bytes_hash: SHA-256 of the bytes alone.

    checkpoint: the size of the first signed one that the entry is in. is_forged_text, is_forged_reason: what is stored
    is not what the entry has a digest of.
    """

    entry: Entry
    who: str
    body: dict[str, Any]
    pretty: str
    bytes_hash: str
    recomputed: str
    links_to_previous: bool
    previous: Entry | None
    following: Entry | None
    ticket_id: int | None
    text: Input | None
    is_forged_text: bool
    evidence: Sequence[Mark]
    reason: str
    is_forged_reason: bool
    later: Sequence[Decision]
    checkpoint: int | None

    @property
    def matches(self) -> bool:
        return self.recomputed == self.entry.hash and self.links_to_previous

    @property
    def is_decision(self) -> bool:
        return self.entry.kind in DECISIONS


@dataclass(frozen=True, slots=True)
class ArchivedPage:
    """What is left here of an entry that left."""

    seq: int
    archive: Archive


def entry_page(seq: int) -> EntryPage | ArchivedPage:
    """In at most five queries, or six for the first one behind an archive. Raises Http404."""
    signed = Checkpoint.objects.filter(size__gte=OuterRef("seq")).order_by("size").values("size")[:1]
    around = Entry.objects.filter(seq__gte=seq - 1, seq__lte=seq + 1).annotate(
        checkpoint=Subquery(signed), is_archived=Exists(Archive.objects.filter(through__gte=OuterRef("seq")))
    )
    near = {entry.seq: entry for entry in around}
    entry, previous = near.get(seq), near.get(seq - 1)
    if entry is None or entry.is_archived:
        return _archived_page(seq)
    raw = bytes(entry.body)
    body = _body(raw)
    ticket_id = body.get("ticket")
    text, reason = _text(body), Reason.objects.filter(pk=seq).first()
    return EntryPage(
        entry=entry,
        who=names_of([entry.actor])[entry.actor],
        body=body,
        pretty=_pretty(body) if body else raw.decode(errors="replace"),
        bytes_hash=hashlib.sha256(raw).hexdigest(),
        recomputed=chain_hash(entry.prev_hash, raw),
        links_to_previous=_hash_before(entry, previous) == entry.prev_hash,
        previous=previous,
        following=near.get(seq + 1),
        ticket_id=ticket_id,
        text=text,
        is_forged_text=text is not None and digest_of(text.nonce, text.text) != body["input"].get("digest"),
        evidence=_evidence(text, body),
        reason=reason.text if reason else "",
        is_forged_reason=reason is not None and digest_of(reason.nonce, reason.text) != body.get("reason_digest"),
        later=_later(ticket_id, seq),
        checkpoint=entry.checkpoint,
    )


def _body(raw: bytes) -> dict[str, Any]:
    """Empty where somebody put in what is no JSON object: the page shows the bytes then, and that they do not match."""
    try:
        body = json.loads(raw)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _pretty(body: dict[str, Any]) -> str:
    """As JSON to read, a list of numbers on one line. No string can look so: none holds a raw line break."""
    spread = json.dumps(body, indent=2, ensure_ascii=False, sort_keys=True)
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", spread)


def _archived_page(seq: int) -> ArchivedPage:
    archive = archive_of(seq)
    if archive is None:
        raise Http404(f"There is no entry {seq} in the log.")
    return ArchivedPage(seq, archive)


def other_entries() -> list[Entry]:
    """The latest entries that are no decisions. By what they are about, which is indexed: they are few."""
    about = reduce(or_, (Q(subject__startswith=noun) for noun in _OTHER_SUBJECTS))
    holds = [seq for pair in LegalHold.objects.values_list("seq", "released_seq") for seq in pair if seq]
    return list(Entry.objects.filter(about | Q(seq__in=holds)).order_by("-seq")[:_OTHERS_SHOWN])


def _hash_before(entry: Entry, previous: Entry | None) -> str:
    """Of the entry before, or of the end of the archive it is in. Before the first one, what that says itself."""
    if previous:
        return previous.hash
    archived = Archive.objects.filter(through=entry.seq - 1).values_list("head", flat=True).first()
    return archived or entry.prev_hash


def _text(body: dict[str, Any]) -> Input | None:
    """The text as it was; None for entries without one and where the person was erased."""
    if "ticket" not in body or "input" not in body:
        return None
    return Input.objects.filter(ticket_id=body["ticket"], version=body["input"]["version"]).first()


def _evidence(text: Input | None, body: dict[str, Any]) -> list[Mark]:
    if text is None:
        return []
    marks = body.get("evidence") or body.get("sentences", [])
    return [Mark(start, end, text.text[start:end], weight / MILLION) for start, end, weight in marks]


def _later(ticket_id: int | None, seq: int) -> list[Decision]:
    if ticket_id is None:
        return []
    return list(Decision.objects.filter(ticket_id=ticket_id, entry__gt=seq).order_by("entry")[:_LATER_SHOWN])
