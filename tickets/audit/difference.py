"""Two versions of a policy side by side, and their rubrics line by line. Asks no database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from tickets.audit.explain import MILLION, exact
from tickets.audit.facts import signed
from tickets.audit.highlight import Stretch
from tickets.models import Calibration, Policy

_FIGURES = {"ece": "Calibration error", "brier": "Brier score", "log_loss": "Log loss"}
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Value:
    """One value of both versions."""

    name: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Line:
    """sign: "-" only before, "+" only after, empty in both. words: the whole line; hits are what changed in it."""

    sign: str
    words: tuple[Stretch, ...]

    @property
    def said(self) -> str:
        return {"-": "removed", "+": "added"}.get(self.sign, "")


def values(before: Policy, after: Policy) -> list[Value]:
    """Every value but the rubric's text; what only one has is "none" in the other."""
    old, new = _named(before), _named(after)
    return [Value(name, old.get(name, _NONE), new.get(name, _NONE)) for name in (old | new)]


def lines(before: str, after: str) -> list[Line]:
    """All lines of both texts in one order; a line that took the place of another shows the words that changed."""
    old, new = before.splitlines(), after.splitlines()
    found: list[Line] = []
    for verdict, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
        if verdict == "equal":
            found += [_whole("", line) for line in old[i:j]]
        else:
            both = min(j - i, m - k)
            found += [line for pair in zip(old[i:j], new[k:m], strict=False) for line in _changed(*pair)]
            found += [_whole("-", line) for line in old[i + both : j]]
            found += [_whole("+", line) for line in new[k + both : m]]
    return found


def _whole(sign: str, line: str) -> Line:
    return Line(sign, (Stretch(line, is_hit=False),))


def _changed(before: str, after: str) -> tuple[Line, Line]:
    old, new = _words(before), _words(after)
    blocks = SequenceMatcher(None, old, new).get_opcodes()
    return (
        Line("-", tuple(_stretches((old[i:j], verdict != "equal") for verdict, i, j, _, _ in blocks))),
        Line("+", tuple(_stretches((new[k:m], verdict != "equal") for verdict, _, _, k, m in blocks))),
    )


def _stretches(parts: Iterator[tuple[Sequence[str], bool]]) -> Iterator[Stretch]:
    return (Stretch("".join(words), is_hit) for words, is_hit in parts if words)


def _words(line: str) -> list[str]:
    """The line cut into words and what stands between them."""
    return re.findall(r"\w+|\s+|[^\w\s]", line)


def _named(policy: Policy) -> dict[str, str]:
    low, high = policy.threshold - policy.review_band, policy.threshold + policy.review_band
    return {
        "Threshold": exact(policy.threshold),
        "Review band": exact(policy.review_band),
        "Please check": f"{exact(max(0, low))} to {exact(min(MILLION, high))}",
        "Reply floor": exact(policy.reply_floor) or _NONE,
        "Model": policy.model.name,
        "Weights": policy.model.digest,
        **_calibration(policy.calibration),
        "Rubric digest": policy.rubric_digest,
        **_style_ranges(policy.style_ranges),
    }


def _calibration(calibration: Calibration) -> dict[str, str]:
    """Knots take the place of slope and offset."""
    knots, figures = calibration.knots_millionths, calibration.figures
    measured = figures.get("after", {})
    return {
        "Calibration": calibration.version,
        "Slope a": _NONE if knots else signed(calibration.a_millionths),
        "Offset b": _NONE if knots else signed(calibration.b_millionths),
        "Knots": str(len(knots)) if knots else _NONE,
        "Labels fitted on": str(figures.get("labels", _NONE)),
        "Data digest": calibration.data_digest or _NONE,
        **{label: str(measured.get(name, _NONE)) for name, label in _FIGURES.items()},
    }


def _style_ranges(ranges: Mapping[str, Any]) -> dict[str, str]:
    return {f"Style range: {name}": f"{low} to {high}" for name, (low, high) in sorted(ranges.items())}
