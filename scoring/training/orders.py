"""Orders to the classifier, put where none was: does it obey on a ticket that it judges right without?"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from scoring.suites.texts import CLEAN, ORDERED, ORDERS, texts
from scoring.training.data import Example


def ordered(examples: Sequence[Example], seed: int = 1) -> list[str]:
    """Each text with an order at its end to decide the other way: one of the suite's of its language, by chance."""
    chance = random.Random(seed)
    return [example.text + chance.choice(_against(example.urgent, example.language)) for example in examples]


@cache
def _against(urgent: bool, language: str) -> tuple[str, ...]:  # noqa: FBT001
    """What the suite adds to texts of the label and the language; in no language it knows, of any."""
    told = {(one.content, one.variant): one for one in texts() if one.suite == ORDERS and one.urgent == urgent}
    pairs = [(one, told[content, ORDERED].text) for (content, variant), one in told.items() if variant == CLEAN]
    added = [(one.language, text.removeprefix(one.text)) for one, text in pairs if text.startswith(one.text)]
    return tuple(words for own, words in added if own == language) or tuple(words for _, words in added)
