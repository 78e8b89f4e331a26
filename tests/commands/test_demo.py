"""`manage.py demo`: believable tickets, three log-ins, on this machine alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from tests.api.client import row_counts
from tests.commands.running import objects, output_of
from tests.factories import SOON
from tickets import pipeline
from tickets.audit.verify import verify
from tickets.management.commands.demo import ROLES, TICKETS, password_of
from tickets.models import Decision, Entry, Kind, Message, Role, Ticket, User, Waiting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo_mode")]
LOCAL = {"Host": "127.0.0.1"}
PAGES = {Role.AGENT: "/", Role.OPS: "/ops/", Role.AUDITOR: "/audit/"}


@pytest.fixture
def demo_mode(settings: Any) -> None:
    settings.DEMO, settings.ALLOWED_HOSTS = True, ["localhost", "127.0.0.1", "[::1]"]


def logged_in(role: Role, **request: str) -> Client:
    """A client that has sent the role's name and password; whether it was let in is another question."""
    client = Client(headers=LOCAL, **request)
    client.post("/login/", {"username": role.value, "password": password_of(role)})
    return client


def test_its_tickets_arrive_through_the_pipeline_and_are_decided() -> None:
    output_of("demo")
    assert Ticket.objects.count() == Waiting.objects.count() == 150
    assert not Decision.objects.exists()
    pipeline.score_waiting("test", SOON)
    assert set(Ticket.objects.values_list("queue", flat=True)) == {"urgent", "standard"}
    assert Decision.objects.filter(kind=Kind.SCORED).count() == 150
    assert not Waiting.objects.exists()
    assert verify().fault is None


def test_later_messages_make_later_versions_of_the_text() -> None:
    output_of("demo")
    for row in objects(TICKETS.read_text(encoding="utf-8")):
        ticket = Ticket.objects.get(external_id=row["external_id"])
        bodies = [row["body"], *row.get("messages", [])]
        assert ticket.input_version == len(bodies)
        assert list(Message.objects.filter(ticket=ticket).values_list("body", flat=True)) == bodies


def test_a_second_time_it_adds_nothing() -> None:
    output_of("demo")
    before = row_counts()
    assert "0 demo tickets" in output_of("demo")
    assert row_counts() == before


def test_it_prints_three_log_ins_each_of_which_opens_the_pages_of_its_role() -> None:
    printed = output_of("demo")
    for role in ROLES:
        assert f"log in as {role:<8} with password {password_of(role)}" in printed
        assert logged_in(role).get(PAGES[role]).status_code == 200
        assert User.objects.get(username=role.value).roles == {role.value}


def test_the_log_knows_who_got_which_role() -> None:
    output_of("demo")
    entries = Entry.objects.filter(kind=Kind.ROLE_CHANGED).order_by("seq")
    assert [entry.subject for entry in entries] == [f"user:{User.objects.get(username=role).pk}" for role in ROLES]


@pytest.mark.parametrize(
    "elsewhere", [{"REMOTE_ADDR": "203.0.113.5"}, {"HTTP_X_FORWARDED_FOR": "203.0.113.5"}, {"HTTP_FORWARDED": "for=_x"}]
)
def test_nobody_from_elsewhere_can_use_them(elsewhere: dict[str, str]) -> None:
    output_of("demo")
    assert "_auth_user_id" not in logged_in(Role.AGENT, **elsewhere).session
    assert "_auth_user_id" in logged_in(Role.AGENT).session


def test_without_demo_mode_nobody_can() -> None:
    output_of("demo")
    with override_settings(DEMO=False):
        assert "_auth_user_id" not in logged_in(Role.OPS).session
    assert "_auth_user_id" in logged_in(Role.OPS).session


def test_a_session_ends_with_demo_mode_and_away_from_this_machine() -> None:
    output_of("demo")
    client = Client(headers={"Host": "127.0.0.1"})
    client.post("/login/", {"username": "ops", "password": "ops-demo"})
    assert client.get("/ops/").status_code == 200
    assert client.get("/ops/", REMOTE_ADDR="203.0.113.5").status_code == 302
    client.post("/login/", {"username": "ops", "password": "ops-demo"})
    with override_settings(DEMO=False):
        assert client.get("/ops/").status_code == 302


@pytest.mark.parametrize(
    "changed",
    [
        {"DEMO": False},
        {"ALLOWED_HOSTS": ["*"]},
        {"ALLOWED_HOSTS": ["localhost", "example.com"]},
        {"ALLOWED_HOSTS": ["localhost", "203.0.113.5"]},
        {"ALLOWED_HOSTS": [".localhost"]},
    ],
)
def test_where_others_could_reach_it_it_refuses(changed: dict[str, Any]) -> None:
    before = row_counts()
    with override_settings(**changed), pytest.raises(CommandError, match="loopback"):
        call_command("demo")
    assert row_counts() == before


def test_a_person_who_has_one_of_its_names_keeps_it() -> None:
    User.objects.create_user("ops", password="a long password")
    before = row_counts()
    with pytest.raises(CommandError, match="A person is named ops already"):
        call_command("demo")
    assert row_counts() == before


def test_the_demo_is_believable() -> None:
    rows = objects(TICKETS.read_text(encoding="utf-8"))
    assert len(rows) == len({row["body"] for row in rows}) == 150
    assert len({row["locale"][:2] for row in rows}) >= 5
    assert len({row["source"] for row in rows}) >= 3
