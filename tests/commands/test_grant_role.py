"""The application runs as a role that does not own its tables, and cannot change what is written once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from tests.factories import acting, fallen_back, person
from tickets import pipeline
from tickets.models import Decision, Input, Kind, Queue, Reason
from tickets.pipeline import Actor

pytestmark = pytest.mark.django_db
ROLE = "application_of_a_test"


@pytest.fixture
def role() -> Iterator[str]:
    """Made and granted in the test's transaction, which takes it away again."""
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has roles")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE}")
        cursor.execute(f"GRANT {ROLE} TO CURRENT_USER")
    call_command("grant_role", ROLE, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
    yield ROLE
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


def refused(statement: str) -> str:
    with pytest.raises(ProgrammingError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    return str(error.value)


def test_the_application_works_as_such_a_role(role: str) -> None:
    ticket = fallen_back(1)[0]
    pipeline.override(ticket.pk, Queue.STANDARD, acting(person("agent")), "no outage")
    assert set(Decision.objects.filter(ticket_id=ticket.pk).values_list("kind", flat=True)) == {
        Kind.FALLBACK,
        Kind.OVERRIDE,
    }


@pytest.mark.parametrize("table", ["tickets_entry", "tickets_decision", "tickets_evaluation", "tickets_archive"])
@pytest.mark.parametrize("deed", ["UPDATE {0} SET seq = seq", "DELETE FROM {0}", "TRUNCATE {0}"])
def test_it_can_change_nothing_that_is_written_once(role: str, table: str, deed: str) -> None:
    fallen_back(1)
    assert "permission denied" in refused(deed.format(table))


@pytest.mark.parametrize("table", ["tickets_reason", "tickets_input"])
def test_it_can_erase_what_the_log_has_a_digest_of_and_not_change_it(role: str, table: str) -> None:
    ticket = fallen_back(1)[0]
    pipeline.override(ticket.pk, Queue.STANDARD, acting(person("agent")), "no outage")
    assert "permission denied" in refused(f"UPDATE {table} SET text = text")
    pipeline.erase(ticket.requester.email, Actor("command"), "Asked by letter")
    assert not Input.objects.filter(ticket=ticket.pk).exists()
    assert not Reason.objects.filter(text="no outage").exists()


def test_it_can_neither_take_a_trigger_away_nor_make_tables_nor_undo_migrations(role: str) -> None:
    assert "must be owner" in refused("DROP TRIGGER tickets_entry_rows_stay ON tickets_entry")
    assert "permission denied" in refused("CREATE TABLE one_more (number int)")
    assert "must be owner" in refused("ALTER TABLE tickets_entry DISABLE TRIGGER ALL")
    assert "permission denied" in refused("DELETE FROM django_migrations")


def test_granting_again_changes_nothing(role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    call_command("grant_role", ROLE, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
    assert "permission denied" in refused("DELETE FROM tickets_entry")


@pytest.mark.parametrize(("name", "says"), [("nobody_at_all", "There is no role"), ("", "There is no role")])
def test_a_role_that_is_not_there_is_named(name: str, says: str) -> None:
    with pytest.raises(CommandError, match=says if connection.vendor == "postgresql" else "Only PostgreSQL has roles"):
        call_command("grant_role", name)


def test_the_owner_is_not_taken_for_the_application() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user" if connection.vendor == "postgresql" else "SELECT 'nobody'")
        owner = cursor.fetchone()[0]
    with pytest.raises(CommandError, match=r"owns the tables|Only PostgreSQL"):
        call_command("grant_role", owner)
