"""The rules a support team writes before it has a model: weighted phrases, kept in keyword_rules.json."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

from scoring.calibration import UNCALIBRATED, Calibration
from scoring.types import Evidence, Model, Request, Score

# A text without any phrase gets 0.28; one phrase of 1.8 or more is urgent by itself.
BIAS = -0.95
MARGIN_LIMIT = 8.0
EVIDENCE_LIMIT = 8
SUBJECT_FACTOR = 1.5
NEGATED_FACTOR = -0.5

_RULES_FILE = Path(__file__).with_name("keyword_rules.json")
_SEPARATORS = "_-\u2010\u2011\u2012\u2013\u2014"
_APOSTROPHES = "\u2018\u2019\u02bc\u00b4`"
_PATTERN_OF = {" ": r"\s{1,3}", "'": "'?", "*": r"\w*+"}
_NEGATION_REACH = 40
# Only small words may stand between a negation and what it denies: "not fixed immediately" denies nothing.
_NEGATION = re.compile(
    r"\b(?:not|no|never|less|without|nobody|(?:is|are|was|were|do|does|did|has|have|had|wo|would)n'?t"
    r"|nicht|kein\w{0,2}|kaum|weniger|ohne|niemand|pas|aucune?|moins|sans|personne|nadie|ningun[ao]?|menos|sin|ni"
    r"|nao|nem|nada|nenhuma?|sem|ninguem)"
    r"(?:[\s']{1,3}(?:an?|the|any|at|all|one|is|was|be|been|seem|really|very|that|so|too|particularly|super|real|big"
    r"|sehr|besonders|wirklich|ganz|gar|wurde|ist|du|tout|tres|vraiment|si|est|une?|de?|la|n|es|hay|tan|muy|nada|fue"
    r"|esta|parece|tao|muito|nada|e|foi|ha|uma?)){0,3}[\s']{1,3}\Z"
)
_SHOUTING_READ = 2_000
_FEW_CAPITALS = 12
_EXCLAMATIONS = re.compile(r"!!+")


class Keyword:
    """Scores by phrases found: margin sums their weights, in logits, so that sigmoid(margin) > 0.7 reads as urgent."""

    model: Model

    def __init__(self) -> None:
        self.model = self.identity()
        weights = _load_weights()
        phrases = sorted(weights, key=_longest_first, reverse=True)
        self._weights = [weights[phrase] for phrase in phrases]
        self._phrases = re.compile(r"\b" + _alternation(phrases))

    @classmethod
    def identity(cls) -> Model:
        """The digest covers the rule table and this file: together they are the model."""
        return Model(id="keyword-1", digest=_digest())

    @classmethod
    def calibration(cls) -> Calibration:
        """None was ever fitted to rules."""
        return UNCALIBRATED

    def score(self, requests: Sequence[Request]) -> list[Score]:
        return [self._score(request.text) for request in requests]

    def _score(self, text: str) -> Score:
        strongest: dict[int, Evidence] = {}
        for rule, evidence in self._matches(text):
            if rule not in strongest or abs(evidence.weight) > abs(strongest[rule].weight):
                strongest[rule] = evidence
        ranked = sorted(strongest.values(), key=lambda evidence: (-abs(evidence.weight), evidence.start))
        margin = BIAS + sum(evidence.weight for evidence in ranked) + _shouting(text)
        return Score(
            margin=max(-MARGIN_LIMIT, min(MARGIN_LIMIT, margin)),
            evidence=tuple(ranked[:EVIDENCE_LIMIT]),
            tokens=len(text.split()),
        )

    def _matches(self, text: str) -> Iterator[tuple[int, Evidence]]:
        folded = fold(text)
        subject_end = text.find("\n") if "\n" in text else len(text)
        read_to = 0
        for match in self._phrases.finditer(folded):
            start, end = match.span()
            rule = (match.lastindex or 0) - 1
            weight = self._weights[rule] * (SUBJECT_FACTOR if start < subject_end else 1.0)
            if weight > 0 and _NEGATION.search(folded, max(read_to, start - _NEGATION_REACH), start):
                weight *= NEGATED_FACTOR
            read_to = end
            yield rule, Evidence(start, end, weight)


def fold(text: str) -> str:
    """Lower case without accents, hyphens and underscores as spaces; as long as `text`: offsets hold in both."""
    return text.translate(_folding())


def _load_weights() -> dict[str, float]:
    rules: dict[str, list[tuple[str, float]]] = json.loads(_RULES_FILE.read_text(encoding="utf-8"))
    return {fold(phrase): weight for phrases in rules.values() for phrase, weight in phrases}


def _longest_first(phrase: str) -> str:
    """Sorted downwards by this, a phrase follows all that begin with it, so the longest wins; endings come last."""
    return phrase.replace("*", "\0")


def _alternation(phrases: Sequence[str]) -> str:
    """One pattern for all sorted `phrases`, each shared beginning tried once; group N is the Nth phrase."""
    branches = [
        _PATTERN_OF.get(first, re.escape(first)) + _alternation([phrase[1:] for phrase in group]) if first else r"\b()"
        for first, group in groupby(phrases, key=lambda phrase: phrase[:1])
    ]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


def _shouting(text: str) -> float:
    """Between 0 and about 1: capitals and runs of exclamation marks say something, but little."""
    opening = text[:_SHOUTING_READ]
    capitals = sum(map(str.isupper, opening))
    share = capitals / len(opening) if capitals > _FEW_CAPITALS else 0.0
    return 0.7 * share + 0.15 * min(3, len(_EXCLAMATIONS.findall(opening)))


@cache
def _folding() -> dict[int, str]:
    """For the Latin blocks and general punctuation, which hold every letter of the rules."""
    table = {code: _fold_character(chr(code)) for code in range(0x2100)}
    return table | dict.fromkeys(map(ord, _SEPARATORS), " ") | dict.fromkeys(map(ord, _APOSTROPHES), "'")


def _fold_character(character: str) -> str:
    base = unicodedata.normalize("NFD", character)[0].lower()
    return base if len(base) == 1 else character


@cache
def _digest() -> str:
    return hashlib.sha256(_RULES_FILE.read_bytes() + Path(__file__).read_bytes()).hexdigest()
