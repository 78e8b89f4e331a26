"""The same scores as scoring.worldpm, from a vLLM server. Needs the tokenizer alone; weights and GPU are elsewhere.

Each ticket is two prompts of token ids, one a verdict. `Qwen2ForRewardModel` (WorldPM) answers a reward a token and
reads nothing from the server's prefix cache, so both prompts cost their whole length; a sequence classifier does not.
That a real vLLM gives these scores was not shown: the tests ask a server of its schema that computes true rewards.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

from scoring.batches import batches
from scoring.calibration import Calibration
from scoring.checkpoint import CheckpointRefused, checkpoint, weights_digest
from scoring.conversation import pair, pairs
from scoring.types import Model, Request, Score, Unavailable
from scoring.vllm import Refused, Server, Unanswered
from scoring.worldpm import MOST_TICKET_TOKENS, calibration_beside, score_of

MOST_TOKENS = 16_384  # of one request: about as many as a server reads in a few seconds
PATIENCE = 10.0  # seconds in one call of `score` after which nothing is tried again: a claim's lease is 20
FAILURES, FIRST_PAUSE, LONGEST_PAUSE = 3, 5.0, 120.0
_PROBES = 8
_WARM_UP = Request("Warm up\n\nThe first run of a model is slow.")


class Remote:
    """One a process. REMOTE_URL, REMOTE_MODEL, REMOTE_KEY, REMOTE_DIGEST; WORLDPM_MODEL: where the tokenizer is."""

    model: Model

    @classmethod
    def identity(cls) -> Model:
        """Without the network where REMOTE_MODEL is set, and without weights where REMOTE_DIGEST is."""
        return Model(id=_model_name(), digest=_digest())

    @classmethod
    def calibration(cls) -> Calibration:
        """As WorldPM's: beside the tokenizer, or none."""
        return calibration_beside(_digest())

    def __init__(self, clock: Callable[[], float] = time.monotonic, wait: Callable[[float], None] = time.sleep) -> None:
        from transformers import AutoTokenizer

        self.model = self.identity()
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint())
        self.server = Server(_url(), _key(), clock, wait)
        self.breaker = Breaker(clock)
        self.verified = False

    def problem(self) -> str:
        """Why it cannot score now, or nothing.

        Asks the server at first and after a failure, and not while the breaker is open: no ticket is the guinea pig.
        """
        try:
            self._be_sure()
        except Unavailable as error:
            return str(error)
        return ""

    def score(self, requests: Sequence[Request]) -> list[Score]:
        """Scores in the order of `requests`.

        Raises Unavailable, and ValueError where the server refuses or breaks on these texts or gives no finite number.
        """
        self._be_sure()
        asked = pairs(self.tokenizer, requests, MOST_TICKET_TOKENS)
        prompts = [[(*one.shared, *ending) for ending in (one.frame.urgent, one.frame.standard)] for one in asked]
        scores: dict[int, Score] = {}
        with self._watched():
            until = self.server.clock() + PATIENCE
            for batch in batches([sum(map(len, both)) for both in prompts], MOST_TOKENS):
                rewards = self._rewards([prompt for index in batch for prompt in prompts[index]], until)
                for index, urgent, standard in zip(batch, rewards[::2], rewards[1::2], strict=True):
                    scores[index] = score_of(asked[index], urgent, standard)
        return [scores[index] for index in range(len(requests))]

    def _rewards(self, prompts: Sequence[Sequence[int]], until: float) -> list[float]:
        """The texts are to blame where the server fails on them and then answers another question."""
        try:
            return self.server.rewards(self.model.id, prompts, until=until)
        except Unanswered as error:
            self._verify()
            raise ValueError(f"{error} It answers other texts.") from error

    def _be_sure(self) -> None:
        if self.breaker.is_open:
            raise Unavailable(self.breaker.says)
        if not self.verified:
            with self._watched():
                self._verify()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """After a failure the server is looked at anew before it gets a ticket: by then it may be another one."""
        try:
            yield
        except Unavailable as error:
            self.verified = False
            self.breaker.failed(str(error))
            raise
        except Refused:
            self.verified = False
            raise
        self.breaker.succeeded()

    def _verify(self) -> None:
        """Raises Unavailable where the server gives no rewards, or puts them through an activation all the same.

        Rewards are unbounded: those of several prompts of unlike length are hardly all between 0 and 1.
        """
        one = pair(self.tokenizer, _WARM_UP.rubric, _WARM_UP.text, MOST_TICKET_TOKENS)
        whole = (*one.shared, *one.frame.urgent)
        prompts = [whole[: len(whole) * part // _PROBES] for part in range(1, _PROBES + 1)]
        try:
            self.server.get("/health")
            plain = self.server.probe(self.model.id, prompts)
            squashed = all(0 <= reward <= 1 for reward in plain)
            if squashed and _alike(plain, self.server.probe(self.model.id, prompts, activated=True)):
                raise Unavailable(f"{self.server.url} gives no raw rewards: its vLLM does not know use_activation.")
        except ValueError as error:
            raise Unavailable(str(error)) from error
        self.verified = True


class Breaker:
    """Open after FAILURES in a row, for a pause that doubles with each further one. clock: seconds, never back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.succeeded()

    def succeeded(self) -> None:
        self.failures, self.pause, self.until, self.says = 0, 0.0, -math.inf, ""

    def failed(self, says: str) -> None:
        self.failures += 1
        self.says = says
        if self.failures >= FAILURES:
            self.pause = min(2 * self.pause or FIRST_PAUSE, LONGEST_PAUSE)
            self.until = self.clock() + self.pause

    @property
    def is_open(self) -> bool:
        return self.clock() < self.until


def _alike(some: Sequence[float], others: Sequence[float]) -> bool:
    """To the precision of bfloat16: the same prompts in another batch."""
    return all(math.isclose(one, other, abs_tol=0.02) for one, other in zip(some, others, strict=True))


def _url() -> str:
    url = os.environ.get("REMOTE_URL", "").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in url or parts.query or parts.fragment:
        raise ValueError("Set REMOTE_URL to the server's address, such as http://gpu:8000, without a user or password.")
    return url


def _key() -> str:
    key = os.environ.get("REMOTE_KEY", "").strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise ValueError("REMOTE_KEY holds characters that no header may hold.")
    return key


def _model_name() -> str:
    return os.environ.get("REMOTE_MODEL", "") or _only_model(Server(_url(), _key()))


@cache
def _only_model(server: Server) -> str:
    names = server.models()
    if len(names) != 1:
        raise ValueError(f"{server.url} serves {len(names)} models; name one of them in REMOTE_MODEL.")
    return names[0]


def _digest() -> str:
    """What ops say the server's weights are: vLLM tells no digest of its own."""
    given = os.environ.get("REMOTE_DIGEST", "").strip().lower()
    if given and not re.fullmatch(r"[0-9a-f]{64}", given):
        raise ValueError("REMOTE_DIGEST is not a SHA-256 of 64 hexadecimal digits.")
    try:
        return given or weights_digest(checkpoint())
    except CheckpointRefused as error:
        raise CheckpointRefused(f"Set REMOTE_DIGEST to the digest of the server's weights. {error}") from error
