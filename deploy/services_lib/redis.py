"""Redis as a broker: keeps nothing on disk, because a message only wakes a worker and the database holds the truth."""

import os
import shutil

from services_lib.programs import ask
from services_lib.server import Server

PACKAGE = "redis-server"


def installed() -> bool:
    return _program("redis-server") is not None and _program("redis-cli") is not None


class Redis(Server):
    name = "redis"
    start_seconds = 30

    @property
    def port(self) -> int:
        return self.site.ports.redis

    @property
    def url(self) -> str:
        return f"redis://default:{self.credentials.redis}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        self.site.account.make_folder(self.data)
        settings = {
            "bind": "127.0.0.1",
            "port": self.port,
            "dir": f'"{self.data}"',
            "requirepass": self.credentials.redis,  # in a file: a command line can be read by everyone
            "appendonly": "no",
            "save": '""',
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
        }
        configuration = self.data / "redis.conf"
        configuration.touch(mode=0o600)
        self.site.account.own(configuration)
        configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))

    def launch(self) -> None:
        program = _program("redis-server") or "redis-server"
        self.daemon.launch([program, self.data / "redis.conf"], port=self.port, cwd=self.data, environment={})

    def problem(self) -> str | None:
        command = [_program("redis-cli") or "redis-cli", "-h", "127.0.0.1", "-p", str(self.port), "ping"]
        _, answer = ask(command, {"REDISCLI_AUTH": self.credentials.redis})
        return None if answer == "PONG" else answer


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
