"""The same source and external id is the same ticket, in every import and by every way in."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.api.client import row_counts
from tests.commands.running import HEADER, good_row
from tests.factories import submitted
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
IDS = "external_id,subject,body,email\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tickets.csv"


def imported(file: Path, content: str, **options: Any) -> str:
    file.write_text(content)
    out = io.StringIO()
    call_command("import_tickets", str(file), stdout=out, **options)
    return out.getvalue().partition(" in ")[0]


def test_only_what_is_new_is_added(file: Path) -> None:
    imported(file, HEADER + good_row(1) + good_row(2))
    counts = imported(file, HEADER + good_row(1) + good_row(2) + good_row(3))
    assert counts == "1 new, 2 known already, 0 refused"
    assert Ticket.objects.count() == 3


def test_a_known_id_is_no_edit(file: Path) -> None:
    imported(file, f"{IDS}7,Lamp,Where?,lea@example.com\n")
    before = row_counts()
    counts = imported(file, f"{IDS}7,Desk,When?,tom@example.com\n")
    assert counts == "0 new, 1 known already, 0 refused"
    assert row_counts() == before
    assert Ticket.objects.get().subject == "Lamp"


def test_of_one_id_twice_in_a_file_the_first_row_counts(file: Path) -> None:
    rows = "7,Lamp,x,lea@example.com\n7,Desk,x,lea@example.com\n"
    assert imported(file, IDS + rows) == "1 new, 1 known already, 0 refused"
    assert Ticket.objects.get().subject == "Lamp"


def test_rows_that_are_alike_but_have_no_id_are_tickets_of_their_own(file: Path) -> None:
    assert imported(file, HEADER + good_row(1) * 2) == "2 new, 0 known already, 0 refused"


def test_the_same_id_of_another_source_is_another_ticket(file: Path) -> None:
    content = f"{IDS}7,Lamp,x,lea@example.com\n"
    for source in ("old-desk", "older-desk"):
        assert imported(file, content, source=source) == "1 new, 0 known already, 0 refused"


def test_a_ticket_that_came_by_the_api_is_known(file: Path) -> None:
    ticket = submitted(source="shop", external_id="7")
    counts = imported(file, f"{IDS}7,Lamp,x,lea@example.com\n", source="shop")
    assert counts == "0 new, 1 known already, 0 refused"
    assert Ticket.objects.get() == ticket


def test_a_row_that_was_repaired_in_its_place_is_added_and_the_others_are_known(file: Path) -> None:
    broken = f"{HEADER}{good_row(1)}Lamp,x,nonsense\n{good_row(2)}"
    assert imported(file, broken) == "2 new, 0 known already, 1 refused"
    repaired = broken.replace("nonsense", "lea@example.com")
    assert imported(file, repaired) == "1 new, 2 known already, 0 refused"
    assert not Path(f"{file}.refused.csv").exists()
