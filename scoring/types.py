"""The nouns every scorer shares. Plain Python: no Django, no torch, no onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from scoring.calibration import Calibration


class Unavailable(Exception):
    """The scorer cannot be reached or is not ready; says why. The texts are not to blame."""


@dataclass(frozen=True, slots=True)
class Request:
    """One text to score.

    text: as `scoring.text.compose` makes it: the subject on the first line, then a blank line and the messages.
    rubric: what "urgent" means, in ops' words; backends trained for one fixed meaning ignore it.
    """

    text: str
    rubric: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of the scored text and how far it moved the margin.

    start, end: offsets in characters into `Request.text`, start inclusive, end exclusive.
    weight: change of the margin in logits; positive pushed towards urgent.
    """

    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class Score:
    """What a scorer says about one text, before calibration.

    margin: reward of the verdict "urgent" minus reward of "standard", in logits, finite.
    reward_urgent, reward_standard: the two raw rewards, where the backend has them.
    evidence: at most eight stretches, strongest first.
    tokens: how many tokens were read; tokens_cut: how many were left out for length.
    """

    margin: float
    evidence: tuple[Evidence, ...] = ()
    tokens: int = 0
    tokens_cut: int = 0
    reward_urgent: float | None = None
    reward_standard: float | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """Which model spoke. digest: SHA-256 in hex over the weights, or over the code where the rules are the model."""

    id: str
    digest: str


class Scorer(Protocol):
    """Scores texts. Made once in a process; construction loads the weights and may take long."""

    model: Model

    @classmethod
    def identity(cls) -> Model:
        """Which model an instance would carry, told without loading it."""
        ...

    @classmethod
    def calibration(cls) -> Calibration:
        """The calibration shipped with the weights, or UNCALIBRATED."""
        ...

    def score(self, requests: Sequence[Request]) -> list[Score]:
        """Scores in the order of `requests`, each the same whatever else is in the list (to 1e-4).

        Raises Unavailable where the texts are not to blame.
        """
        ...


@runtime_checkable
class Elsewhere(Scorer, Protocol):
    """A scorer whose model is in another process, which may be away."""

    def problem(self) -> str:
        """Why it cannot score at the moment, in words for ops; empty when it can. Asked before tickets are claimed."""
        ...
