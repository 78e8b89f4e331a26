"""What the three servers have in common: prepare the data, launch, wait until it answers, stop, kill."""

import signal
import socket
import time
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from services_lib.credentials import Credentials
from services_lib.daemon import Daemon
from services_lib.errors import ServicesError
from services_lib.site import Site

LAUNCHES = 3


class Server(ABC):
    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    start_seconds: ClassVar[float]
    stop_seconds: ClassVar[float] = 60

    def __init__(self, site: Site, credentials: Credentials, lock: int) -> None:
        self.site = site
        self.credentials = credentials
        self.lock = lock

    @property
    @abstractmethod
    def port(self) -> int: ...

    @abstractmethod
    def prepare(self) -> None:
        """Makes what is missing of programs, data folder and configuration; does nothing where all is there."""

    @abstractmethod
    def launch(self) -> None: ...

    @abstractmethod
    def problem(self) -> str | None:
        """Asks the server something that needs its password. None when it answers as it should."""

    @property
    def data(self) -> Path:
        return self.site.folder / self.name

    @cached_property
    def daemon(self) -> Daemon:
        return Daemon(self.site.account, self.site.pid_file(self.name), self.site.log(self.name))

    def start(self) -> bool:
        """Launches the server unless it runs already, on the right port; says whether it did."""
        running = self.daemon.running()
        if running and running.port == self.port:
            return False
        if running:
            self.stop()
        self.prepare()
        self._wait_for_free_port()
        self.launch()
        return True

    def wait_until_it_answers(self) -> None:
        """A server that ends at once is launched again: what a killed one left behind may need a moment to go."""
        deadline = time.monotonic() + self.start_seconds
        launches = 1
        while (problem := self.problem()) is not None:
            ended = self.daemon.running() is None
            if time.monotonic() > deadline or (ended and launches == LAUNCHES):
                raise ServicesError(self._failure("ended" if ended else "does not answer", problem))
            if ended:
                time.sleep(1)
                self.launch()
                launches += 1
            time.sleep(0.1)

    def stop(self) -> bool:
        return self.daemon.stop(self.stop_signal, self.stop_seconds)

    def kill(self) -> bool:
        return self.daemon.kill()

    def _wait_for_free_port(self) -> None:
        deadline = time.monotonic() + 10
        while _listens(self.port):
            if time.monotonic() > deadline:
                variable = f"TRIAGE_{self.name.upper()}_PORT"
                raise ServicesError(
                    f"{self.name}: another program listens on 127.0.0.1:{self.port}; stop it or set {variable}"
                )
            time.sleep(0.1)

    def _failure(self, what: str, problem: str) -> str:
        log = f"--- end of {self.daemon.log} ---\n{self.daemon.log_tail()}\n---"
        anew = f"To start anew without its data: `deploy/services stop {self.name}`, then delete {self.data}."
        return f"{self.name} {what} on 127.0.0.1:{self.port}: {problem}\n{log}\n{anew}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
