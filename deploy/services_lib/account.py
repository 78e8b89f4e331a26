"""The account the servers run under: PostgreSQL and Elasticsearch refuse to run as root."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services_lib.errors import ServicesError

SERVICE_ACCOUNT = "triage-services"


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    @property
    def is_caller(self) -> bool:
        return self.uid == os.geteuid()

    def demotion(self) -> dict[str, Any]:
        """Arguments for subprocess that make the child run under this account."""
        return {} if self.is_caller else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """Whether this account may reach a folder, or its nearest parent that exists already."""
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        done = subprocess.run(["test", "-x", existing], check=False, cwd="/", **self.demotion())
        return done.returncode == 0

    def own(self, path: Path) -> None:
        if not self.is_caller:
            os.chown(path, self.uid, self.gid)

    def make_folder(self, folder: Path) -> Path:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.own(folder)
        return folder


def account_for_servers() -> Account:
    """The caller, or for root a system account of our own that is made when it is missing."""
    if os.geteuid() != 0:
        return _account(pwd.getpwuid(os.geteuid()))
    try:
        return _account(pwd.getpwnam(SERVICE_ACCOUNT))
    except KeyError:
        _create_service_account()
        return _account(pwd.getpwnam(SERVICE_ACCOUNT))


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create_service_account() -> None:
    useradd = shutil.which("useradd") or "/usr/sbin/useradd"
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", SERVICE_ACCOUNT]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", None) or error
        raise ServicesError(
            f"cannot make the system user {SERVICE_ACCOUNT} that the servers run as: {detail}"
        ) from error
