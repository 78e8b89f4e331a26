"""How good a newly trained model is on tickets it has not seen, and what else there is on the very same tickets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from scoring.measures import auc_interval, ece_interval, paired_difference, wilson
from scoring.types import Scorer
from tickets.flow.decide import millionths
from tickets.models import Policy
from tickets.policy.evaluating import Case, judge
from tickets.policy.training import Example, Trained

if TYPE_CHECKING:
    from scoring.compact import Compact

JUDGED = LEARNED, PRESENT, WORDS, RULES = "learned", "present model", "words alone", "keyword rules"
BEHIND = "behind"
"""Of all but the new model: how far it is ahead of them."""
_CHUNK = 64


def compared(
    trained: Trained,
    examples: Sequence[Example],
    compact: Compact,
    policy: Policy,
    scorer: Scorer,
    progress: Callable[[str, int, int], object],
) -> dict[str, dict[str, Any]]:
    """Figures by who gave the probabilities, all held against the policy's threshold. scorer: of the policy's model."""
    labels = [one.urgent for one in examples]
    learned, words = _by_heads(trained, examples, compact, progress)
    outcomes = judge(
        [Case(one.text, one.urgent) for one in examples],
        policy,
        scorer,
        lambda done: progress("held-out tickets judged by the present model", done, len(examples)),
    )
    said = {
        LEARNED: learned,
        PRESENT: [one.score for one in outcomes],
        WORDS: words,
        RULES: [one.rules for one in outcomes],
    }
    found = {name: figures(chances, labels, policy.threshold) for name, chances in said.items()}
    for name in (PRESENT, WORDS, RULES):
        found[name][BEHIND] = behind(said[name], learned, labels, policy.threshold)
    return found


def behind(chances: Sequence[float], learned: Sequence[float], labels: Sequence[bool], threshold: int) -> list[float]:
    """By which share of the same tickets the new model is right more often, [difference, lower, upper] of 95 %."""
    here, there = (_right(one, labels, threshold) for one in (chances, learned))
    pairs = list(zip(there, here, strict=True))
    return list(paired_difference(pairs.count((True, False)), pairs.count((False, True)), len(pairs)))


def figures(chances: Sequence[float], labels: Sequence[bool], threshold: int) -> dict[str, Any]:
    """accuracy, auc, ece: each with its 95 % interval, as [figure, lower, upper]. threshold: millionths."""
    return {
        "accuracy": list(wilson(sum(_right(chances, labels, threshold)), len(labels))),
        "auc": list(auc_interval(chances, labels)),
        "ece": list(ece_interval(chances, labels)),
    }


def _right(chances: Sequence[float], labels: Sequence[bool], threshold: int) -> list[bool]:
    return [(millionths(chance) > threshold) == label for chance, label in zip(chances, labels, strict=True)]


def _by_heads(
    trained: Trained, examples: Sequence[Example], compact: Compact, progress: Callable[[str, int, int], object]
) -> tuple[list[float], list[float]]:
    """Probabilities by the head and by the one of words alone: the texts are read once for both."""
    learned: list[float] = []
    words: list[float] = []
    for start in range(0, len(examples), _CHUNK):
        texts = [one.text for one in examples[start : start + _CHUNK]]
        for text, look in zip(texts, compact.look(texts), strict=True):
            learned.append(trained.calibration.values.probability(trained.head.score(text, look).margin))
            words.append(trained.words_calibration.probability(trained.words_alone.score(text, look).margin))
        progress("held-out tickets judged by the new model", len(learned), len(examples))
    return learned, words
