"""The command line of `deploy/services`."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from services_lib import chromium, postgres, redis
from services_lib.credentials import load_or_create
from services_lib.elasticsearch import Elasticsearch
from services_lib.errors import ServicesError
from services_lib.lock import exclusive
from services_lib.packages import ensure_packages
from services_lib.postgres import Postgres
from services_lib.redis import Redis
from services_lib.server import Server
from services_lib.site import site_from_environment

SERVERS = ("postgres", "redis", "elasticsearch")
ALL = (*SERVERS, "chromium")
PACKAGES: dict[str, tuple[str, Callable[[], bool]]] = {
    "postgres": (postgres.PACKAGE, postgres.installed),
    "redis": (redis.PACKAGE, redis.installed),
    "chromium": (chromium.PACKAGE, chromium.installed),
}


class Services:
    """All servers of this checkout, with the lock held."""

    def __init__(self, postgres: Postgres, redis: Redis, elasticsearch: Elasticsearch) -> None:
        self.postgres = postgres
        self.redis = redis
        self.elasticsearch = elasticsearch

    def named(self, names: list[str]) -> list[Server]:
        servers: list[Server] = [self.postgres, self.redis, self.elasticsearch]
        return [server for server in servers if server.name in names]


Verb = Callable[[Services, list[str]], int]


@contextmanager
def locked_services() -> Iterator[Services]:
    site = site_from_environment()
    with exclusive(site.lock) as lock:
        credentials = load_or_create(site.credentials)
        yield Services(
            Postgres(site, credentials, lock), Redis(site, credentials, lock), Elasticsearch(site, credentials, lock)
        )


def up(services: Services, names: list[str]) -> int:
    ensure_packages(dict(PACKAGES[name] for name in names if name in PACKAGES))
    servers = services.named(names)
    # All are launched before any is waited for: the slowest one alone sets the time.
    launched = [server.start() for server in servers]
    for server, fresh in zip(servers, launched, strict=True):
        server.wait_until_it_answers()
        how = "started" if fresh else "was running"
        print(f"{server.name:<14} 127.0.0.1:{server.port}  {how}, answers", flush=True)
    if "chromium" in names:
        chromium.check_chromium()
        print(f"{'chromium':<14} {chromium.find_chromium()}  opens pages")
    return 0


def down(services: Services, names: list[str]) -> int:
    for server in services.named(names):
        print(f"{server.name:<14} {'stopped' if server.stop() else 'was not running'}", flush=True)
    return 0


def kill(services: Services, names: list[str]) -> int:
    for server in services.named(names):
        print(f"{server.name:<14} {'killed' if server.kill() else 'was not running'}", flush=True)
    return 0


def status(services: Services, names: list[str]) -> int:
    """Exit status 3, as for system services, where something asked for is not there."""
    problems = []
    for server in services.named(names):
        running = server.daemon.running()
        problem = server.problem() if running else "not running"
        where = f"127.0.0.1:{running.port} pid {running.process.pid}" if running else ""
        print(f"{server.name:<14} {problem or 'answers'} {where}")
        problems.append(problem)
    if "chromium" in names:
        found = chromium.find_chromium()
        print(f"{'chromium':<14} {found or 'not found'}")
        problems.append(None if found else "not found")
    return 3 if any(problems) else 0


def env(services: Services, names: list[str]) -> int:
    search, passwords = services.elasticsearch, services.elasticsearch.credentials
    variables = {
        "DATABASE_URL": services.postgres.url,
        "BROKER_URL": services.redis.url,
        "ELASTICSEARCH_URL": search.url("triage_writer", passwords.triage_writer),
        "ELASTICSEARCH_ADMIN_URL": search.url("elastic", passwords.elastic),
        "ELASTICSEARCH_READER_URL": search.url("triage_reader", passwords.triage_reader),
        "CHROMIUM": chromium.find_chromium(),
    }
    for name, value in variables.items():
        if value:
            print(f"export {name}={shlex.quote(value)}")
        else:
            print(f"{name} is left out: not found; `deploy/services up chromium` installs it", file=sys.stderr)
    return 0


def main() -> int:
    os.umask(0o022)  # the servers' account has to read what a caller with a stricter mask writes
    arguments = _parser().parse_args()
    try:
        names = _known(arguments.names or arguments.choice, arguments.choice)
        with locked_services() as services:
            return int(arguments.verb(services, names))
    except (ServicesError, OSError) as error:
        print(f"deploy/services: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _known(names: Sequence[str], choice: Sequence[str]) -> list[str]:
    if unknown := [name for name in names if name not in choice]:
        raise ServicesError(f"unknown: {', '.join(unknown)}; choose from {', '.join(choice)}")
    return list(names)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy/services", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def add(name: str, verb: Verb, about: str, choice: tuple[str, ...], how_many: str) -> None:
        command = verbs.add_parser(name, help=about, description=about)
        command.set_defaults(verb=verb, choice=choice, names=[])
        if how_many:
            command.add_argument("names", nargs=how_many, metavar="NAME", help=", ".join(choice))

    add("up", up, "install what is missing, start what does not run, wait until it answers", ALL, "*")
    add("down", down, "stop servers, keep their data", SERVERS, "*")
    add("status", status, "tell what runs and answers", ALL, "*")
    add("env", env, "print the addresses as `export NAME=value` lines", ALL, "")
    add("start", up, "start one, as `up` does", ALL, "+")
    add("stop", down, "stop one, as `down` does", SERVERS, "+")
    add("kill", kill, "kill -9 one, to see what the others make of it", SERVERS, "+")
    return parser
