"""People: which address a wrong password counts against, and what an account begins with."""

from __future__ import annotations

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.test import Client, RequestFactory

from tests.factories import person
from tickets.models import User
from tickets.web.authentication import client_address

CONNECTED = "10.0.0.7"


def log_in(name: str, password: str, forwarded: str) -> int:
    headers = {"X-Forwarded-For": forwarded}
    answer = Client().post("/login/", {"username": name, "password": password}, headers=headers, REMOTE_ADDR=CONNECTED)
    return answer.status_code


@pytest.mark.django_db
def test_behind_a_proxy_wrong_passwords_lock_a_name_for_who_sent_them_alone(settings: Any) -> None:
    settings.PROXY_COUNT, settings.AXES_FAILURE_LIMIT = 1, 2
    name = person("agent").username
    for invented in ("192.0.2.1", "192.0.2.2"):
        log_in(name, "a wrong password", f"{invented}, 203.0.113.5")
    assert log_in(name, "a long password", "192.0.2.3, 203.0.113.5") == 429
    assert log_in(name, "a long password", "203.0.113.6") == 302


@pytest.mark.django_db
def test_trying_again_while_locked_out_does_not_make_it_longer(settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 2
    name = person("agent").username
    for _ in range(2):
        log_in(name, "a wrong password", "")
    locked_at = AccessAttempt.objects.get().attempt_time
    assert log_in(name, "a long password", "") == 429
    assert AccessAttempt.objects.get().attempt_time == locked_at


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.5", CONNECTED),
        (1, "", CONNECTED),
        (1, "203.0.113.5", "203.0.113.5"),
        (1, "192.0.2.1, 2001:db8::1", "2001:db8::1"),
        (2, "192.0.2.1,203.0.113.5,198.51.100.1", "203.0.113.5"),
        (2, "203.0.113.5", CONNECTED),
        (1, "203.0.113.5, unknown", CONNECTED),
    ],
)
def test_each_proxy_of_ours_adds_one_address_on_the_right(
    settings: Any, proxies: int, forwarded: str, address: str
) -> None:
    settings.PROXY_COUNT = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=CONNECTED)) == address


def test_a_new_account_begins_with_the_time_zone_of_the_site(settings: Any) -> None:
    assert User().time_zone == "UTC"
    settings.TIME_ZONE = "Asia/Tokyo"
    assert User().time_zone == "Asia/Tokyo"
