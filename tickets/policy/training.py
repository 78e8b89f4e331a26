"""From labelled tickets to a model of an installation's own: split, learn, judge on what was held out, describe.

Fitting is in scoring/training/head.py and needs numpy, which a web process never loads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scoring.calibration import UNCALIBRATED, fit
from scoring.calibration import Calibration as Values
from scoring.measures import auc_interval
from scoring.types import Model
from tickets.flow.canonical import without_floats
from tickets.flow.record import Draft
from tickets.models import Calibration, Kind, Queue, RegisteredModel
from tickets.models.clock import microseconds
from tickets.policy.calibrating import Labelled, Method, calibrate, refuse_useless
from tickets.policy.labels import by_people, last_said

if TYPE_CHECKING:
    from scoring.compact import Compact
    from scoring.head import Head

FEWEST = 100
"""Labels in all; and of each queue:"""
FEWEST_EARLIER, FEWEST_LATER = 10, 2
_CHANCE = 0.5


class CannotTrain(ValueError):
    """Says what is missing."""


@dataclass(frozen=True, slots=True)
class Example:
    """A text, the queue it belonged in, and when that was known, where that is known (aware)."""

    text: str
    urgent: bool
    at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """head, words_alone: as scoring.training.head.learn gives them, each with what makes its margins probabilities.

    about: for the card.
    """

    model: Model
    head: Head
    calibration: Calibration
    words_alone: Head
    words_calibration: Values
    about: dict[str, Any]


def labelled_by_people() -> list[Example]:
    """What people said last of each ticket, when, and the text they said it about."""
    return [Example(text.text, label.queue == Queue.URGENT, label.at) for label, text in last_said(by_people())]


def split(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """To learn from, and to be judged by: the latest, or where a time is missing a share by a hash of the text.

    The hash makes the split independent of the order of the file and puts equal texts on one side; of the latest, those
    are left out whose text was there before. Raises CannotTrain where either part has too few of a kind.
    """
    if all(one.at for one in examples):
        ordered = sorted(examples, key=lambda one: (one.at, *_place(one, seed)))
        begins = len(ordered) - round(share * len(ordered))
        earlier = ordered[:begins]
        known = {one.text for one in earlier}
        later = [one for one in ordered[begins:] if one.text not in known]
    else:
        ordered = sorted(examples, key=lambda one: _place(one, seed))
        texts = list(dict.fromkeys(one.text for one in ordered))
        held_out = set(texts[len(texts) - round(share * len(texts)) :])
        earlier, later = ([one for one in ordered if (one.text in held_out) == is_later] for is_later in (False, True))
    _refuse_too_few(examples, earlier, later)
    return earlier, later


def train(
    compact: Compact, examples: Sequence[Example], seed: int, progress: Callable[[str, int, int], object]
) -> Trained:
    """The same examples in the same order and the same seed give the same model. Raises CannotTrain."""
    from scoring.learned import identity_of
    from scoring.training.head import learn, read

    labels = [one.urgent for one in examples]
    fitted, words = learn(read(compact, [one.text for one in examples], progress), labels, seed, progress)
    model = identity_of(fitted.head)
    return Trained(
        model,
        fitted.head,
        _calibrated(model, fitted.margins, labels),
        words.head,
        _of_words(words.margins, labels),
        {"learned_from": described(examples), "seed": seed, **fitted.about},
    )


def card(trained: Trained, base: Model, later: Sequence[Example], figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the model is: on which one, how made, from what, and how good on what. For its folder and for the log."""
    made_on = {"base": {"id": base.id, "digest": base.digest}}
    return made_on | trained.about | {"held_out": described(later), "figures": figures}


def described(examples: Sequence[Example]) -> dict[str, Any]:
    """How many, a digest of them, and from when to when where that is known, in microseconds."""
    times = sorted(one.at for one in examples if one.at)
    span = {"first": microseconds(times[0]), "last": microseconds(times[-1])} if times else {}
    counts = {"labels": len(examples), "urgent": sum(one.urgent for one in examples)}
    return counts | {"data_digest": data_digest(examples)} | span


def data_digest(examples: Sequence[Example]) -> str:
    """SHA-256 in hex over the sorted lines "0 or 1, tab, text, zero byte": the same data, however it was filed."""
    lines = sorted(f"{int(one.urgent)}\t{one.text}\0" for one in examples)
    return hashlib.sha256("".join(lines).encode("utf-8", "replace")).hexdigest()


def registered_draft(row: RegisteredModel, card: dict[str, Any], actor: str) -> Draft:
    """The log entry of a model that was made here, whole: on what, from what, and how good."""
    told = {name: without_floats(card[name]) for name in ("learned_from", "held_out", "figures")}
    told["base"] = {"name": card["base"]["id"], "digest": card["base"]["digest"]}
    return Draft(Kind.MODEL_REGISTERED, f"model:{row.pk}", actor, {"name": row.name, "digest": row.digest} | told)


def _place(one: Example, seed: int) -> tuple[str, bool]:
    return hashlib.sha256(f"{seed}\n{one.text}".encode("utf-8", "replace")).hexdigest(), one.urgent


def _refuse_too_few(whole: Sequence[Example], earlier: Sequence[Example], later: Sequence[Example]) -> None:
    counts = []
    for part, fewest, name in ((earlier, FEWEST_EARLIER, "to learn from"), (later, FEWEST_LATER, "held out")):
        urgent = sum(one.urgent for one in part)
        counts.append((min(urgent, len(part) - urgent) >= fewest, f"{len(part)} {name}, {urgent} of them urgent"))
    if len(whole) < FEWEST or not all(is_enough for is_enough, _ in counts):
        raise CannotTrain(
            f"{'; '.join(told for _, told in counts)}. Training takes at least {FEWEST} labels, "
            f"{FEWEST_EARLIER} of each queue to learn from and {FEWEST_LATER} of each held out. "
            "Confirm or override more decisions, of both queues, or give a file."
        )


def _calibrated(model: Model, margins: Sequence[float], labels: Sequence[bool]) -> Calibration:
    """Unsaved. On margins by heads that had not seen the text, else the head would be believed too much.

    Raises CannotTrain.
    """
    found = [Labelled(margin, urgent) for margin, urgent in zip(margins, labels, strict=True)]
    try:
        row = calibrate(found, RegisteredModel(name=model.id, digest=model.digest), Method.PLATT)
        refuse_useless(row)
        _refuse_chance(margins, labels)
    except ValueError as error:
        raise CannotTrain(
            "Nothing in these texts tells the urgent ones from the others: of texts it had not seen, the new model "
            "said no more than chance would. Look at the labels first; it was not stored."
        ) from error
    return row


def _refuse_chance(margins: Sequence[float], labels: Sequence[bool]) -> None:
    """Half of all heads that learned nothing have a slope above zero."""
    _, low, _ = auc_interval(margins, labels)
    if low <= _CHANCE:
        raise ValueError("an area that chance reaches too")


def _of_words(margins: Sequence[float], labels: Sequence[bool]) -> Values:
    """Where words alone tell nothing, their margins are left as they are: they only stand beside the model's."""
    try:
        slope, offset = fit(margins, labels)
    except ValueError:
        return UNCALIBRATED
    return Values("words", slope, offset) if slope > 0 else UNCALIBRATED
