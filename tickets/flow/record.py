"""Step 5: write entries to the log. Every change of state that matters goes through `record`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tickets.flow.canonical import SCHEMA, chain_hash, decode, encode
from tickets.models import Decision, Entry, Kind, LogHead, Reason
from tickets.models.clock import database_now, microseconds, moment
from tickets.models.entry import DECISIONS
from tickets.models.input import digest_of, fresh_nonce


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has its place. subject: "ticket:12", "policy:3"; actor: "user:1", "key:2", "worker:name".

    reason: free text, stored beside the entry, which holds its digest alone.
    """

    kind: Kind
    subject: str
    actor: str
    content: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def record(drafts: Sequence[Draft]) -> list[Entry]:
    """Appends the drafts in order. Call it last in a transaction: it holds the head of the log until the end of it."""
    if not drafts:
        return []
    head = LogHead.objects.select_for_update().get(pk=1)
    at = max(microseconds(database_now()), head.at)
    entries, reasons = [], []
    for draft in drafts:
        entry, reason = _next(head, draft, at)
        entries.append(entry)
        reasons += [reason] if reason else []
        head.seq, head.hash, head.at = entry.seq, entry.hash, at
    Entry.objects.bulk_create(entries)
    if reasons:
        Reason.objects.bulk_create(reasons)
    Decision.objects.bulk_create(
        Decision(**decision_of(decode(bytes(entry.body)))) for entry in entries if entry.kind in DECISIONS
    )
    LogHead.objects.filter(pk=1).update(seq=head.seq, hash=head.hash, at=head.at)
    return entries


def decision_of(body: dict[str, Any]) -> dict[str, Any]:
    """The typed columns of an entry about a ticket, from its body alone, so that verifying can derive them again."""
    return {
        "entry_id": body["seq"],
        "at": moment(body["at"]),
        "ticket_id": body["ticket"],
        "input_version": body["input"]["version"],
        "kind": body["kind"],
        "cause": body.get("cause", ""),
        "actor": body["actor"],
        "score": body.get("score"),
        "threshold": body.get("threshold"),
        "confidence": body.get("confidence"),
        "verdict": body.get("verdict", ""),
        "queue": body["queue"],
        "needs_check": bool(body["needs_check"]),
        "policy_number": body["policy"],
        "model_name": body["model"]["name"] if "model" in body else "",
    }


def _next(head: LogHead, draft: Draft, at: int) -> tuple[Entry, Reason | None]:
    seq = head.seq + 1
    body = draft.content | {
        "schema": SCHEMA,
        "seq": seq,
        "at": at,
        "kind": draft.kind.value,
        "subject": draft.subject,
        "actor": draft.actor,
    }
    reason = None
    if draft.reason:
        reason = Reason(seq=seq, text=draft.reason, nonce=fresh_nonce())
        body["reason_digest"] = digest_of(reason.nonce, reason.text)
    encoded = encode(body)
    entry = Entry(
        seq=seq,
        at=at,
        kind=draft.kind.value,
        subject=draft.subject,
        actor=draft.actor,
        body=encoded,
        prev_hash=head.hash,
        hash=chain_hash(head.hash, encoded),
    )
    return entry, reason
