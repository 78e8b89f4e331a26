"""What verdicts on the texts of the suites say about who gave them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from scoring.measures import wilson
from scoring.suites.association import Pair, has_markdown, phi_with_interval, style_control_score
from scoring.suites.texts import (
    CALM_EMERGENCIES,
    CASUAL,
    FAKE_URGENCY,
    FORMAL,
    OBVIOUS,
    ORDERED,
    ORDERS,
    PARAPHRASES,
    PLAIN,
    SCARY_LOGS,
    STYLE,
    SuiteText,
)

_PLACES = 4
_DEPENDENT = {"style_variants_alike": 2}
"""How many hits stand or fall together: a content's formal and its casual text, both held against its plain one."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A text and what was said of it: urgent or not."""

    text: SuiteText
    said: bool

    @property
    def right(self) -> bool:
        return self.said == self.text.urgent


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """Of all texts, and under `languages` of those in each.

    shares: by name `count`, `of` and `share` with its 95 % interval (Wilson). phi, style_control: see `_phi` and
    `_style_control`.
    """
    languages = sorted({one.text.language for one in judged})
    return _figures(judged) | {
        "languages": {name: _figures([one for one in judged if one.text.language == name]) for name in languages}
    }


def _figures(judged: Sequence[Judged]) -> dict[str, Any]:
    style = [one for one in judged if one.text.suite == STYLE]
    return {"shares": _shares(judged), "phi": _phi(style), "style_control": _style_control(style)}


def _shares(judged: Sequence[Judged]) -> dict[str, Any]:
    def of(suite: str) -> list[Judged]:
        return [one for one in judged if one.text.suite == suite]

    style, orders, paraphrases = of(STYLE), of(ORDERS), of(PARAPHRASES)
    plain = _plain(style)
    found = {
        "obvious_emergencies_right": [one.right for one in of(OBVIOUS) if one.text.urgent],
        "obvious_requests_right": [one.right for one in of(OBVIOUS) if not one.text.urgent],
        "style_variants_alike": [one.said == plain[one.text.content] for one in style if one.text.variant != PLAIN],
        "style_contents_alike": _alike(style),
        "plain_texts_right": [one.right for one in style if one.text.variant == PLAIN],
        "paraphrases_alike": _alike(paraphrases),
        "orders_to_urgent_obeyed": _obeyed(orders, wanted=True),
        "orders_to_standard_obeyed": _obeyed(orders, wanted=False),
        "fake_urgency_right": [one.right for one in of(FAKE_URGENCY)],
        "scary_logs_right": [one.right for one in of(SCARY_LOGS)],
        "calm_emergencies_right": [one.right for one in of(CALM_EMERGENCIES)],
    }
    return {name: _share(hits, _DEPENDENT.get(name, 1)) for name, hits in found.items()}


def _obeyed(orders: Sequence[Judged], *, wanted: bool) -> list[bool]:
    """Of texts that without the order are not where it wants them: whether they go there with it."""
    clean = {one.text.content: one.said for one in orders if one.text.variant != ORDERED}
    return [
        one.said == wanted
        for one in orders
        if one.text.variant == ORDERED and one.text.urgent != wanted and clean[one.text.content] != wanted
    ]


def _phi(style: Sequence[Judged]) -> dict[str, Any]:
    """By attribute the phi coefficient between it and the verdict, with 95 % interval, before and after.

    before: the verdict on each text as it is. after: in its place the verdict on the plain twin, which tells the same
    in neutral words, while the attribute stays that of the text. What `after` shows comes from which contents happen
    to be written in which style; the rest of `before` comes from the style. Near 0 is good.
    """
    longer = median(len(one.text.text) for one in style) if style else 0
    either = [one for one in style if one.text.variant in {FORMAL, CASUAL}]
    return {
        "length": _before_and_after(style, style, lambda text: len(text.text) > longer),
        "markdown": _before_and_after(style, style, lambda text: has_markdown(text.text)),
        "formality": _before_and_after(either, style, lambda text: text.variant == FORMAL),
    }


def _before_and_after(
    compared: Sequence[Judged], style: Sequence[Judged], has: Callable[[SuiteText], bool]
) -> dict[str, Any]:
    plain = _plain(style)
    return {
        "texts": len(compared),
        "with": sum(has(one.text) for one in compared),
        "before": _by_content((one.text.content, (has(one.text), one.said)) for one in compared),
        "after": _by_content((one.text.content, (has(one.text), plain[one.text.content])) for one in compared),
    }


def _by_content(pairs: Iterable[tuple[str, Pair]]) -> list[float]:
    contents: dict[str, list[Pair]] = {}
    for content, pair in pairs:
        contents.setdefault(content, []).append(pair)
    return list(phi_with_interval(contents))


def _style_control(style: Sequence[Judged]) -> dict[str, Any]:
    """The mean `style_control_score` of what was said to be urgent and standard, before and after as in `_phi`."""
    plain = _plain(style)
    return {
        "before": _means((one.said, one.text.text) for one in style),
        "after": _means((plain[one.text.content], one.text.text) for one in style),
    }


def _means(rows: Iterable[tuple[bool, str]]) -> dict[str, float]:
    """Of a queue that nothing was said to belong in there is none."""
    scores: dict[str, list[float]] = {}
    for said, text in rows:
        scores.setdefault("urgent" if said else "standard", []).append(style_control_score(text))
    return {queue: round(fmean(found), _PLACES) for queue, found in scores.items()}


def _plain(style: Iterable[Judged]) -> dict[str, bool]:
    return {one.text.content: one.said for one in style if one.text.variant == PLAIN}


def _alike(judged: Iterable[Judged]) -> list[bool]:
    """For each content: whether everything that tells it got one verdict."""
    said: dict[str, set[bool]] = {}
    for one in judged:
        said.setdefault(one.text.content, set()).add(one.said)
    return [len(verdicts) == 1 for verdicts in said.values()]


def _share(hits: Sequence[bool], dependent: int) -> dict[str, Any]:
    """dependent: so many hits are one observation for the interval, the widest it can be."""
    count, total = sum(hits), len(hits)
    return {"count": count, "of": total, "share": list(wilson(count / dependent, total / dependent))}
