"""What an entry says, as labelled values that a reader understands; all of it stands in the entry's body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scoring.calibration import UNCALIBRATED
from tickets.audit.explain import exact
from tickets.models import Cause, Queue
from tickets.models.entry import DECISIONS

LONGEST = 300
_LISTED = 10
_OF_DECISION = ("score", "threshold", "policy", "model", "cause", "input", "undoes", "explains", "asked_by")
_FIRST = ("policy", "threshold", "review_band", "model", "calibration")
_OTHER_ENTRIES = frozenset({"undoes", "explains", "held"})
# In every row already, or digests that say something on the page of the entry alone.
_LEFT_OUT = frozenset(
    {"schema", "seq", "at", "kind", "subject", "actor", "reason_digest", "rubric_digest", "data_digest", "inputs"}
)


@dataclass(frozen=True, slots=True)
class Fact:
    """before: the value that it replaces, where the entry changed one. entry: another one that it speaks of."""

    label: str
    value: str
    before: str = ""
    entry: int | None = None


def facts_of(body: Mapping[str, Any], queue_before: str = "") -> tuple[Fact, ...]:
    """queue_before: where the ticket was, as the entry before says; a person's word holds it itself."""
    if body["kind"] in DECISIONS:
        return (*_queue(body, queue_before), *_members(body, _OF_DECISION))
    names = [*_FIRST, *(name for name in body if name not in _FIRST)]
    return tuple(_members(body, [name for name in names if name not in _LEFT_OUT and not _is_subject(name, body)]))


def signed(millionths: int) -> str:
    """Exact, as a slope or an offset that may be negative."""
    return f"-{exact(-millionths)}" if millionths < 0 else exact(millionths)


def _is_subject(name: str, body: Mapping[str, Any]) -> bool:
    return body["subject"] == f"{name}:{body.get(name)}"


def _queue(body: Mapping[str, Any], before: str) -> Iterator[Fact]:
    before, queue = body.get("previous_queue", before), body["queue"]
    if before == queue:
        yield Fact("Queue stays", _queue_name(queue))
    else:
        yield Fact("Queue", _queue_name(queue), _queue_name(before))
    if body.get("verdict", queue) != queue:
        yield Fact("Score alone says", _queue_name(body["verdict"]))
    if body["needs_check"]:
        yield Fact("Please check", "yes")


def _queue_name(queue: str) -> str:
    return str(Queue(queue).label) if queue in Queue.values else queue


def _members(body: Mapping[str, Any], names: Iterable[str]) -> Iterator[Fact]:
    for name in names:
        if body.get(name, "") not in ("", [], {}):
            yield _fact(name, body[name], body)


def _fact(name: str, value: Any, body: Mapping[str, Any]) -> Fact:
    label = _LABELS.get(name, name.replace("_", " ").capitalize())
    if name in _OTHER_ENTRIES:
        return Fact(label, f"entry {value}", entry=value)
    words = _WORDS.get(name, _words)(value)[:LONGEST]
    is_uncalibrated = name == "score" and body.get("calibration", {}).get("version") == UNCALIBRATED.version
    return Fact(label, f"{words}, uncalibrated" if is_uncalibrated else words)


def _millionths(value: Any) -> str:
    return signed(value) if isinstance(value, int) else _words(value)


def _cause(value: str) -> str:
    return str(Cause(value).label) if value in Cause.values else value


def _version(value: Mapping[str, Any]) -> str:
    return f"version {value['version']}"


def _ranges(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {signed(low)} to {signed(high)}" for name, (low, high) in value.items())


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("name") or value.get("version") or "") or _pairs(value)
    if isinstance(value, list):
        listed = ", ".join(_words(one) for one in value[:_LISTED])
        return listed if len(value) <= _LISTED else f"{listed} and {len(value) - _LISTED} more"
    return str(value)


def _pairs(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_words(one)}" for name, one in value.items() if one not in ("", 0))


_LABELS = {"input": "Text"}
_WORDS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("score", "threshold", "review_band", "confidence", "reply_floor", "a", "b"), _millionths),
    "cause": _cause,
    "input": _version,
    "style_ranges": _ranges,
}
