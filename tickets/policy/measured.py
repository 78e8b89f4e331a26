"""A measurement of a model, as it is kept: whole beside the log, and in the log what matters most of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tickets.flow.canonical import figures_digest, without_floats
from tickets.flow.record import Draft
from tickets.models import Kind, Policy

LABELS = "labels"
_WORDS = ("suites", LABELS)
OF_A_FILE = "file"


@dataclass(frozen=True, slots=True)
class Measured:
    """source: "suites", "labels" or the name of a file. data_digest: SHA-256 of what was judged.

    policy: which decided, by its own model. figures: all of them; main: those that the log repeats.
    """

    source: str
    data_digest: str
    policy: Policy
    figures: dict[str, Any]
    main: dict[str, Any]


def evaluated_draft(measured: Measured, actor: str) -> Draft:
    """The log entry. A file's name is what somebody typed, so it stays beside the log."""
    model = measured.policy.model
    content = {
        "model": {"name": model.name, "digest": model.digest},
        "policy": measured.policy.number,
        "threshold": measured.policy.threshold,
        "calibration": measured.policy.calibration.version,
        "source": measured.source if measured.source in _WORDS else OF_A_FILE,
        "data_digest": measured.data_digest,
        "figures": without_floats(measured.main),
        "figures_digest": figures_digest(measured.figures),
    }
    return Draft(Kind.EVALUATED, f"model:{model.pk}", actor, content)
