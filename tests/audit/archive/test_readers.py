"""Whatever meets an archived entry says so and goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.api.client import TICKETS, Caller
from tests.audit.aged_log import FEBRUARY, JANUARY, archive, fill, latest, month_begins
from tests.audit.tampering import tamper
from tests.commands.running import output_of
from tests.factories import URGENT, acting, decide_by, person, scored
from tests.web.test_pages import logged_in
from tickets import pipeline
from tickets.audit import ship
from tickets.audit.checkpoints import leaves
from tickets.audit.verify import verify
from tickets.flow.review import ReviewRefused
from tickets.flow.score import scorer
from tickets.models import Decision, Entry, Job, Kind, Queue, RegisteredModel, Ticket
from tickets.policy.calibrating import labelled_by_people

pytestmark = pytest.mark.django_db


def test_a_part_of_the_log_that_is_archived_is_passed_over(folder: Path) -> None:
    assert verify(5, 10).entries == 0
    assert "Entries 1 to 1,024 are in the archive" in output_of("verify_log", "--from", "5", "--to", "10")
    assert verify(1_030, 1_040).entries == 11


def test_the_pages_of_its_entries_say_where_they_are(ticket: Ticket, folder: Path) -> None:
    client = logged_in(person("auditor"))
    page = client.get(f"/audit/decisions/{ticket.decision_id}/").content.decode()
    assert f"Entry {ticket.decision_id} is in an archive" in page
    assert latest().sha256 in page
    assert "The recomputed hash matches" in client.get("/audit/decisions/1025/").content.decode()
    assert client.get(f"/audit/decisions/{ticket.decision_id}/proof.json").status_code == 404


def test_the_first_entry_that_stays_is_linked_to_the_archive(folder: Path) -> None:
    tamper("tickets_archive", f"UPDATE tickets_archive SET head = '{'1' * 64}'")
    page = logged_in(person("auditor")).get("/audit/decisions/1025/").content.decode()
    assert "The recomputed hash does not match" in page


def test_a_ticket_shows_that_its_decision_is_archived(ticket: Ticket, folder: Path) -> None:
    client = logged_in(person("agent"))
    page = client.get(f"/tickets/{ticket.pk}/").content.decode()
    assert "Its decision is in an archive" in page
    assert client.get("/").status_code == 200
    assert client.get(f"/tickets/{ticket.pk}/sentences/").status_code == 200


def test_a_program_gets_the_ticket_without_the_decision(ticket: Ticket, folder: Path) -> None:
    told = Caller().get(f"{TICKETS}{ticket.pk}/").json()
    assert (told["state"], told["queue"], told["decision"]) == (
        "decided",
        Ticket.objects.get(pk=ticket.pk).queue,
        None,
    )


def test_a_word_that_is_archived_is_not_taken_back(ticket: Ticket, folder: Path) -> None:
    with pytest.raises(ReviewRefused, match="is in an archive"):
        pipeline.undo(ticket.pk, acting(person("agent")))


def test_taking_back_a_later_word_returns_to_the_archived_one_and_not_to_the_model(
    ticket: Ticket, folder: Path
) -> None:
    by, held = acting(person("agent")), Ticket.objects.get(pk=ticket.pk).queue
    pipeline.override(ticket.pk, Queue(held).other, by, "again")
    pipeline.undo(ticket.pk, by)
    after = Ticket.objects.get(pk=ticket.pk)
    assert (after.queue, after.decided_by_person) == (held, True)


def test_a_word_taken_back_whose_override_is_archived_is_passed_over(ticket: Ticket, tmp_path: Path) -> None:
    by = acting(person("agent"))
    pipeline.undo(ticket.pk, by)
    archive(tmp_path / "files", FEBRUARY)
    with pytest.raises(ReviewRefused, match="No person has decided"):
        pipeline.undo(ticket.pk, by)


def test_a_score_that_is_archived_is_not_explained(ticket: Ticket, folder: Path) -> None:
    with pytest.raises(ReviewRefused, match="The score of this ticket is in an archive"):
        pipeline.ask_for_explanation(ticket.pk, acting(person("agent")))


def test_an_explanation_that_was_asked_for_before_fails_and_says_why(tmp_path: Path) -> None:
    decide_by(review_band=0)
    asked = scored(URGENT)
    pipeline.ask_for_explanation(asked.pk, pipeline.Actor("command"))
    month_begins(JANUARY)
    fill(1_100)
    month_begins(FEBRUARY)
    archive(tmp_path / "files", FEBRUARY)
    assert pipeline.explain_one("test", scorer().model)
    assert Job.objects.get().problem == "The decision is in an archive."


def test_replaying_it_says_that_it_is_archived(ticket: Ticket, folder: Path) -> None:
    with pytest.raises(CommandError, match="those up to 1,024 are in the archive of entry"):
        call_command("replay", str(ticket.decision_id))


def test_a_label_about_it_is_left_out_of_calibrating(ticket: Ticket, tmp_path: Path) -> None:
    model = RegisteredModel.objects.get(name=Decision.objects.get(ticket_id=ticket.pk, kind=Kind.SCORED).model_name)
    assert len(labelled_by_people(model)) == 1
    archive(tmp_path / "files", FEBRUARY)
    assert labelled_by_people(model) == []


def test_searches_lists_and_exports_go_on_with_what_is_here(ticket: Ticket, folder: Path, tmp_path: Path) -> None:
    here = scored(URGENT)
    page = logged_in(person("auditor")).get("/audit/", follow=True).content.decode()
    assert f"/audit/decisions/{here.decision_id}/" in page
    assert f"/audit/decisions/{ticket.decision_id}/" not in page
    exported = output_of("export_log", str(tmp_path / "rest"))
    assert f"{Entry.objects.count():,} entries" in exported
    lines = b"".join(Caller("decisions:read").get("/api/v1/decisions/export/").streaming_content).splitlines()
    assert json.loads(json.loads(lines[0])["body"])["seq"] == 1_025


def test_what_the_copy_lacks_is_counted_from_the_archive_on(folder: Path) -> None:
    assert ship.unshipped() == Entry.objects.count()
    assert leaves(0) == []
