"""Passwords: random, made once for a folder, readable by the caller only."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services_lib.errors import ServicesError


def _password() -> str:
    # Hexadecimal, so that it needs no quoting in a URL, a shell, SQL or redis.conf.
    return secrets.token_hex(24)


@dataclass(frozen=True)
class Credentials:
    postgres: str = field(default_factory=_password)
    redis: str = field(default_factory=_password)
    elastic: str = field(default_factory=_password)
    triage_writer: str = field(default_factory=_password)
    triage_reader: str = field(default_factory=_password)


def load_or_create(path: Path) -> Credentials:
    """Call with the lock held, or two callers could make two sets."""
    try:
        return Credentials(**json.loads(path.read_text()))
    except FileNotFoundError:
        credentials = Credentials()
        _write(path, credentials)
        return credentials
    except (TypeError, ValueError) as error:
        raise ServicesError(
            f"{path} is damaged, and with it the passwords are lost: "
            f"delete it, type `deploy/services down`, delete {path.parent} and start anew"
        ) from error


def _write(path: Path, credentials: Credentials) -> None:
    making = path.with_suffix(".making")
    making.unlink(missing_ok=True)
    making.touch(mode=0o600, exist_ok=False)
    making.write_text(json.dumps(asdict(credentials), indent=1))
    making.rename(path)
