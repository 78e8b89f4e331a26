"""Where the servers of this checkout keep their data, and which ports they listen on."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from services_lib.account import Account, account_for_servers
from services_lib.errors import ServicesError

PROJECT = Path(__file__).resolve().parents[2]
SHARED_DATA = Path("/var/lib/triage-services")
SHARED_CACHE = Path("/var/cache/triage")


@dataclass(frozen=True)
class Ports:
    postgres: int
    redis: int
    elasticsearch: int
    elasticsearch_transport: int


@dataclass(frozen=True)
class Site:
    folder: Path
    cache: Path
    account: Account
    ports: Ports

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def credentials(self) -> Path:
        return self.folder / "credentials.json"

    def pid_file(self, name: str) -> Path:
        return self.folder / "run" / f"{name}.pid"

    def log(self, name: str) -> Path:
        return self.folder / "log" / f"{name}.log"


def site_from_environment() -> Site:
    account = account_for_servers()
    folder = _folder(account)
    for part in (folder, folder / "run", folder / "log"):
        part.mkdir(parents=True, exist_ok=True)
    return Site(folder, _cache(account), account, _ports())


def _folder(account: Account) -> Path:
    """`.services` in the checkout, unless the servers' account cannot get there (a checkout under /root)."""
    if chosen := os.environ.get("TRIAGE_SERVICES_DIR"):
        folder = Path(chosen).absolute()
        if not account.can_enter(folder):
            raise ServicesError(
                f"TRIAGE_SERVICES_DIR={folder} cannot be entered by the user {account.name}; choose another"
            )
        return folder
    folder = PROJECT / ".services"
    if account.can_enter(folder):
        return folder
    return SHARED_DATA / hashlib.sha256(bytes(PROJECT)).hexdigest()[:12]


def _cache(account: Account) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triage"
    return cache if account.can_enter(cache) else SHARED_CACHE


def _ports() -> Ports:
    return Ports(
        postgres=_port("TRIAGE_POSTGRES_PORT", 54329),
        redis=_port("TRIAGE_REDIS_PORT", 63799),
        elasticsearch=_port("TRIAGE_ELASTICSEARCH_PORT", 19200),
        elasticsearch_transport=_port("TRIAGE_ELASTICSEARCH_TRANSPORT_PORT", 19300),
    )


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ServicesError(f"{variable}={text} is not a port; give a number from 1 to 65535")
    return int(text)
