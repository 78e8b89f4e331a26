"""What pages answer, and that the number of queries does not grow with the rows."""

from __future__ import annotations

import json
import re
import uuid
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.audit.tampering import as_bytes, tamper
from tests.factories import CALM, SOON, URGENT, acting, fallen_back, person, scored, submitted
from tickets import pipeline
from tickets.flow.record import Draft
from tickets.models import Decision, Entry, Input, Kind, LogHead, Queue, Reason, Role, Ticket, User
from tickets.web.queues import PAGE

pytestmark = pytest.mark.django_db


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="tickets.web.authentication.PeopleBackend")
    return client


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize(
    ("role", "path"),
    [("agent", "/"), ("agent", "/queues/lists/"), ("ops", "/audit/"), ("ops", "/ops/"), ("ops", "/ops/policies/")],
)
def test_a_page_needs_as_many_queries_for_many_rows_as_for_few(role: str, path: str) -> None:
    client = logged_in(person(role))
    fallen_back(2)
    client.get(path)
    few = queries(client, path)
    fallen_back(PAGE + 5)
    assert queries(client, path) == few


def test_a_ticket_needs_as_many_queries_for_a_long_story_as_for_a_short_one() -> None:
    user, ticket = person("agent"), fallen_back(1)[0]
    client, by = logged_in(user), acting(user)
    pipeline.override(ticket.pk, Queue.STANDARD, by, "first")
    few = queries(client, f"/tickets/{ticket.pk}/")
    for _ in range(5):
        pipeline.override(ticket.pk, Queue.URGENT, by, "again")
        pipeline.override(ticket.pk, Queue.STANDARD, by, "and again")
    assert queries(client, f"/tickets/{ticket.pk}/") == few


def test_one_entry_needs_at_most_eight_queries_beside_those_that_record_that_it_was_opened() -> None:
    user, ticket = person("auditor"), fallen_back(1)[0]
    entry = pipeline.override(ticket.pk, Queue.STANDARD, acting(user), "no outage")
    with CaptureQueriesContext(connection) as recording:
        pipeline.note(Draft(Kind.AUDIT_OPENED, f"entry:{entry.seq}", "test"))
    assert queries(logged_in(user), f"/audit/decisions/{entry.seq}/") - len(recording) <= 8


def test_asking_again_where_nothing_changed_answers_nothing_and_costs_little() -> None:
    client = logged_in(person("agent"))
    fallen_back(3)
    version = client.get("/").context["board"].version
    with CaptureQueriesContext(connection) as captured:
        assert client.get(f"/queues/lists/?version={version}").status_code == 204
    assert len(captured) <= 5


def test_pages_of_a_queue_show_each_ticket_once() -> None:
    client = logged_in(person("agent"))
    tickets = fallen_back(PAGE * 2 + 3)
    Ticket.objects.update(respond_by=timezone.now())
    seen, address = [], "/"
    while address:
        page = next(page for page in client.get(address).context["board"].pages if page.queue == Queue.URGENT)
        seen += [row.ticket.pk for row in page.rows]
        address = f"/{page.following}" if page.following else ""
    assert seen == [ticket.pk for ticket in tickets]


@pytest.mark.parametrize("path", ["/?show=x", "/?urgent=x", "/?urgent=1-2-3", f"/?urgent={10**40}-1"])
def test_a_broken_link_to_the_queues_is_refused(path: str) -> None:
    assert logged_in(person("agent")).get(path).status_code == 400


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("agent", "/audit/", 403),
        ("agent", "/ops/", 403),
        ("auditor", "/ops/", 403),
        ("auditor", "/queues/lists/", 403),
        ("agent", f"/tickets/{10**30}/", 404),
        ("auditor", f"/audit/decisions/{10**30}/", 404),
        ("auditor", "/audit/?ticket=x", 400),
        ("auditor", "/audit/?tickets=1", 400),
        ("auditor", "/audit/?since=2026-02-31T00:00", 400),
        ("auditor", "/audit/?since=0001-01-01T00:00%2B14:00", 400),
        ("auditor", "/audit/?until=9999-12-31T23:59-11:00", 400),
        ("auditor", "/audit/?score_min=NaN", 400),
        ("auditor", "/audit/?actor=a%00b", 400),
    ],
)
def test_who_may_not_or_asks_for_nonsense_is_told(role: str, path: str, status: int) -> None:
    assert logged_in(person(role)).get(path).status_code == status


@pytest.mark.parametrize("verb", ["override", "confirm", "undo"])
def test_an_auditor_decides_nothing(verb: str) -> None:
    ticket, before = fallen_back(1)[0], LogHead.objects.get().seq
    values = {"queue": "standard", "reason": "because"}
    assert logged_in(person("auditor")).post(f"/tickets/{ticket.pk}/{verb}/", values).status_code == 403
    assert LogHead.objects.get().seq == before


def test_what_review_refuses_is_told_on_the_page() -> None:
    client, ticket = logged_in(person("agent")), fallen_back(1)[0]
    answer = client.post(f"/tickets/{ticket.pk}/undo/", follow=True)
    assert "nothing to undo" in answer.content.decode()


def offered(page: str, verb: str) -> str:
    """Where the page sends a person's word: its address in a form, or as the script makes it of a row."""
    forms = re.findall(rf'action="(/tickets/[0-9]+/{verb}/[^"]*)"', page)
    rows = re.findall(r'data-ticket="([0-9]+)"\s+data-decision="([0-9]+)"', page)
    return forms[-1] if forms else f"/tickets/{rows[0][0]}/{verb}/?seen={rows[0][1]}"


def scored_anew(ticket: Ticket, body: str) -> None:
    pipeline.add_message(ticket.pk, body)
    pipeline.score_waiting("test", SOON)


@pytest.mark.parametrize(
    ("path", "verb"), [("/tickets/{}/", "confirm"), ("/tickets/{}/", "override"), ("/", "confirm")]
)
def test_a_word_about_a_queue_that_the_model_has_changed_meanwhile_is_refused(path: str, verb: str) -> None:
    client, ticket = logged_in(person("agent")), scored(URGENT)
    stale = offered(client.get(path.format(ticket.pk)).content.decode(), verb)
    scored_anew(ticket, f"Solved, please ignore. {CALM} " * 20)
    decided = Ticket.objects.get(pk=ticket.pk)
    assert decided.queue == Queue.STANDARD
    answer = client.post(stale, {"queue": "urgent", "reason": "an outage"}, follow=True).content.decode()
    assert f"T-{ticket.pk} was decided anew meanwhile: it is in the standard queue now." in answer
    assert Ticket.objects.get(pk=ticket.pk).decision_id == decided.decision_id
    assert not Ticket.objects.get(pk=ticket.pk).decided_by_person


def test_undo_takes_back_the_word_it_was_offered_for_and_nobody_elses() -> None:
    client, other, ticket = logged_in(person("agent")), acting(person("agent")), scored(URGENT)
    path = f"/tickets/{ticket.pk}/"
    page = client.post(f"{path}override/", {"queue": "standard", "reason": "a drill"}, follow=True).content.decode()
    word = pipeline.confirm(ticket.pk, other)
    answer = client.post(offered(page, "undo"), follow=True).content.decode()
    assert "decided anew meanwhile" in answer
    assert Ticket.objects.get(pk=ticket.pk).decision_id == word.seq
    client.post(offered(client.get(path).content.decode(), "undo"))
    assert Decision.objects.get(kind=Kind.UNDONE).entry_id > word.seq


def test_a_score_that_leaves_the_queue_as_it_is_stops_no_word() -> None:
    client, ticket = logged_in(person("agent")), scored(URGENT)
    path = f"/tickets/{ticket.pk}/"
    stale = client.get(path).content.decode()
    scored_anew(ticket, URGENT)
    page = client.post(offered(stale, "confirm"), follow=True).content.decode()
    scored_anew(ticket, CALM)
    client.post(offered(page, "undo"))
    kinds = Decision.objects.filter(ticket_id=ticket.pk).order_by("entry").values_list("kind", flat=True)
    assert [*kinds] == [Kind.SCORED, Kind.RESCORED, Kind.CONFIRMED, Kind.RESCORED, Kind.UNDONE]


@pytest.mark.parametrize(("seen", "status"), [("x", 400), ("-1", 400), ("1" * 40, 400), ("\u0661", 400), ("", 302)])
def test_a_decision_that_was_seen_is_named_by_its_number_or_not_at_all(seen: str, status: int) -> None:
    ticket = fallen_back(1)[0]
    answer = logged_in(person("agent")).post(f"/tickets/{ticket.pk}/confirm/?{urlencode({'seen': seen})}")
    assert (answer.status_code, Decision.objects.filter(kind=Kind.CONFIRMED).exists()) == (status, status == 302)


def test_a_decision_of_another_ticket_was_not_seen_here() -> None:
    ticket, other = fallen_back(2)
    answer = logged_in(person("agent")).post(f"/tickets/{ticket.pk}/confirm/?seen={other.decision_id}", follow=True)
    assert "decided anew meanwhile" in answer.content.decode()
    assert not Decision.objects.filter(kind=Kind.CONFIRMED).exists()


def test_a_word_from_a_page_where_nothing_was_decided_yet_changes_no_decision_made_since() -> None:
    client, ticket = logged_in(person("agent")), submitted(URGENT)
    address = offered(client.get(f"/tickets/{ticket.pk}/").content.decode(), "override")
    pipeline.score_waiting("test", SOON)
    answer = client.post(address, {"queue": "standard", "reason": "I chose before it was decided"}, follow=True)
    assert "decided anew meanwhile" in answer.content.decode()
    assert Ticket.objects.get(pk=ticket.pk).queue == Queue.URGENT


def test_where_nothing_was_decided_since_such_a_word_holds() -> None:
    client, ticket = logged_in(person("agent")), submitted(URGENT)
    address = offered(client.get(f"/tickets/{ticket.pk}/").content.decode(), "override")
    client.post(address, {"queue": "standard", "reason": "I know this one"})
    assert Ticket.objects.get(pk=ticket.pk).queue == Queue.STANDARD


def test_what_a_form_sent_after_the_session_ended_leads_back_to_its_page_and_says_that_nothing_was_done() -> None:
    ticket, referer = fallen_back(1)[0], "http://testserver/tickets/1/?x=1"
    answer = Client().post(f"/tickets/{ticket.pk}/confirm/", headers={"Referer": referer}, follow=True)
    assert answer.redirect_chain == [("/login/?next=/tickets/1/%3Fx%3D1", 302)]
    assert "nothing was changed" in answer.content.decode()
    assert not Decision.objects.filter(kind=Kind.CONFIRMED).exists()


@pytest.mark.parametrize(
    "referer", ["", "https://evil.example/tickets/1/", "http://testserver/tickets/1/confirm/", "http://["]
)
def test_from_elsewhere_the_log_in_leads_to_the_first_page(referer: str) -> None:
    answer = Client().post("/tickets/1/confirm/", headers={"Referer": referer})
    assert answer["Location"] == "/login/?next=/"


@pytest.mark.parametrize(
    ("role", "path", "says"),
    [
        ("agent", "/?show=both", "show is"),
        ("agent", "/?urgent=x", "link to a page of the queue is broken"),
        ("ops", "/audit/?before=x", "before:"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_by_name(role: str, path: str, says: str) -> None:
    answer = logged_in(person(role)).get(path)
    assert answer.status_code == 400
    assert says in answer.content.decode()


def test_a_body_of_unknown_length_is_refused() -> None:
    for path in ("/new/", "/api/v1/tickets/"):
        assert Client().post(path, headers={"Transfer-Encoding": "chunked"}).status_code == 411


def test_a_page_elsewhere_is_never_gone_back_to() -> None:
    client, ticket = logged_in(person("agent")), fallen_back(1)[0]
    answer = client.post(f"/tickets/{ticket.pk}/confirm/", {"next": "https://evil.example/"})
    assert answer["Location"] == f"/tickets/{ticket.pk}/"


def test_the_same_form_sent_twice_is_one_ticket_and_a_changed_text_is_not_lost() -> None:
    form = {"email": "lea@example.com", "subject": "Lamp", "message": "Where is it?", "token": str(uuid.uuid4())}
    answers = [Client().post("/new/", values, follow=True) for values in (form, form, form | {"message": "Found it."})]
    numbers = [re.findall(r"T-\d+", answer.content.decode()) for answer in answers]
    assert numbers[0] == numbers[1] != numbers[2]
    assert Ticket.objects.filter(source="form").count() == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "x"},
        {"email": "İ" * 127 + "@example.com"},  # 254 characters more in lower case
        {"subject": "s" * 301},
        {"subject": "\u200b"},
        {"message": "m" * 65_537},
        {"message": "a\0b"},
        {"website": "https://spam.example"},
        {"token": "x"},
    ],
)
def test_a_form_that_is_wrong_stores_nothing_and_names_the_field(wrong: dict[str, str]) -> None:
    form = {"email": "lea@example.com", "subject": "Lamp", "message": "Where?", "token": str(uuid.uuid4())} | wrong
    answer = Client().post("/new/", form)
    assert answer.status_code == 400
    assert set(answer.context["form"].errors) == set(wrong)
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("path", ["/new/", "/login/", "/admin/login/", "/nowhere/"])
def test_what_is_uploaded_is_refused_before_it_is_read(path: str) -> None:
    file = SimpleUploadedFile("outage.log", b"x" * (256 * 1024 + 1))
    answer = Client().post(path, {"message": "Look.", "file": file})
    assert answer.status_code == 413
    assert "No form here takes files" in answer.content.decode()


@pytest.mark.parametrize("length", ["many", "-1", "1e3", "\u0661"])
def test_a_length_that_is_no_number_is_a_bad_request(length: str) -> None:
    assert Client().post("/new/", CONTENT_LENGTH=length).status_code == 400
    answer = Client().post("/api/v1/tickets/", CONTENT_LENGTH=length)
    assert (answer.status_code, answer.json()) == (400, {"detail": "Content-Length is no number."})


def test_a_length_of_no_end_is_too_large() -> None:
    assert Client().post("/new/", CONTENT_LENGTH="9" * 5_000).status_code == 413


def test_a_reference_number_cannot_be_guessed() -> None:
    assert Client().get("/new/received/?reference=1").status_code == 404


@pytest.mark.parametrize("verb", ["get", "head"])
def test_what_an_auditor_reads_is_in_the_log_and_what_agents_read_for_their_work_is_not(verb: str) -> None:
    auditor, path = person("auditor"), f"/tickets/{fallen_back(1)[0].pk}/"
    for user in (auditor, person("agent"), person("ops")):
        getattr(logged_in(user), verb)(path)
    getattr(logged_in(auditor), verb)("/audit/changes/")
    entries = Entry.objects.filter(kind=Kind.AUDIT_OPENED).order_by("seq")
    read = [f"page:ticket:{Ticket.objects.get().pk}", "page:changes"]
    assert [(entry.subject, entry.actor) for entry in entries] == [(one, f"user:{auditor.pk}") for one in read]
    assert entries[0] in [entry for entry, _ in logged_in(auditor).get("/audit/changes/").context["rows"]]


def test_filters_find_decisions_and_the_address_is_stable() -> None:
    ticket = fallen_back(3)[0]
    rows = logged_in(person("auditor")).get(f"/audit/?ticket={ticket.pk}&kind=fallback&score_min=0.5").context["rows"]
    assert [decision.ticket_id for decision, _ in rows] == [ticket.pk]


def test_a_changed_entry_is_shown_as_changed() -> None:
    fallen_back(1)
    seq = Decision.objects.get().seq
    changed = bytes(Entry.objects.get(pk=seq).body).replace(b'"urgent"', b'"standard"')
    tamper("tickets_entry", f"UPDATE tickets_entry SET body = {as_bytes(changed)} WHERE seq = {seq}")
    page = logged_in(person("auditor")).get(f"/audit/decisions/{seq}/").content.decode()
    assert "does not match" in page


def test_a_text_and_a_reason_that_are_not_those_of_the_entry_are_called_out() -> None:
    user, ticket = person("auditor"), fallen_back(1)[0]
    entry = pipeline.override(ticket.pk, Queue.STANDARD, acting(user), "no outage")
    client, address = logged_in(user), f"/audit/decisions/{entry.seq}/"
    assert "does not match the digest" not in client.get(address).content.decode()
    Reason.objects.filter(pk=entry.seq).update(text="an outage")
    Input.objects.filter(ticket=ticket).update(text="All is well.")
    page = client.get(address).content.decode()
    assert "The reason does not match the digest" in page
    assert "The text does not match the digest" in page
    assert "The recomputed hash matches" in page


def test_the_body_of_an_entry_is_the_same_when_read_back_with_each_sentence_of_the_evidence_on_a_line() -> None:
    fallen_back(1)
    entry = Entry.objects.get(kind=Kind.FALLBACK)
    pretty = logged_in(person("auditor")).get(f"/audit/decisions/{entry.seq}/").context["page"].pretty
    body = json.loads(bytes(entry.body))
    assert json.loads(pretty) == body
    assert body["evidence"]
    assert all(json.dumps(triple) in pretty for triple in body["evidence"])


def test_giving_a_role_in_the_admin_is_written_to_the_log() -> None:
    root = User.objects.create_superuser("root", "root@example.com", "a long password")
    user = person("agent")
    groups = list(Group.objects.filter(name__in=[Role.AGENT, Role.OPS]).values_list("pk", flat=True))
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    values = {"username": user.username, "time_zone": "UTC", "is_active": "on", "groups": groups} | joined
    assert logged_in(root).post(f"/admin/tickets/user/{user.pk}/change/", values).status_code == 302
    entry = Entry.objects.get(kind=Kind.ROLE_CHANGED)
    assert (entry.subject, entry.actor) == (f"user:{user.pk}", f"user:{root.pk}")
    assert b'"previous":["agent"],"roles":["agent","ops"]' in bytes(entry.body)
