"""The scorer that `manage.py train` makes: the compact model, read by a head that was fitted on a team's own tickets.

LEARNED_MODEL names its folder: head.npz (see scoring.head), model.json (what it is and what it learned from) and
calibration.json.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scoring.calibration import Calibration, shipped
from scoring.compact import Compact
from scoring.head import Head, digest
from scoring.types import Model, Request, Score

HEAD, CARD, CALIBRATION = "head.npz", "model.json", "calibration.json"
_CHUNK = 64


class LearnedRefused(ValueError):
    """The folder holds no model that could be used; says what is wrong and what to do."""


class Learned:
    """A fixed meaning of "urgent", learned here; a request's rubric is ignored."""

    model: Model

    @classmethod
    def identity(cls) -> Model:
        """Raises LearnedRefused where the folder is damaged, or made for another compact model."""
        here = folder()
        card, base = _read(here, CARD), Compact.identity()
        made_on = card.get("base")
        if not isinstance(made_on, dict) or not isinstance(card.get("id"), str):
            raise _damaged(here / CARD)
        if made_on.get("digest") != base.digest:
            raise LearnedRefused(f"{here} was trained on another {base.id}; run manage.py train again.")
        if digest(base.digest, _bytes(here / HEAD)) != card.get("digest"):
            raise LearnedRefused(f"{here} is damaged: its digest differs from {CARD}. Copy it again, or train again.")
        return Model(id=card["id"], digest=card["digest"])

    @classmethod
    def calibration(cls) -> Calibration:
        """Fitted by `train`, on tickets that the head for each fold had not seen."""
        here = folder()
        fitted = _read(here, CALIBRATION)
        slope = fitted.get("a")
        if not isinstance(slope, int | float) or slope <= 0 or not fitted.keys() >= {"version", "b"}:
            raise _damaged(here / CALIBRATION)
        return shipped(fitted, cls.identity().digest)

    def __init__(self) -> None:
        """Raises LearnedRefused."""
        self.model = self.identity()
        self._head = Head.from_bytes(_bytes(folder() / HEAD))
        self._compact = Compact()

    def score(self, requests: Sequence[Request]) -> list[Score]:
        """Scores in the order of `requests`. Raises ValueError where the model gives no finite number."""
        scores: list[Score] = []
        for start in range(0, len(requests), _CHUNK):
            texts = [request.text for request in requests[start : start + _CHUNK]]
            looks = self._compact.look(texts)
            scores += [self._head.score(text, look) for text, look in zip(texts, looks, strict=True)]
        return scores


def folder() -> Path:
    """The one LEARNED_MODEL names. Raises LearnedRefused."""
    name = os.environ.get("LEARNED_MODEL", "")
    if not name:
        raise LearnedRefused("Set LEARNED_MODEL to a folder that manage.py train has written.")
    return Path(name)


def identity_of(head: Head) -> Model:
    made = digest(Compact.identity().digest, head.to_bytes())
    return Model(f"learned-{made[:8]}", made)


def write(parent: Path, head: Head, card: Mapping[str, Any], calibration: Mapping[str, Any]) -> Path:
    """A folder in `parent` by the model's name: all of it or nothing. What is there already is the same, and stays.

    card: `base`, the id and digest of the compact model it was fitted on, and whatever else there is to tell.
    """
    model = identity_of(head)
    whole = {"id": model.id, "digest": model.digest, **card}
    parent.mkdir(parents=True, exist_ok=True)
    goal = parent / model.id
    with tempfile.TemporaryDirectory(dir=parent, prefix=".unfinished-") as unfinished:
        made = Path(unfinished) / model.id
        made.mkdir()
        (made / HEAD).write_bytes(head.to_bytes())
        for name, content in ((CARD, whole), (CALIBRATION, calibration)):
            (made / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        if (goal / HEAD).exists() and (goal / HEAD).read_bytes() == head.to_bytes():
            return goal
        shutil.rmtree(goal, ignore_errors=True)  # it bears this name and holds something else: it is damaged
        made.rename(goal)
    return goal


def _read(here: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(here / name))
    except ValueError as error:
        raise LearnedRefused(f"{here / name} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise _damaged(here / name)
    return found


def _damaged(file: Path) -> LearnedRefused:
    return LearnedRefused(f"{file} is damaged. Copy the folder again, or train again.")


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise LearnedRefused(f"{file} cannot be read: {error.strerror}") from error
