"""A vLLM server's pooling API as a client: token ids in, the reward at each prompt's last token out.

vLLM puts rewards through a sigmoid unless told not to, so every request says whether it wants that. `task` is left out:
a server answers with the pooling it was started with, "ALL" (a reward a token) or "LAST" (that of the last token).
Schema: vllm/entrypoints/pooling/pooling/protocol.py and vllm/model_executor/layers/pooler/ in vLLM's sources.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader, ReadTimeoutError

from scoring.types import Unavailable

MOST_BYTES = 16 * 1024 * 1024  # of one answer; a reward a token is about 25 bytes
MOST_SAID = 300  # characters of the server's own words in an error
SCORING, PROBING = urllib3.Timeout(connect=2, read=10), urllib3.Timeout(connect=2, read=3)
BACK_OFF = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth attempt
LONGEST_RETRY_AFTER = 5.0
_LARGEST = sys.float_info.max
PASSING = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


class Refused(ValueError):
    """The server answered with a 4xx: asking the same again would not help."""


class Passing(Unavailable):
    """Worth another attempt. after: seconds the server asks to wait, or 0."""

    def __init__(self, says: str, after: float = 0.0) -> None:
        super().__init__(says)
        self.after = after


class Unanswered(Unavailable):
    """No answer in time, or an error inside the server: it is ill, or these prompts are what it breaks on."""


class Failing(Passing, Unanswered):
    """An error inside the server."""


@dataclass(frozen=True)
class Server:
    """url: without a slash at its end. key: of a proxy or of --api-key, or empty. clock, wait: seconds."""

    url: str
    key: str = field(repr=False)
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep

    def rewards(
        self, model: str, prompts: Sequence[Sequence[int]], *, until: float = math.inf, activated: bool = False
    ) -> list[float]:
        """Unbounded, or through the server's activation. until: by the clock, when nothing is tried again.

        Raises Unavailable, Refused, and ValueError where a reward is not a finite number.
        """
        return pooled(self._json(self._patiently(_asked(model, prompts, activated=activated), until)), prompts)

    def probe(self, model: str, prompts: Sequence[Sequence[int]], *, activated: bool = False) -> list[float]:
        """As `rewards`, in one attempt with a short time-out."""
        content = _asked(model, prompts, activated=activated)
        return pooled(self._json(self._once("POST", "/pooling", content, PROBING)), prompts)

    def models(self) -> list[str]:
        listed = self._json(self.get("/v1/models"))
        try:
            return [str(model["id"]) for model in listed["data"]]
        except (TypeError, KeyError) as error:
            raise Unavailable(f"{self.url} lists no models in the way vLLM does.") from error

    def get(self, path: str) -> bytes:
        return self._once("GET", path, None, PROBING)

    def _patiently(self, content: bytes, until: float) -> bytes:
        for pause in BACK_OFF:
            try:
                return self._once("POST", "/pooling", content, SCORING)
            except Passing as error:
                longer = max(pause, min(error.after, LONGEST_RETRY_AFTER))
                if self.clock() + longer > until:
                    raise
                self.wait(longer)
        return self._once("POST", "/pooling", content, SCORING)

    def _once(self, method: str, path: str, content: bytes | None, timeout: urllib3.Timeout) -> bytes:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        try:
            response = _connections().request(
                method,
                self.url + path,
                body=content,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            answer = self._read(response)
        except ReadTimeoutError as error:
            raise Unanswered(f"{self.url} did not answer in {timeout.read_timeout} seconds.") from error
        except HTTPError as error:
            raise Passing(f"{self.url} cannot be reached: {type(error).__name__}.") from error
        if response.status != HTTPStatus.OK:
            self._refuse(response, answer)
        return answer

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        content = bytearray()
        try:
            for piece in response.stream(65_536, decode_content=False):
                content += piece
                if len(content) > MOST_BYTES:
                    response.close()
                    raise Unavailable(f"{self.url} answered with more than {MOST_BYTES} bytes.")
        finally:
            response.release_conn()
        return bytes(content)

    def _refuse(self, response: urllib3.BaseHTTPResponse, content: bytes) -> None:
        says = f"{self.url} answered {response.status}: {self._said(content)}"
        if response.status in PASSING:
            kind = Failing if response.status == HTTPStatus.INTERNAL_SERVER_ERROR else Passing
            raise kind(says, _seconds(response.headers.get("Retry-After", "")))
        if HTTPStatus.BAD_REQUEST <= response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Refused(says)
        raise Unavailable(says)

    def _said(self, content: bytes) -> str:
        """The server's own words on one line, shortened, without the key."""
        said: Any = content.decode("utf-8", "replace")
        try:
            said = json.loads(said)
            said = said.get("error", said)
            said = said.get("message") or said.get("detail") or said
        except (ValueError, AttributeError, RecursionError):
            pass
        line = " ".join(str(said).split())
        return (line.replace(self.key, "***") if self.key else line)[:MOST_SAID]

    def _json(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"{self.url} answered something that is not JSON. Is it vLLM?") from error


def _asked(model: str, prompts: Sequence[Sequence[int]], *, activated: bool) -> bytes:
    asked = {
        "model": model,
        "input": [list(prompt) for prompt in prompts],
        "encoding_format": "float",
        "add_special_tokens": False,
        "use_activation": activated,
    }
    return json.dumps(asked).encode()


def pooled(answer: Any, prompts: Sequence[Sequence[int]]) -> list[float]:
    """The reward at the last token of each prompt, from a PoolingResponse.

    Raises Unavailable where it is none for these prompts, and ValueError where a reward is not a finite number.
    """
    try:
        order = [item["index"] for item in answer["data"]]
        values = [item["data"] for item in answer["data"]]
        read = answer["usage"]["prompt_tokens"]
    except (TypeError, KeyError) as error:
        raise Unavailable("The server answered something that is no pooling response. Is it vLLM?") from error
    if len(order) != len(prompts):
        raise Unavailable(f"The server answered {len(order)} items to {len(prompts)} prompts.")
    if order != list(range(len(prompts))):
        raise Unavailable("The server answered its items in another order than it was asked.")
    sent = sum(map(len, prompts))
    if read != sent:
        raise Unavailable(f"The server read {read} tokens where {sent} were sent.")
    return [_at_last_token(rewards, len(prompt)) for rewards, prompt in zip(values, prompts, strict=True)]


def _at_last_token(rewards: Any, tokens: int) -> float:
    """rewards: of each token ("ALL" pooling), or of the last alone ("LAST"); each bare or in a list of one."""
    if not isinstance(rewards, list) or len(rewards) not in {1, tokens}:
        raise Unavailable(f"The server gave neither one reward nor one for each of {tokens} tokens.")
    single = [reward[0] if isinstance(reward, list) and len(reward) == 1 else reward for reward in rewards]
    if any(isinstance(reward, list | dict | str | bool) for reward in single):
        raise Unavailable("The server gave vectors where rewards were asked: it does not serve a reward model.")
    if not all(isinstance(reward, int | float) and abs(reward) <= _LARGEST for reward in single):
        raise ValueError("the server gave a reward that is not a finite number")
    return float(single[-1])


def _seconds(retry_after: str) -> float:
    try:
        return urllib3.Retry(0).parse_retry_after(retry_after)
    except (InvalidHeader, ValueError, OverflowError):
        return 0.0


@cache
def _connections() -> urllib3.PoolManager:
    return urllib3.PoolManager(num_pools=1, maxsize=2, block=True, cert_reqs="CERT_REQUIRED")


os.register_at_fork(after_in_child=_connections.cache_clear)  # two processes must not share a connection
