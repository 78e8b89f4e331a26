"""`manage.py move_database`: all of an embedded installation arrives on PostgreSQL, or nothing of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.installation import Installation, embedded
from tests.own_database import own_database

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("real_servers")]

USED = """
from datetime import timedelta
from django.contrib.auth.models import Permission
from django.utils import timezone
from tests import factories as f
from tickets import pipeline
from tickets.models import Process, Queue, SavedSearch, User

agent, auditor = f.person("agent"), f.person("auditor")
agent.user_permissions.add(Permission.objects.get(codename="view_ticket"))
User.objects.create_superuser("lea", password="a long password")
f.decide_by(threshold=400_000, review_band=1_000_000)
first = f.scored("No customer can pay. 💥", external_id="first")
pipeline.override(first.pk, Queue(first.queue).other, f.acting(agent), "I know better")
pipeline.confirm(f.scored(f.CALM).pk, f.acting(agent))
pipeline.sign_log()
f.fallen_back(2)
f.decide_by(review_band=0)
pipeline.ask_for_explanation(f.scored().pk, f.acting(agent))
f.api_key()
SavedSearch.objects.create(user=auditor, name="mine", query="q=1", saved_at=timezone.now() - timedelta(days=9))
f.submitted("It waits.")
f.submitted("Erase me.", email="gone@example.com")
pipeline.sign_log()
pipeline.erase("gone@example.com", pipeline.Actor("command"), "Asked for by letter")
Process.objects.update(seen_at=timezone.now() - timedelta(hours=1))
"""
"""Leaves a log with most kinds of entries, a job, a ticket that waits, and a hole where the last ticket was."""
NEW_TICKET = """
from tests.factories import scored
from tickets.models import Decision
ticket = scored()
print(ticket.pk, *Decision.objects.filter(ticket_id=ticket.pk).values_list("kind", flat=True))
"""
MAY_LOG_IN = """
from django.contrib.auth import authenticate
from django.test import RequestFactory
print(authenticate(RequestFactory().post("/login/"), username="lea", password="a long password"))
"""
HELD_RIGHTS = """
from tickets.models import User
print([(user.roles, sorted(user.get_all_permissions())) for user in User.objects.order_by("pk")])
"""
TIMES = """
from tickets.models import ApiKey, PolicyEvent, RegisteredModel, SavedSearch
times = {PolicyEvent: "at", ApiKey: "created_at", RegisteredModel: "registered_at", SavedSearch: "saved_at"}
print([list(model.objects.order_by("pk").values_list(name, flat=True)) for model, name in times.items()])
"""


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with embedded(tmp_path_factory.mktemp("used")) as site:
        site.shell(USED)
        yield site


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a PostgreSQL database that was migrated and not used."""
    with own_database() as url, embedded(tmp_path_factory.mktemp("migrated"), DATABASE_URL=url):
        yield url.rpartition("/")[2]


@pytest.fixture
def source(used: Installation, tmp_path: Path) -> Installation:
    return copy_of(used, tmp_path / "source")


@pytest.fixture
def target(migrated: str, source: Installation) -> Iterator[Installation]:
    with own_database(like=migrated) as url:
        yield moved_to(source, url)


@pytest.fixture(scope="module")
def moved(
    used: Installation, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, Installation]]:
    """What was moved, and where it is now; to be looked at only."""
    source = copy_of(used, tmp_path_factory.mktemp("moved") / "source")
    with own_database(like=migrated) as url:
        target = moved_to(source, url)
        move(source, target)
        yield source, target


def copy_of(site: Installation, folder: Path) -> Installation:
    """The same installation, which moving may close."""
    shutil.copytree(site.folder, folder)
    url = f"sqlite:///{folder / 'triage.sqlite3'}"
    return Installation(folder, site.environment | {"DATABASE_URL": url, "VAR_DIR": str(folder)})


def moved_to(source: Installation, url: str) -> Installation:
    """The installation, on another database."""
    return Installation(source.folder, source.environment | {"DATABASE_URL": url})


def move(source: Installation, target: Installation, expect: int = 0) -> str:
    return target.manage("move_database", "--from", source.environment["DATABASE_URL"], expect=expect)


def change(source: Installation, *statements: str) -> None:
    """As whoever owns the file can, past its protection."""
    with closing(sqlite3.connect(source.environment["DATABASE_URL"].removeprefix("sqlite:///"))) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def tables(site: Installation) -> list[str]:
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
    if site.environment["DATABASE_URL"].startswith("postgres"):
        names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    return [name for (name,) in site.query(names)]


def counts(site: Installation) -> dict[str, int]:
    return {table: site.count(table) for table in tables(site)}


def head(site: Installation) -> tuple[Any, ...]:
    return site.query("SELECT seq, hash FROM tickets_loghead")[0]


class TestMoved:
    def test_every_row_and_byte_arrives_and_the_log_says_so(
        self, used: Installation, moved: tuple[Installation, Installation]
    ) -> None:
        _, target = moved
        rows, entries = counts(used), "SELECT seq, hash, body FROM tickets_entry ORDER BY seq"
        for name in ("ticket", "message", "job", "waiting", "label", "reason", "checkpoint", "apikey", "savedsearch"):
            assert rows[f"tickets_{name}"] > 0
        *arrived, last = [(seq, one, bytes(body)) for seq, one, body in target.query(entries)]
        assert arrived == used.query(entries)
        said = json.loads(last[2])
        assert (said["kind"], said["subject"], said["from"], said["to"]) == ("moved", "log", "sqlite", "postgresql")
        assert (said["entries"], said["head"]) == head(used)
        expected = rows | {"tickets_entry": rows["tickets_entry"] + 1, "tickets_process": 0}
        assert counts(target) == expected

    def test_the_log_verifies_against_checkpoints_that_were_kept(
        self, used: Installation, moved: tuple[Installation, Installation]
    ) -> None:
        said = moved[1].manage("verify_log", "--against", str(used.folder / "checkpoints.jsonl"))
        assert "4 signed checkpoints agree" in said

    def test_people_log_in_with_their_passwords_and_keep_their_rights(
        self, used: Installation, moved: tuple[Installation, Installation]
    ) -> None:
        held = used.shell(HELD_RIGHTS)
        assert "tickets.view_ticket" in held
        assert moved[1].shell(MAY_LOG_IN + HELD_RIGHTS) == f"lea\n{held}"

    def test_times_are_as_they_were(self, used: Installation, moved: tuple[Installation, Installation]) -> None:
        assert moved[1].shell(TIMES) == used.shell(TIMES)

    def test_the_new_log_is_protected_as_any(
        self, migrated: str, moved: tuple[Installation, Installation], target: Installation
    ) -> None:
        triggers = (
            "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
        )
        rights = "SELECT relname, relacl::text FROM pg_class WHERE relname LIKE 'tickets_%' ORDER BY 1"
        for protection in (triggers, rights):
            assert target.query(protection)
            assert moved[1].query(protection) == target.query(protection)

    def test_the_next_ticket_is_scored_and_takes_no_number_of_an_erased_one(
        self, source: Installation, target: Installation
    ) -> None:
        ((last,),) = source.query("SELECT seq FROM sqlite_sequence WHERE name = 'tickets_ticket'")
        assert source.count(f"tickets_ticket WHERE id = {last}") == 0
        move(source, target)
        assert target.shell(NEW_TICKET) == f"{last + 1} scored"
        target.shell("from tickets import pipeline; pipeline.sign_log()")
        assert "verified" in target.manage("verify_log", "--against", str(source.folder / "checkpoints.jsonl"))


class TestTheSourceAfterwards:
    def test_it_can_be_read_and_not_written(self, used: Installation, moved: tuple[Installation, Installation]) -> None:
        source, _ = moved
        said = source.manage("api_key", "late", "--scope", "tickets:read", expect=1)
        assert "this database was moved to PostgreSQL" in said
        assert head(source) == head(used)
        assert "verified" in source.manage("verify_log")

    def test_moving_again_changes_nothing_and_closes_a_source_that_was_left_open(
        self, source: Installation, target: Installation
    ) -> None:
        left_open = source.folder / "left_open.sqlite3"
        shutil.copy(source.folder / "triage.sqlite3", left_open)
        move(source, target)
        before = counts(target)
        again = Installation(source.folder, source.environment | {"DATABASE_URL": f"sqlite:///{left_open}"})
        assert "moved before" in move(again, target)
        assert counts(target) == before
        assert "was moved" in again.manage("api_key", "late", "--scope", "tickets:read", expect=1)

    def test_a_source_that_went_on_alone_is_refused(self, source: Installation, target: Installation) -> None:
        left_open = source.folder / "left_open.sqlite3"
        shutil.copy(source.folder / "triage.sqlite3", left_open)
        move(source, target)
        again = Installation(source.folder, source.environment | {"DATABASE_URL": f"sqlite:///{left_open}"})
        again.manage("api_key", "late", "--scope", "tickets:read")
        assert "in use already" in move(again, target, expect=1)


class TestRefused:
    @pytest.fixture(autouse=True)
    def the_target_stays_as_it_was(self, target: Installation) -> Iterator[None]:
        before = counts(target), head(target)
        yield
        assert (counts(target), head(target)) == before

    def test_a_source_that_somebody_writes_to(self, source: Installation, target: Installation) -> None:
        path = source.environment["DATABASE_URL"].removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert "stop make run first" in move(source, target, expect=1)

    def test_a_source_whose_sweep_lives(self, source: Installation, target: Installation) -> None:
        source.manage("sweep", "--once")
        said = move(source, target, expect=1)
        assert "in use by sweep@" in said
        assert "stop make run first" in said

    def test_a_source_of_another_version(self, source: Installation, target: Installation) -> None:
        change(source, "DELETE FROM django_migrations WHERE app = 'tickets' AND name LIKE '0006%'")
        assert "Only the target has the migration tickets.0006" in move(source, target, expect=1)

    @pytest.mark.parametrize("url", ["sqlite:////nowhere/triage.sqlite3", "postgres://localhost/triage"])
    def test_what_is_no_sqlite_file(self, target: Installation, url: str) -> None:
        assert "names no SQLite file" in target.manage("move_database", "--from", url, expect=1)

    def test_values_that_postgresql_does_not_take_are_all_named_by_table_and_row(
        self, source: Installation, target: Installation
    ) -> None:
        change(
            source,
            "UPDATE tickets_message SET body = 'a' || char(0) WHERE id = 2",
            "UPDATE tickets_requester SET name = printf('%201s', 'x') WHERE id = 1",
            "UPDATE tickets_waiting SET attempts = 40000",
            r"""UPDATE tickets_apikey SET scopes = '["\u0000"]'""",
        )
        said = move(source, target, expect=1)
        assert "tickets_message, id 2: body has a NUL character" in said
        assert "tickets_requester, id 1: name has more than 200 characters" in said
        assert "attempts is out of range" in said
        assert "scopes has a NUL character" in said
        assert "Traceback" not in said

    def test_a_log_that_does_not_verify_is_found_when_everything_is_copied(
        self, source: Installation, target: Installation
    ) -> None:
        change(
            source,
            "DROP TRIGGER tickets_entry_no_update",
            "UPDATE tickets_entry SET actor = 'somebody' WHERE seq = 9",
        )
        assert "does not verify at entry 9: column actor" in move(source, target, expect=1)

    def test_a_target_that_is_no_postgresql(self, source: Installation) -> None:
        assert "must name the PostgreSQL database" in move(source, source, expect=1)


@pytest.mark.parametrize(
    ("used_by", "names"),
    [
        ("from tests.factories import submitted; submitted()", "1 rows in tickets_ticket"),
        ("from tests.factories import decide_by; decide_by(threshold=1)", "policies of its own"),
        ("from tests.factories import person; person('agent')", "1 rows in tickets_user"),
    ],
)
def test_a_target_in_use_is_refused_and_stays_as_it_was(
    source: Installation, target: Installation, used_by: str, names: str
) -> None:
    target.shell(used_by)
    before = counts(target)
    assert names in move(source, target, expect=1)
    assert counts(target) == before
    assert "verified" in source.manage("verify_log")
