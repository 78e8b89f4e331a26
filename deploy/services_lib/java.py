"""Finds a JDK that Elasticsearch 9 can start on. A runtime without jdk.jdi and jdk.jlink is not enough."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from services_lib.account import Account
from services_lib.errors import ServicesError

OLDEST = 21
NEEDED = {"jdk.jdi", "jdk.jlink"}


@dataclass(frozen=True)
class Jdk:
    home: Path
    modules: frozenset[str]

    @property
    def java(self) -> Path:
        return self.home / "bin" / "java"


def find_jdk(account: Account) -> Jdk:
    """Looks at ES_JAVA_HOME, JAVA_HOME, PATH and /usr/lib/jvm, in this order; the first that fits is taken."""
    refused = []
    for home in _candidates():
        modules, version = _modules(home, account)
        if version >= OLDEST and modules >= NEEDED:
            return Jdk(home, modules)
        refused.append(f"  {home}: {_shortcoming(modules, version, account)}")
    seen = "\n".join(refused) or "  (none)"
    raise ServicesError(
        f"Elasticsearch needs a full JDK {OLDEST} or newer, and none of these will do:\n{seen}\n"
        f"Install one (`apt-get install openjdk-{OLDEST}-jdk-headless` where Debian or Ubuntu has it, "
        "or Temurin 25) and, unless it lies under /usr/lib/jvm, set ES_JAVA_HOME to its folder."
    )


def _candidates() -> list[Path]:
    named = [Path(value) for variable in ("ES_JAVA_HOME", "JAVA_HOME") if (value := os.environ.get(variable))]
    on_path = [Path(java).resolve().parents[1]] if (java := shutil.which("java")) else []
    installed = sorted(Path("/usr/lib/jvm").glob("*/bin/java"))
    homes = [*named, *on_path, *(java.parents[1] for java in installed)]
    return list(dict.fromkeys(home.resolve() for home in homes))


def _modules(home: Path, account: Account) -> tuple[frozenset[str], int]:
    """Asks as the servers' account, which must be able to run it. Nothing and 0 where it cannot."""
    command = [str(home / "bin" / "java"), "--list-modules"]
    try:
        done = subprocess.run(
            command, check=False, cwd="/", env={}, capture_output=True, text=True, **account.demotion()
        )
    except OSError:
        return frozenset(), 0
    versions = dict(re.findall(r"^([\w.]+)@(\d+)", done.stdout, re.MULTILINE))
    return frozenset(versions), int(versions.get("java.base", 0))


def _shortcoming(modules: frozenset[str], version: int, account: Account) -> str:
    if version == 0:
        return f"the user {account.name} cannot run its bin/java"
    if version < OLDEST:
        return f"is Java {version}"
    return f"lacks {', '.join(sorted(NEEDED - modules))}: a runtime, not a full JDK"
