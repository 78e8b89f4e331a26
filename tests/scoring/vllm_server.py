"""`vllm serve` as a client sees it: its schema over real HTTP, true rewards from a checkpoint, and faults on demand."""

from __future__ import annotations

import json
import math
import ssl
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch

from scoring.worldpm import Reward

MODEL = "worldpm"
Answer = dict[str, Any]
Fault = Callable[["Handler", Answer], None]
"""Answers a request in a way of its own. Gets the answer that would have been right."""


class VllmServer:
    """pooling: "ALL" as Qwen2ForRewardModel, or "LAST" as a sequence classifier. key: refuse who does not bring it.

    heeds: whether it knows use_activation; older servers put every reward through a sigmoid.
    """

    def __init__(
        self,
        reward: Reward,
        pooling: str = "ALL",
        key: str = "",
        models: tuple[str, ...] = (MODEL,),
        heeds: bool = True,
    ) -> None:
        self.reward, self.pooling, self.key, self.models, self.heeds = reward, pooling, key, models, heeds
        self.faults: deque[Fault] = deque()
        self.health: int = 200
        self.asked: list[tuple[str, Answer]] = []
        self.connections = 0
        self.closing = threading.Event()
        self._server = _Listening(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def speak_tls(self, certificate: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, asked: Answer) -> Answer:
        """vLLM's PoolingResponse. Activation is on unless the request turns it off, as in vLLM."""
        activated = asked.get("use_activation") is not False or not self.heeds
        data = [
            {"index": index, "object": "pooling", "data": self._rewards(ids, activated=activated)}
            for index, ids in enumerate(asked["input"])
        ]
        read = sum(map(len, asked["input"]))
        usage = {"prompt_tokens": read, "total_tokens": read, "completion_tokens": 0}
        return {"id": "pool-1", "object": "list", "created": 1, "model": self.models[0], "data": data, "usage": usage}

    def _rewards(self, ids: list[int], *, activated: bool) -> list[Any]:
        rewards = self._of_each_token(ids) if self.pooling == "ALL" else [self.reward.of(ids)]
        if activated:
            rewards = [1 / (1 + math.exp(-one)) for one in rewards]
        return [[one] for one in rewards] if self.pooling == "ALL" else rewards

    def _of_each_token(self, ids: list[int]) -> list[float]:
        with torch.inference_mode():
            states = self.reward.body(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0]
            return self.reward.head(states.float()).squeeze(-1).tolist()


class _Listening(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behaviour: VllmServer) -> None:
        self.behaviour = behaviour
        super().__init__(("127.0.0.1", 0), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.behaviour.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listening

    def do_GET(self) -> None:
        behaviour = self.server.behaviour
        behaviour.asked.append((self.path, {}))
        if self.path == "/health":
            self.say(behaviour.health, b"")
        elif self._may_ask():
            listed = [{"id": name, "object": "model", "owned_by": "vllm"} for name in behaviour.models]
            self.say_json(200, {"object": "list", "data": listed})

    def do_POST(self) -> None:
        behaviour = self.server.behaviour
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        behaviour.asked.append((self.path, asked))
        if behaviour.faults:
            behaviour.faults.popleft()(self, asked)
        elif self._may_ask():
            self.say_json(200, behaviour.answer(asked))

    def say(self, status: int, content: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def say_json(self, status: int, content: Answer) -> None:
        self.say(status, json.dumps(content).encode())

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""

    def _may_ask(self) -> bool:
        brought, key = self.headers.get("Authorization", ""), self.server.behaviour.key
        if key and brought != f"Bearer {key}":
            error = {"message": f"Unauthorized: {brought}", "type": "Unauthorized", "param": None, "code": 401}
            self.say_json(401, {"error": error})
            return False
        return True


def status(code: int, said: str = "engine busy", **headers: str) -> Fault:
    """An error as vLLM words it."""
    content = json.dumps({"error": {"message": said, "type": "Error", "param": None, "code": code}}).encode()
    return lambda handler, asked: handler.say(code, content, **headers)


def other(content: bytes, kind: str = "application/json") -> Fault:
    """Something else, with a 200."""
    return lambda handler, asked: handler.say(200, content, kind)


def spoilt(spoil: Callable[[Answer], object]) -> Fault:
    """The right answer after `spoil` changed it."""

    def fault(handler: Handler, asked: Answer) -> None:
        answer = handler.server.behaviour.answer(asked)
        spoil(answer)
        handler.say_json(200, answer)

    return fault


def hang(handler: Handler, asked: Answer) -> None:
    """Says nothing until the test is over."""
    handler.server.behaviour.closing.wait()


def hang_up(handler: Handler, asked: Answer) -> None:
    """Announces a whole answer, sends half of it and closes."""
    content = json.dumps(handler.server.behaviour.answer(asked)).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True
