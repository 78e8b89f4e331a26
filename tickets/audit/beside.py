"""What stands beside entries: derived decisions, and digests of figures and of those reasons and texts still stored."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import TextField
from django.db.models.functions import Cast

from tickets.flow.canonical import figures_digest
from tickets.models import Decision, Evaluation, Input, Reason
from tickets.models.input import digest_of

# In the order of the model, which is also that of `decision_of`.
_DECISION_COLUMNS = tuple(column.attname for column in Decision._meta.concrete_fields)  # noqa: SLF001
_TICKET, _VERSION = _DECISION_COLUMNS.index("ticket_id"), _DECISION_COLUMNS.index("input_version")
_TEXTS_HELD = 100


@dataclass(frozen=True, slots=True)
class Beside:
    """decisions: columns by seq; figures, reasons: digests by seq; texts: digests by ticket and version."""

    decisions: dict[int, tuple[Any, ...]]
    figures: dict[int, str]
    reasons: dict[int, str]
    texts: dict[tuple[int, int], str]


def beside(first: int, last: int) -> Beside:
    """Entries `first` to `last`, in four queries. Texts may be long: few are held at a time."""
    rows = Decision.objects.filter(entry__gte=first, entry__lte=last).values_list(*_DECISION_COLUMNS)
    decisions = {row[0]: row for row in rows}
    measured = Evaluation.objects.filter(seq__gte=first, seq__lte=last).annotate(json=Cast("figures", TextField()))
    figures = {seq: _digest_of_figures(found) for seq, found in measured.values_list("seq", "json")}
    said = Reason.objects.filter(seq__gte=first, seq__lte=last).values_list("seq", "nonce", "text")
    reasons = {seq: digest_of(nonce, text) for seq, nonce, text in said}
    return Beside(decisions, figures, reasons, _texts((row[_TICKET], row[_VERSION]) for row in decisions.values()))


def _digest_of_figures(stored: str) -> str:
    """They may be anything by now; what no evaluation can have measured has no digest."""
    try:
        return figures_digest(json.loads(stored))
    except (TypeError, AttributeError, ValueError, ArithmeticError, RecursionError):
        return "of no figures"


def _texts(decided_on: Iterable[tuple[int, int]]) -> dict[tuple[int, int], str]:
    wanted = set(decided_on)
    tickets, versions = {ticket for ticket, _ in wanted}, {version for _, version in wanted}
    rows = Input.objects.filter(ticket__in=tickets, version__in=versions)
    texts = rows.values_list("ticket_id", "version", "nonce", "text").iterator(_TEXTS_HELD)
    return {
        (ticket, version): digest_of(nonce, text)
        for ticket, version, nonce, text in texts
        if (ticket, version) in wanted
    }
