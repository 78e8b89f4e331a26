"""Django's admin: what people do there to people and keys is in the log."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from tests.api.client import TICKETS, Caller, a_ticket
from tests.factories import person
from tests.web.test_pages import logged_in
from tickets.models import Entry, Kind, User

pytestmark = pytest.mark.django_db
KEYS = "/admin/tickets/apikey/"


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", "root@example.com", "a long password")


@pytest.fixture
def browser(root: User) -> Client:
    return logged_in(root)


def change(browser: Client, user: User, **marks: str) -> None:
    """Saves the person's form; marks that are left out are off."""
    groups = list(user.groups.values_list("pk", flat=True))
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    values = {"username": user.username, "time_zone": "UTC", "groups": groups} | joined | marks
    assert browser.post(f"/admin/tickets/user/{user.pk}/change/", values).status_code == 302


def told(user: User) -> list[dict[str, Any]]:
    """What the log says of the person's roles, oldest first."""
    entries = Entry.objects.filter(kind=Kind.ROLE_CHANGED, subject=f"user:{user.pk}").order_by("seq")
    said = [json.loads(bytes(entry.body)) for entry in entries]
    return [{name: body[name] for name in ("roles", "previous", "deleted") if name in body} for body in said]


def test_whatever_opens_or_closes_doors_is_written_to_the_log(browser: Client) -> None:
    user = person("agent")
    change(browser, user, is_active="on", is_staff="on", is_superuser="on")
    change(browser, user, is_staff="on", is_superuser="on")
    change(browser, user, is_staff="on", is_superuser="on", first_name="Lea")
    change(browser, user, is_active="on")
    assert told(user) == [
        {"roles": ["agent", "staff", "superuser"], "previous": ["agent"]},
        {"roles": ["agent", "inactive", "staff", "superuser"], "previous": ["agent", "staff", "superuser"]},
        {"roles": ["agent"], "previous": ["agent", "inactive", "staff", "superuser"]},
    ]


def test_a_person_who_is_made_has_no_role_yet(browser: Client) -> None:
    values = {"username": "lea", "usable_password": "true", "password1": "zirkon-42-x", "password2": "zirkon-42-x"}
    assert browser.post("/admin/tickets/user/add/", values).status_code == 302
    assert told(User.objects.get(username="lea")) == []


@pytest.mark.parametrize("is_one_of_many", [False, True])
def test_that_a_person_was_deleted_is_written_to_the_log(browser: Client, root: User, is_one_of_many: bool) -> None:
    user = person("ops")
    if is_one_of_many:
        chosen = {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"}
        assert browser.post("/admin/tickets/user/", chosen).status_code == 302
    else:
        assert browser.post(f"/admin/tickets/user/{user.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=user.pk).exists()
    assert told(user) == [{"roles": [], "previous": ["ops"], "deleted": 1}]
    assert Entry.objects.latest("seq").actor == f"user:{root.pk}"


def test_roles_themselves_cannot_be_renamed(browser: Client) -> None:
    group = Group.objects.get(name="agent")
    assert browser.get(f"/admin/auth/group/{group.pk}/change/").status_code == 404


def test_a_role_alone_opens_no_admin() -> None:
    assert logged_in(person("admin")).get("/admin/").status_code == 302


def test_keys_are_revoked_once_it_is_confirmed(browser: Client, root: User) -> None:
    caller, other, gone = Caller(), Caller(), Caller()
    browser.post(KEYS, {"action": "revoke", "_selected_action": [gone.key.pk], "post": "yes"})
    chosen = {"action": "revoke", "_selected_action": [caller.key.pk, gone.key.pk]}
    asked = browser.post(KEYS, chosen).content.decode()
    assert caller.key.prefix in asked
    assert gone.key.prefix not in asked
    assert caller.post(TICKETS, a_ticket()).status_code == 202
    assert browser.post(KEYS, chosen | {"post": "yes"}).status_code == 302
    assert [one.post(TICKETS, a_ticket()).status_code for one in (caller, other, gone)] == [401, 202, 401]
    entries = Entry.objects.filter(kind=Kind.KEY_REVOKED).order_by("seq")
    assert [entry.subject for entry in entries] == [f"key:{gone.key.pk}", f"key:{caller.key.pk}"]
    assert {entry.actor for entry in entries} == {f"user:{root.pk}"}


def test_who_may_only_look_at_keys_revokes_none() -> None:
    caller, reader = Caller(), User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_apikey"))
    browser = logged_in(reader)
    assert caller.key.prefix in browser.get(KEYS).content.decode()
    browser.post(KEYS, {"action": "revoke", "_selected_action": [caller.key.pk], "post": "yes"})
    assert caller.key.revoked_at is None
    assert browser.get(f"{KEYS}{caller.key.pk}/change/").status_code == 200
