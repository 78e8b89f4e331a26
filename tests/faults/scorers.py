"""Scorers that misbehave, for workers in processes of their own."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence

from scoring.calibration import UNCALIBRATED, Calibration
from scoring.types import Model, Request, Score, Unavailable


class Free:
    """Costs nothing: a quarter of all texts is urgent."""

    model = Model("free", "0" * 64)

    @classmethod
    def identity(cls) -> Model:
        return cls.model

    @classmethod
    def calibration(cls) -> Calibration:
        return UNCALIBRATED

    def score(self, requests: Sequence[Request]) -> list[Score]:
        return [Score(2.0 if len(request.text) % 4 == 0 else -2.0) for request in requests]


class Raising(Free):
    def score(self, requests: Sequence[Request]) -> list[Score]:
        raise RuntimeError("CUDA out of memory")


class Hanging(Free):
    def score(self, requests: Sequence[Request]) -> list[Score]:
        time.sleep(3_600)
        return super().score(requests)


class Nonsense(Free):
    def score(self, requests: Sequence[Request]) -> list[Score]:
        return [Score(math.nan) for _ in requests]


class Short(Free):
    def score(self, requests: Sequence[Request]) -> list[Score]:
        return super().score(requests)[1:]


class Crashing(Free):
    """Ends the process where a text says so, as a driver does that crashes."""

    def score(self, requests: Sequence[Request]) -> list[Score]:
        if any("crash the driver" in request.text for request in requests):
            os.abort()
        return super().score(requests)


class Away(Free):
    """A server that is away after the tickets were claimed, and says so before the next ones are."""

    def __init__(self) -> None:
        self.says = ""

    def problem(self) -> str:
        return self.says

    def score(self, requests: Sequence[Request]) -> list[Score]:
        self.says = "http://gpu:8000 does not answer"
        raise Unavailable(self.says)
