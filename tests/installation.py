"""Installations in processes of their own, started by the lines of the Procfile, on real servers or embedded."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from tests.own_database import at_path, own_database

ROOT = Path(__file__).resolve().parents[1]
_SERVERS = ("DATABASE_URL", "BROKER_URL", "ELASTICSEARCH_URL", "ELASTICSEARCH_ADMIN_URL", "ELASTICSEARCH_READER_URL")
_OTHERS = (
    "HTTPS",
    "PROXY_COUNT",
    "ALLOWED_HOSTS",
    "PORT",
    "VAR_DIR",
    "DEMO",
    "SCORER",
    "LEARNED_MODEL",
    "DJANGO_SETTINGS_MODULE",
)


@dataclass(frozen=True)
class Answer:
    status: int
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Installation:
    """A product of its own: `start` its processes, `kill` them, `query` its database."""

    folder: Path
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['PORT']}"

    def __str__(self) -> str:
        return self.url

    def manage(self, *arguments: str, stdin: str = "", expect: int = 0) -> str:
        """Standard output of `manage.py`; its exit status must be the one expected."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == expect, (
            f"{arguments}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )
        return (done.stdout if expect == 0 else done.stdout + done.stderr).strip()

    def shell(self, code: str) -> str:
        return self.manage("shell", "-v0", "-c", code)

    def start(self, kind: str, name: str = "", **environment: str) -> subprocess.Popen[bytes]:
        """A process as the Procfile has it: web, worker, housekeeping or sweep. `name` tells two of a kind apart."""
        name = name or kind
        command = procfile()[kind]
        if "--hostname" in command:
            command = command.replace("--hostname ", f"--hostname {name}.")
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                shlex.split(command.removeprefix("exec ")),
                cwd=ROOT,
                env=self.environment | {"WORKER_NAME": name} | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if kind == "web":
            eventually(lambda: self.get("/healthz").status == 200, f"{self.url} answers")
        return self.processes[name]

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Signals the process and its children at once, and waits until it is gone."""
        process = self.processes.pop(name)
        os.killpg(process.pid, number)
        process.wait(timeout=60)

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        url = self.environment["DATABASE_URL"]
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)) as connection:
                return connection.execute(sql).fetchall()
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def count(self, condition: str) -> int:
        """Rows of "TABLE WHERE ..."."""
        return int(self.query(f"SELECT count(*) FROM {condition}")[0][0])

    def get(self, path: str, key: str = "") -> Answer:
        return self._call("GET", path, None, key)

    def post(self, path: str, body: Any, key: str = "") -> Answer:
        return self._call("POST", path, json.dumps(body).encode(), key)

    def _call(self, method: str, path: str, body: bytes | None, key: str) -> Answer:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())
        except OSError as error:
            return Answer(0, str(error))


@contextmanager
def embedded(folder: Path, **environment: str) -> Iterator[Installation]:
    """SQLite, the filesystem as broker, no Elasticsearch."""
    values = _environment(folder) | {"DATABASE_URL": f"sqlite:///{folder / 'triage.sqlite3'}"} | environment
    yield from _installed(Installation(folder, values))


@contextmanager
def real(folder: Path, **environment: str) -> Iterator[Installation]:
    """PostgreSQL, Redis and Elasticsearch as `deploy/services` runs them, each emptied for this installation.

    Tests in this process knock on Redis too; they do so in database 0.
    """
    with own_database() as database:
        servers = {server: os.environ[server] for server in _SERVERS}
        own = {"DATABASE_URL": database, "BROKER_URL": at_path(servers["BROKER_URL"], "1")}
        values = _environment(folder) | servers | own | environment
        empty_elasticsearch()
        empty_redis(values["BROKER_URL"])
        yield from _installed(Installation(folder, values))


def services(*words: str) -> None:
    """`deploy/services stop redis` and the like, for tests that take a server away."""
    subprocess.run([ROOT / "deploy" / "services", *words], check=True, capture_output=True, timeout=240)


def eventually(holds: Callable[[], bool], what: str, within: float = 120, every: float = 0.2) -> None:
    """Waits until it holds; fails with `what` was waited for."""
    until = time.monotonic() + within
    while not holds():
        assert time.monotonic() < until, f"not within {within:.0f} s: {what}"
        time.sleep(every)


def procfile() -> dict[str, str]:
    """Process name -> command, with this environment's programs instead of the ones `make run` installs."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    programs = str(Path(sys.executable).parent)
    return {kind: command.strip().replace(".venv/bin", programs) for kind, command in (x.split(":", 1) for x in lines)}


def empty_elasticsearch() -> None:
    from elasticsearch import Elasticsearch

    with Elasticsearch(os.environ["ELASTICSEARCH_ADMIN_URL"]) as admin:
        for index in admin.indices.get(index="triage-decisions-g*"):
            admin.indices.delete(index=index)
        admin.options(ignore_status=404).delete_by_query(
            index="triage-checkpoints", query={"match_all": {}}, refresh=True, conflicts="proceed"
        )


def empty_redis(url: str) -> None:
    import redis

    redis.Redis.from_url(url).flushdb()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _installed(installation: Installation) -> Iterator[Installation]:
    installation.folder.mkdir(parents=True, exist_ok=True)
    installation.manage("migrate", "-v0")
    try:
        yield installation
    finally:
        installation.stop()
        for log in installation.folder.glob("*.log"):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}")  # pytest shows it where the test failed


def _environment(folder: Path) -> dict[str, str]:
    ours = {"VAR_DIR": str(folder), "PORT": str(free_port()), "LOG_LEVEL": "WARNING"}
    return {name: value for name, value in os.environ.items() if name not in _SERVERS + _OTHERS} | ours
