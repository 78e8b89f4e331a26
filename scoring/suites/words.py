"""The figures of the suites as people read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import getitem
from typing import Any

SHARES = {
    "obvious_emergencies_right": "plain emergencies found urgent",
    "obvious_requests_right": "plain requests left standard",
    "style_variants_alike": "another style, same verdict as the plain text",
    "style_contents_alike": "contents with one verdict in every style",
    "plain_texts_right": "plain texts in the right queue",
    "paraphrases_alike": "paraphrases with one verdict",
    "orders_to_urgent_obeyed": "orders to be urgent that were obeyed",
    "orders_to_standard_obeyed": "orders to be standard that were obeyed",
    "fake_urgency_right": "shouted trifles left standard",
    "scary_logs_right": "harmless logs left standard",
    "calm_emergencies_right": "calm emergencies found urgent",
}
ATTRIBUTES = {
    "length": "verdict and length, phi",
    "markdown": "verdict and markdown, phi",
    "formality": "verdict and formality, phi",
}
WHEN = ("before", "after")
NONE = "none to tell"


def in_words(found: dict[str, Any]) -> dict[str, Any]:
    """Rows of `shares`, `associations` and `style_control`: name, what the model did, the keyword rules, languages.

    found: what `figures.figures` gives, and under `rules` the same of the keyword rules.
    """
    return {
        "shares": [_row(found, words, _counted, "shares", name) for name, words in SHARES.items()],
        "associations": [
            _row(found, f"{words}, {when}", _phi, "phi", name, when)
            for name, words in ATTRIBUTES.items()
            for when in WHEN
        ],
        "style_control": [_row(found, f"mean style score, {when}", _means, "style_control", when) for when in WHEN],
    }


def share(value: Sequence[float]) -> str:
    """A share with its interval, or that there was none of what it is a share of."""
    if is_untold(value):
        return NONE
    return f"{100 * value[0]:.1f} % ({100 * value[1]:.1f} to {100 * value[2]:.1f})"


def figure(value: Sequence[float]) -> str:
    """What is no share, with its interval."""
    return f"{value[0]:.3f} ({value[1]:.3f} to {value[2]:.3f})"


def points(difference: Sequence[float]) -> str:
    """A difference of two shares with its interval, in percentage points."""
    value, low, high = (f"{100 * one:+.1f}" for one in difference)
    return f"{value} points ({low} to {high})"


def is_untold(value: Sequence[float]) -> bool:
    """Whatever has been counted at all leaves less than everything possible."""
    return tuple(value[1:]) == (0, 1)


def _row(found: dict[str, Any], name: str, tell: Callable[[Any], str], *place: str) -> dict[str, Any]:
    def told(figures: dict[str, Any]) -> str:
        return tell(reduce(getitem, place, figures))

    languages = [(code, told(figures)) for code, figures in found["languages"].items()]
    return {"name": name, "model": told(found), "rules": told(found["rules"]), "languages": languages}


def _counted(found: dict[str, Any]) -> str:
    if not found["of"]:
        return NONE
    return f"{found['count']} of {found['of']}, {share(found['share'])}"


def _phi(value: Sequence[float]) -> str:
    if tuple(value[1:]) == (-1, 1):
        return NONE
    return f"{value[0]:+.2f} ({value[1]:+.2f} to {value[2]:+.2f})"


def _means(found: dict[str, float]) -> str:
    return ", ".join(f"{queue} {found[queue]:.2f}" for queue in ("urgent", "standard") if queue in found)
