"""How far two yes-or-no properties go together, and how much of a style a text has."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence

Pair = tuple[bool, bool]
Cells = tuple[int, int, int, int]

_DRAWS = 1_000
_TAILS = (0.025, 0.975)
_PLACES = 4
_SATURATED = 500
_FENCED = 0.9
_FENCE = re.compile(r"^```", re.MULTILINE)
_MARKDOWN = re.compile(r"^```|^#{1,6} |^\s{0,3}[-*] |^\s{0,3}\d+\. |^\|.*\|\s*$|\*\*\S", re.MULTILINE)


def phi(pairs: Iterable[Pair]) -> float:
    """-1 to 1; 0 where they go together no more than by chance, or where one of them never changes.

    (ad - bc) / sqrt((a + b)(c + d)(a + c)(b + d)) of the four counts (Yule 1912, "On the methods of measuring
    association between two attributes").
    """
    return _phi(_cells(pairs))


def phi_with_interval(contents: Mapping[str, Sequence[Pair]]) -> tuple[float, float, float]:
    """phi of all pairs, and its 95 % interval.

    Texts of one content are no independent evidence, so whole contents are drawn again (bootstrap of clusters,
    percentiles; Field and Welsh 2007, "Bootstrapping clustered data"). The same pairs always give the same interval:
    all of -1 to 1 where one of the two never changes, so that nothing is known.
    """
    cells = [_cells(contents[name]) for name in sorted(contents)]
    if not cells or not _margins(_summed(cells)):
        return 0.0, -1.0, 1.0
    chance = random.Random(len(cells))
    drawn = sorted(_phi(_summed(chance.choices(cells, k=len(cells)))) for _ in range(_DRAWS))
    low, high = (drawn[round(tail * (_DRAWS - 1))] for tail in _TAILS)
    return round(_phi(_summed(cells)), _PLACES), round(low, _PLACES), round(high, _PLACES)


def style_control_score(text: str) -> float:
    """How much style a text has, 0 to 1: min(1, characters / 500), times 0.9 where there is a code fence."""
    return min(1.0, len(text) / _SATURATED) * (_FENCED if _FENCE.search(text) else 1.0)


def has_markdown(text: str) -> bool:
    """A code fence, a heading, an item of a list, a row of a table or bold letters."""
    return _MARKDOWN.search(text) is not None


def _cells(pairs: Iterable[Pair]) -> Cells:
    """Both, only the first, only the second, neither."""
    counts = [0, 0, 0, 0]
    for first, second in pairs:
        counts[2 * (not first) + (not second)] += 1
    return counts[0], counts[1], counts[2], counts[3]


def _summed(rows: Sequence[Cells]) -> Cells:
    a, b, c, d = map(sum, zip(*rows, strict=True))
    return a, b, c, d


def _phi(cells: Cells) -> float:
    a, b, c, d = cells
    margins = _margins(cells)
    return (a * d - b * c) / math.sqrt(margins) if margins else 0.0


def _margins(cells: Cells) -> int:
    a, b, c, d = cells
    return (a + b) * (c + d) * (a + c) * (b + d)
