"""What a person or a program is told about a ticket's decision; read from the log, not thought up afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tickets.flow.explaining import explained_by
from tickets.models import Decision, Entry, Input, Kind, Queue, Reason, Ticket
from tickets.models.entry import AUTOMATIC

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of the scored text that moved the margin; weight in logits, positive towards urgent."""

    start: int
    end: int
    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The latest decision of a ticket, and the latest automatic one, whose score and evidence it shows.

    sentences: what leaving each of them out does to the margin, strongest first; empty until a worker has explained it.
    """

    decision: Decision
    scored: Decision | None
    calibration: str
    evidence: tuple[Mark, ...]
    sentences: tuple[Mark, ...]
    reason: str

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What to mark in the text: the model's own evidence, or the sentences where it gives none."""
        return self.evidence or self.sentences

    @property
    def is_uncalibrated(self) -> bool:
        return self.calibration == "uncalibrated"


def explain(ticket: Ticket) -> Explanation | None:
    """None while the ticket waits, and where its latest decision was archived. At most six queries."""
    latest = Decision.objects.filter(pk=ticket.decision_id).first() if ticket.decision_id else None
    if latest is None:
        return None
    scored = latest if latest.is_automatic else _latest_automatic(ticket)
    body = body_of(scored.seq) if scored else {}
    told = explained_by(scored) if scored else None
    text = _text(ticket, scored) if scored and (told or body.get("evidence")) else ""
    return Explanation(
        decision=latest,
        scored=scored,
        calibration=body.get("calibration", {}).get("version", ""),
        evidence=_marks(text, body.get("evidence", [])),
        sentences=_marks(text, told["sentences"] if told else []),
        reason=sentence(latest),
    )


def body_of(seq: int) -> dict[str, Any]:
    """The body of an entry. Raises Entry.DoesNotExist."""
    return json.loads(bytes(Entry.objects.values_list("body", flat=True).get(seq=seq)))


def sentence(decision: Decision) -> str:
    """Why, in one sentence: the comparison, or the person's own words."""
    if not decision.is_automatic:
        said = Reason.objects.filter(seq=decision.seq).values_list("text", flat=True).first()
        return said or {
            Kind.CONFIRMED: "A person confirmed the queue.",
            Kind.UNDONE: "A person took back their word.",
            Kind.EXPLAINED: "The model said which sentences moved the score.",
        }.get(Kind(decision.kind), "A person chose the queue.")
    comparison = "is above" if decision.verdict == Queue.URGENT else "is not above"
    said = f"The score {exact(decision.score)} {comparison} the threshold {exact(decision.threshold)}."
    if decision.kind == Kind.FALLBACK:
        said += " The keyword rules decided, because no model score came in time."
    if decision.verdict != decision.queue:
        said += f" A person had decided, so the ticket stays in the {decision.queue} queue."
    return said


def exact(millionths: int | None) -> str:
    """A probability with as many of its six decimals as it takes to tell it from its neighbour; never rounded."""
    if millionths is None:
        return ""
    whole, part = divmod(millionths, MILLION)
    digits = f"{part:06}".rstrip("0")
    return f"{whole}.{digits or '0'}"


def decisions_of(ticket: Ticket) -> Sequence[Decision]:
    return list(Decision.objects.with_calibration().filter(ticket_id=ticket.pk).order_by("-entry"))


def _latest_automatic(ticket: Ticket) -> Decision | None:
    return Decision.objects.filter(ticket_id=ticket.pk, kind__in=AUTOMATIC).order_by("-entry").first()


def _text(ticket: Ticket, scored: Decision) -> str:
    """The text that was scored; empty where the person was erased."""
    rows = Input.objects.filter(ticket=ticket, version=scored.input_version)
    return rows.values_list("text", flat=True).first() or ""


def _marks(text: str, evidence: list[list[int]]) -> tuple[Mark, ...]:
    return tuple(Mark(start, end, text[start:end], weight / MILLION) for start, end, weight in evidence)
