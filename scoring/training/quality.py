"""What could make the written tickets teach the wrong thing: repeats, give-aways, lopsided shares. No torch.

python -m scoring.training.quality
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from math import ceil
from operator import attrgetter
from typing import Any

from scoring.measures import auc
from scoring.training.data import Example, tickets

SHINGLE = 5
"""Letters. Five carry over a word's end, so that the order of words counts as well as the words."""
NEAR_DUPLICATE = 0.5
"""Jaccard. 95 % of tickets with a tenth of their words replaced stay above it, half of those with a fifth above 0.57;
of the written ones no two reach 0.46, and the nearest are opposites on purpose: one fact changed, the label with it."""
SHARED = 24
"""How many rare shingles a pair must share to be looked at; the result is the same with any number."""
FOLDS = 5
WORD_COUNTS = (5, 20, 50, 90, 200, 400)
"""Upper ends, in words."""
_SHOUTS = """
    alarm alert asap critical down emergency error help immediately now outage urgent urgently
    achtung dringend eilig eilt fehler hilfe kritisch notfall sofort
    alerta ayuda caída caído crítica crítico emergencia inmediatamente urgente urgentemente ya
    alarme alerte critique erreur immédiatement panne secours urgence vite
    agora ajuda emergência erro imediatamente socorro
"""
ALARM_WORDS = frozenset(_SHOUTS.split())
_MARKDOWN = re.compile(
    r"^\s*[-*+] \S|^\s*\d+[.)] \S|^#{1,6} \S|^> ?\S|^\|.+\|\s*$|"
    r"```|`[^`\n]+`|\*\*[^*\n]+\*\*|(?<!\w)\*\w[^*\n]*\w\*(?!\w)",
    re.MULTILINE,
)
_WORD = re.compile(r"\w+")


def has_markdown(example: Example) -> bool:
    """A list, a heading, a quotation, a table, code or something in bold or italics."""
    return bool(_MARKDOWN.search(example.text))


def words(example: Example) -> int:
    return len(example.text.split())


def alarm_words(example: Example) -> int:
    """How many words of all five languages shout; none of them says what happened."""
    return sum(word in ALARM_WORDS for word in _WORD.findall(example.text.lower()))


def shingles(text: str) -> frozenset[str]:
    """Every run of five letters, digits and single spaces of the text in lower case."""
    plain = " ".join(_WORD.findall(text.lower()))
    return frozenset(plain[start : start + SHINGLE] for start in range(max(1, len(plain) - SHINGLE + 1)))


def near_duplicates(
    examples: Sequence[Example], threshold: float = NEAR_DUPLICATE
) -> list[tuple[float, Example, Example]]:
    """All pairs whose shingles have a Jaccard index of the threshold or more, nearest first; exact, not estimated.

    Two sets that overlap so far share several of the rarer half of the shingles of either (Bayardo, Ma and Srikant
    2007, "Scaling up all pairs similarity search"), so that few pairs need a closer look.
    """
    sets = [shingles(example.text) for example in examples]
    found = [(jaccard(sets[one], sets[other]), one, other) for one, other in _candidates(sets, threshold)]
    pairs = sorted((pair for pair in found if pair[0] >= threshold), reverse=True)
    return [(index, examples[other], examples[one]) for index, one, other in pairs]


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared members over all members, 0 to 1."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _candidates(sets: Sequence[frozenset[str]], threshold: float) -> Iterator[tuple[int, int]]:
    rarity = Counter(chain.from_iterable(sets))
    rank = {shingle: place for place, shingle in enumerate(sorted(rarity, key=rarity.__getitem__))}
    holders: defaultdict[int, list[int]] = defaultdict(list)
    least = [ceil(threshold * len(members)) for members in sets]
    for index, members in enumerate(sets):
        rarest = sorted(map(rank.__getitem__, members))[: len(members) - least[index] + min(SHARED, least[index])]
        shared = Counter(chain.from_iterable(holders[place] for place in rarest))
        yield from (
            (index, other) for other, times in shared.items() if times >= min(SHARED, least[index], least[other])
        )
        for place in rarest:
            holders[place].append(index)


def alone(examples: Sequence[Example], tells: Callable[[Example], float]) -> float:
    """How far one figure gives the label away: its AUC against it, 0.5 where it says nothing."""
    return auc([tells(example) for example in examples], [example.urgent for example in examples])


def language_alone(examples: Sequence[Example]) -> float:
    """The AUC of a language's urgent share, each share reckoned from the folds that a ticket is not in."""
    folds = [zlib.crc32(f"{example.id}{example.text}".encode()) % FOLDS for example in examples]
    rows: Counter[tuple[str, int, bool]] = Counter()
    for example, fold in zip(examples, folds, strict=True):
        rows[example.language, fold, example.urgent] += 1
    shares = [_share_elsewhere(rows, example.language, fold) for example, fold in zip(examples, folds, strict=True)]
    return auc(shares, [example.urgent for example in examples])


def _share_elsewhere(rows: Counter[tuple[str, int, bool]], language: str, without: int) -> float:
    others = [fold for fold in range(FOLDS) if fold != without]
    urgent, standard = (sum(rows[language, fold, label] for fold in others) for label in (True, False))
    return urgent / max(1, urgent + standard)


def share(examples: Sequence[Example], holds: Callable[[Example], bool]) -> float:
    return sum(map(holds, examples)) / max(1, len(examples))


def controversial_ratio(examples: Sequence[Example]) -> float:
    """Standard tickets for each urgent one among those that two sensible labellers disagree on."""
    urgent = sum(example.urgent for example in examples if example.doubtful)
    return sum(not example.urgent for example in examples if example.doubtful) / max(1, urgent)


def counts(examples: Sequence[Example], of: Callable[[Example], Any]) -> dict[Any, tuple[int, int]]:
    """How many tickets are urgent and how many standard, by group."""
    urgent = Counter(of(example) for example in examples if example.urgent)
    standard = Counter(of(example) for example in examples if not example.urgent)
    return {group: (urgent[group], standard[group]) for group in sorted({*urgent, *standard})}


def length_band(example: Example) -> int:
    """The upper end of the band of word counts that a ticket falls in; one more than the last for longer ones."""
    return next((end for end in WORD_COUNTS if words(example) <= end), WORD_COUNTS[-1] + 1)


def report(examples: Sequence[Example]) -> str:
    """The figures as Markdown; shares in per cent."""
    lines = [
        f"{len(examples)} tickets, {100 * share(examples, lambda one: one.urgent):.1f} % urgent",
        f"markdown: {100 * share(examples, has_markdown):.1f} %",
        f"controversial: {100 * share(examples, lambda one: one.doubtful):.1f} %, 1 urgent to "
        f"{controversial_ratio(examples):.2f} standard",
        f"alone against the label (AUC): length {alone(examples, words):.3f}, "
        f"language {language_alone(examples):.3f}, alarm words {alone(examples, alarm_words):.3f}",
    ]
    pairs = near_duplicates(examples)
    lines += [f"near-duplicates: {len(pairs)}", *(f"- {index:.2f} {one.id} {two.id}" for index, one, two in pairs)]
    lines += _table("words up to", counts(examples, length_band))
    for name in ("language", "hard", "trade"):
        lines += _table(name, counts(examples, attrgetter(name)))
    return "\n".join(lines)


def _table(name: str, rows: Mapping[Any, tuple[int, int]]) -> list[str]:
    cells = (f"| {group or 'plain'} | {urgent} | {standard} |" for group, (urgent, standard) in rows.items())
    return ["", f"| {name} | urgent | standard |", "|---|---|---|", *cells]


if __name__ == "__main__":
    print(report(tickets()))
