"""Checkpoints for whoever keeps a copy of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.api.client import Caller
from tests.factories import person, scored
from tests.web.test_pages import logged_in
from tickets.audit import checkpoints, keys, notes
from tickets.models import Decision, Entry, Kind, SigningKey

pytestmark = pytest.mark.django_db
ADDRESS = "/audit/checkpoints.json"


@pytest.fixture(autouse=True)
def two_checkpoints(tmp_path: Path, settings: Any) -> None:
    settings.LOG_KEY_FILE, settings.CHECKPOINTS_FILE = tmp_path / "key", tmp_path / "checkpoints"
    SigningKey.objects.create(verifier_key=keys.signer().verifier_key, since=timezone.now())
    for _ in range(2):
        scored()
        checkpoints.sign(keys.signer(), timezone.now())


def test_each_is_a_note_that_the_listed_keys_verify_smallest_first() -> None:
    told = Caller("decisions:read").get(ADDRESS).json()
    sizes = [notes.verify(one["note"], notes.known_keys(told["keys"])).size for one in told["checkpoints"]]
    assert sizes == sorted(one["size"] for one in told["checkpoints"])
    assert len(sizes) == 2


def test_those_after_a_size_can_be_asked_for() -> None:
    caller = Caller("decisions:read")
    first, second = caller.get(ADDRESS).json()["checkpoints"]
    assert caller.get(f"{ADDRESS}?after={first['size']}").json()["checkpoints"] == [second]


@pytest.mark.parametrize("after", ["x", "-1", "", "9" * 19, "٣"])
def test_a_size_that_is_none_is_refused(after: str) -> None:
    answer = Caller("decisions:read").get(f"{ADDRESS}?after={after}")
    assert (answer.status_code, list(answer.json())) == (400, ["after"])


@pytest.mark.parametrize(("role", "status"), [("auditor", 200), ("ops", 200), ("agent", 403)])
def test_people_read_them_by_their_role(role: str, status: int) -> None:
    assert logged_in(person(role)).get(ADDRESS).status_code == status


def test_reading_the_proof_of_an_entry_is_opening_it() -> None:
    auditor, caller, seq = person("auditor"), Caller("decisions:read"), Decision.objects.latest("entry").seq
    logged_in(auditor).head(f"/audit/decisions/{seq}/proof.json")
    caller.get(f"/audit/decisions/{seq}/proof.json")
    caller.get("/audit/decisions/999999/proof.json")
    entries = Entry.objects.filter(kind=Kind.AUDIT_OPENED).order_by("seq")
    read = [(entry.subject, entry.actor) for entry in entries]
    assert read == [(f"entry:{seq}", f"user:{auditor.pk}"), (f"entry:{seq}", f"key:{caller.key.pk}")]


def test_strangers_and_other_keys_do_not() -> None:
    assert Client().get(ADDRESS).status_code == 401
    assert Caller("tickets:read").get(ADDRESS).status_code == 403
