"""Erasing a person: nothing of them is left in any table, and the log is as whole as it was."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg2
import pytest
from django.db import connection, models
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.client import TICKETS, Caller, a_ticket, row_counts
from tests.factories import CALM, SOON, URGENT, acting, decide_by, new_ticket, person, scored, submitted
from tests.installation import Installation, embedded, eventually
from tests.own_database import own_database
from tests.web.test_pages import logged_in
from tickets import pipeline
from tickets.audit import ship
from tickets.audit.verify import verify
from tickets.flow import explaining, score
from tickets.flow.erase import NobodyStored, ReasonNamesPerson, find, stored_about, with_tickets
from tickets.flow.record import Draft
from tickets.models import (
    Author,
    Decision,
    Entry,
    Input,
    Job,
    JobKind,
    Kind,
    Message,
    Queue,
    Reason,
    Requester,
    SavedSearch,
    Ticket,
    Waiting,
)
from tickets.pipeline import Actor
from tickets.pipeline.explaining import record_explanation
from tickets.pipeline.idle import take
from tickets.web.figures import figures

pytestmark = pytest.mark.django_db
EMAIL, NAME = "lea@zirkon.example", "Lea Zirkon"
PERSON = {"email": EMAIL, "name": NAME, "region": "Zirkonien", "locale": "de-Zirkon"}
WORDS = ("zirkon", "quastenflosser", "rhododendron", "xylophon", "yttrium", "wolfram", "ozelot")
"""Each is in something that Lea, or an agent about her, wrote: see `lea`."""
BY = Actor("command")
WHY = "Asked for by letter"


@pytest.fixture
def lea() -> list[Ticket]:
    """A decided ticket with a reply, a later message, a reason, a label and jobs; one that waits; a search for her."""
    decide_by(review_band=0)
    posted = a_ticket(
        subject="Quastenflosser", body=f"Rhododendron. {URGENT}", requester=PERSON, external_id="Wolfram-7"
    )
    decided = Caller().post(TICKETS, posted, Idempotency_Key="Ozelot-1").json()["id"]
    pipeline.score_waiting("test", SOON)
    agent = acting(person("agent"))
    Message.objects.create(ticket_id=decided, author=Author.AGENT, user=agent.user, body="Xylophon?", at=timezone.now())
    pipeline.add_message(decided, "Rhododendron again")
    pipeline.score_waiting("test", SOON)
    pipeline.override(decided, Queue(Ticket.objects.get(pk=decided).queue).other, agent, "Yttrium, says Lea")
    pipeline.ask_for_explanation(decided, agent)
    Job.objects.update(problem="RuntimeError: Rhododendron")
    submitted("Rhododendron waits", **PERSON)
    address = f"?{urlencode({'reason': EMAIL})}"
    SavedSearch.objects.create(user=person("auditor"), name="That one", query=address, saved_at=timezone.now())
    return list(Ticket.objects.filter(requester__email=EMAIL).order_by("pk"))


def erase(email: str = EMAIL) -> Entry:
    return pipeline.erase(email, BY, WHY)


def tables_with(words: tuple[str, ...]) -> set[str]:
    """Of all tables of the database, those in which a column of a row has one of the words."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            if any(has_word(value, words) for row in cursor.fetchall() for value in row):
                found.add(table)
    return found


def has_word(value: Any, words: tuple[str, ...] = WORDS) -> bool:
    text = bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value)
    return any(word in text.lower() for word in words)


def about(ticket: Ticket) -> list[Entry]:
    return list(Entry.objects.filter(subject=f"ticket:{ticket.pk}").order_by("seq"))


@pytest.mark.usefixtures("lea")
class TestWhatGoes:
    def test_no_table_holds_a_word_of_the_person_any_more(self) -> None:
        names = ("requester", "ticket", "message", "input", "reason", "job", "idempotencykey", "savedsearch")
        assert tables_with(WORDS) == {f"tickets_{name}" for name in names}
        erase()
        assert tables_with(WORDS) == set()

    def test_nonces_go_with_their_texts(self) -> None:
        nonces = (*Input.objects.values_list("nonce", flat=True), *Reason.objects.values_list("nonce", flat=True))
        theirs = tuple(Input.objects.filter(ticket__requester__email=EMAIL).values_list("nonce", flat=True))
        assert set(theirs) < set(nonces)
        erase()
        assert tables_with(theirs) == set()

    def test_whatever_hangs_from_a_ticket_goes_with_it_and_is_told(self) -> None:
        hanging = Ticket._meta.related_objects
        assert {relation.on_delete for relation in hanging} == {models.CASCADE}
        told = {rows.model for rows in with_tickets(Requester.objects.get(email=EMAIL)).values()}
        assert told == {relation.related_model for relation in hanging}

    def test_an_address_that_somebody_searched_the_log_for_goes_too(self) -> None:
        for reason in (f"who is {EMAIL.upper()}?", "somebody else"):
            pipeline.note(Draft(Kind.AUDIT_SEARCHED, "log", "user:1", {"query": ""}, reason))
        erase()
        searches = Entry.objects.filter(kind=Kind.AUDIT_SEARCHED).values("seq")
        assert list(Reason.objects.filter(seq__in=searches).values_list("text", flat=True)) == ["somebody else"]

    def test_the_address_is_found_in_any_case(self) -> None:
        erase(f" {EMAIL.title()} ")
        assert not Requester.objects.filter(email=EMAIL).exists()

    def test_all_of_others_stays(self) -> None:
        decide_by(review_band=1_000_000)
        other = scored(CALM, email="bea@example.com")
        pipeline.override(other.pk, Queue.URGENT, acting(person("agent")), "a drill")
        pipeline.ask_for_explanation(other.pk, BY)
        submitted(CALM, email="bea@example.com")
        theirs = stored_about(find("bea@example.com"))
        erase()
        assert stored_about(find("bea@example.com")) == theirs
        assert min(theirs.counts[name] for name in ("messages", "inputs", "reasons", "labels", "waiting", "jobs")) > 0

    def test_who_writes_again_is_a_new_person_with_a_new_ticket(self, lea: list[Ticket]) -> None:
        left = Requester.objects.get(email=EMAIL).pk
        erase()
        key = Caller()
        posted = a_ticket(requester={"email": EMAIL}, external_id="Wolfram-7")
        answer = key.post(TICKETS, posted, Idempotency_Key="Ozelot-1")
        assert answer.status_code == 202
        assert answer.json()["id"] > max(ticket.pk for ticket in lea), "the log would be about another's ticket"
        again = Requester.objects.get(email=EMAIL)
        assert (again.pk > left, again.name, again.region) == (True, "", "")


class TestRefused:
    def test_there_is_nobody_with_the_address(self) -> None:
        before = row_counts()
        with pytest.raises(NobodyStored, match=f"Nobody here has the address '{EMAIL}'"):
            erase()
        assert row_counts() == before

    def test_after_it_nothing_is_left(self, lea: list[Ticket]) -> None:
        erase()
        with pytest.raises(NobodyStored, match="nothing is left"):
            erase()
        assert Entry.objects.filter(kind=Kind.ERASED).count() == 1

    @pytest.mark.parametrize("reason", [f"mail from {EMAIL.upper()}", "LEA ZIRKON wrote", "asked by Lea Zirkon."])
    def test_a_reason_that_names_the_person_erases_nothing(self, lea: list[Ticket], reason: str) -> None:
        before = row_counts()
        with pytest.raises(ReasonNamesPerson):
            pipeline.erase(EMAIL, BY, reason)
        assert row_counts() == before

    def test_a_name_within_a_word_names_nobody(self) -> None:
        submitted(email="art@example.com", name="Art")
        pipeline.erase("art@example.com", BY, "Article 17 is a smart one")
        assert not Requester.objects.exists()


class TestCertificate:
    def test_it_says_which_tickets_and_which_digests_and_nothing_personal(self, lea: list[Ticket]) -> None:
        number = Requester.objects.get(email=EMAIL).pk
        digests = list(
            Input.objects.filter(ticket__in=lea).order_by("ticket", "version").values_list("digest", flat=True)
        )
        entry = erase()
        body = json.loads(bytes(entry.body))
        assert (entry.kind, entry.subject, entry.actor) == (Kind.ERASED, f"person:{number}", "command")
        assert (body["tickets"], body["inputs"]) == ([ticket.pk for ticket in lea], digests)
        assert len(digests) == 3
        assert not has_word(entry.body)
        assert Reason.objects.get(pk=entry.seq).text == WHY

    def test_the_reasons_it_names_are_those_whose_digest_opens_no_more(self, lea: list[Ticket]) -> None:
        given = [entry.seq for entry in about(lea[0]) if b"reason_digest" in bytes(entry.body)]
        assert json.loads(bytes(erase().body))["reasons"] == given
        assert given
        assert not Reason.objects.filter(pk__in=given).exists()

    def test_its_counts_are_the_rows_that_are_missing(self, lea: list[Ticket]) -> None:
        before, counts = row_counts(), json.loads(bytes(erase().body))["counts"]
        gone = Counter(before) - Counter(row_counts())
        names = {"tickets": "ticket", "inputs": "input", "messages": "message", "labels": "label", "jobs": "job"}
        names |= {"waiting": "waiting", "idempotency_keys": "idempotencykey", "saved_searches": "savedsearch"}
        # One reason was written, too: why the person was erased.
        assert counts.pop("reasons") == gone["tickets_reason"] + 1
        assert gone == {f"tickets_{names[name]}": count for name, count in counts.items()} | {"tickets_requester": 1}
        assert all(counts.values())

    def test_a_person_without_a_ticket_gets_one_too(self) -> None:
        Requester.objects.create(email=EMAIL)
        body = json.loads(bytes(erase().body))
        assert (body["tickets"], set(body["counts"].values())) == ([], {0})


class TestTheLog:
    def test_it_verifies_and_every_decision_is_as_it_was(self, lea: list[Ticket]) -> None:
        decisions = list(Decision.objects.order_by("pk").values())
        erase()
        assert verify().fault is None
        assert list(Decision.objects.order_by("pk").values()) == decisions

    def test_the_figures_of_what_was_decided_stay_and_nothing_waits(self, lea: list[Ticket]) -> None:
        before = figures()
        erase()
        after = figures()
        assert (before.waiting, before.undecided) == (1, 1)
        assert (after.waiting, after.undecided) == (0, 0)
        for name in ("decided_today", "urgent_share", "fallback_share", "overrides", "per_minute"):
            assert getattr(after, name) == getattr(before, name)

    def test_an_auditor_opens_each_entry_and_reads_no_old_word(self, lea: list[Ticket]) -> None:
        client, entries = logged_in(person("auditor")), about(lea[0])
        assert any(has_word(client.get(f"/audit/decisions/{entry.seq}/").content) for entry in entries)
        erased = erase()
        for entry in [*entries, erased]:
            page = client.get(f"/audit/decisions/{entry.seq}/")
            assert page.status_code == 200
            assert not has_word(page.content)
            assert (b"The text is no longer stored" in page.content) == (entry != erased)

    @override_settings(ELASTICSEARCH_READER_URL="")
    def test_an_auditor_finds_the_decisions_and_the_erasure(self, lea: list[Ticket]) -> None:
        client, erased = logged_in(person("auditor")), erase()
        found = client.get(f"/audit/?ticket={lea[0].pk}").content.decode()
        assert all(f"/audit/decisions/{entry.seq}/" in found for entry in about(lea[0]))
        assert erased.subject in client.get("/audit/changes/").content.decode()

    def test_what_is_shipped_about_the_person_has_no_word_of_them(self, lea: list[Ticket]) -> None:
        entries = [entry for ticket in lea for entry in about(ticket)] + [erase()]
        assert len(entries) > 3
        assert not [entry.seq for entry in entries if has_word(json.dumps(ship.document_of(entry)))]


class TestTheTicket:
    def test_its_page_is_gone_and_no_queue_shows_it(self, lea: list[Ticket]) -> None:
        client = logged_in(person("agent"))
        assert has_word(client.get("/").content)
        erase()
        assert client.get(f"/tickets/{lea[0].pk}/").status_code == 404
        assert not has_word(client.get("/").content)

    def test_a_program_gets_404_for_whatever_it_asks_of_it(self, lea: list[Ticket]) -> None:
        erase()
        caller, path = Caller(), f"{TICKETS}{lea[0].pk}/"
        asked = {"messages": {"body": "again"}, "override": {"queue": "urgent", "reason": "x"}, "confirm": {}}
        answers = [caller.post(f"{path}{verb}/", body) for verb, body in (asked | {"undo": {}, "explain": {}}).items()]
        assert {answer.status_code for answer in [caller.get(path), *answers]} == {404}
        assert not Message.objects.exists()


class TestUnderWay:
    """What a worker holds while the person is erased comes to nothing."""

    def test_a_score_for_an_erased_text_decides_nothing_and_the_rest_of_the_batch_is_decided(self) -> None:
        gone, stays = submitted(URGENT, **PERSON), submitted(URGENT)
        model = score.scorer().model
        held = pipeline.claim("worker", model)
        assert held
        scores = score.score(held)
        erase()
        (entry,) = pipeline.settle_claim(held, scores, model, "worker")
        assert entry.subject == f"ticket:{stays.pk}"
        assert not Decision.objects.filter(ticket_id=gone.pk).exists()
        assert tables_with(WORDS) == set()

    def test_a_batch_that_failed_is_put_back_without_it(self) -> None:
        submitted(URGENT, **PERSON)
        stays = submitted(URGENT)
        held = pipeline.claim("worker", score.scorer().model)
        assert held
        erase()
        pipeline.put_back(held, score.ScoringFailed("CUDA out of memory"))
        assert list(Waiting.objects.values_list("ticket", "claim")) == [(stays.pk, 0)]

    def test_an_explanation_under_way_is_not_recorded(self) -> None:
        decide_by(review_band=0)
        ticket = scored(URGENT, **PERSON)
        pipeline.ask_for_explanation(ticket.pk, BY)
        claimed = take(JobKind.EXPLAIN, score.scorer().model)
        assert claimed
        asked = explaining.read(*claimed, score.scorer().model)
        found, milliseconds = explaining.explain(asked)
        erase()
        record_explanation(asked, found, milliseconds, "worker:test")
        assert not Entry.objects.filter(kind=Kind.EXPLAINED).exists()
        assert tables_with(WORDS) == set()

    def test_an_explanation_that_was_asked_for_is_not_begun(self) -> None:
        decide_by(review_band=0)
        ticket = scored(URGENT, **PERSON)
        pipeline.ask_for_explanation(ticket.pk, BY)
        erase()
        assert not pipeline.explain_one("test", score.scorer().model)


SUBMIT = f"""
from tests.factories import URGENT, submitted
print(submitted(URGENT, email="{EMAIL}").pk)
"""


@pytest.mark.real
@pytest.mark.usefixtures("real_servers")
@pytest.mark.parametrize(
    ("gate", "erased_first"),
    [
        ("LOCK TABLE tickets_input IN SHARE MODE", True),
        ("LOCK TABLE tickets_input IN SHARE MODE", False),
        ("SELECT FROM tickets_loghead FOR UPDATE", True),
    ],
)
def test_a_submission_at_the_moment_of_the_erasure_is_kept_as_a_new_persons(
    tmp_path: Path, gate: str, erased_first: bool
) -> None:
    """Two processes, which a third keeps from going on until both are under way."""
    with own_database() as url, embedded(tmp_path / "site", DATABASE_URL=url) as site:
        before = int(site.shell(SUBMIT))
        ((person_before,),) = site.query("SELECT id FROM tickets_requester")
        with ThreadPoolExecutor(2) as pool, closing(psycopg2.connect(url)) as keeper:
            keeper.cursor().execute(gate)
            erasing = pool.submit(site.manage, "erase", EMAIL, "--reason", WHY, "--yes") if erased_first else None
            eventually(lambda: held_up(site) == erased_first, "the erasure waits")
            submitting = pool.submit(site.shell, SUBMIT)
            eventually(lambda: held_up(site) == 1 + erased_first, "the submission waits")
            erasing = erasing or pool.submit(site.manage, "erase", EMAIL, "--reason", WHY, "--yes")
            eventually(lambda: held_up(site) == 2, "both wait")
            keeper.rollback()
            after = int(submitting.result())
            erasing.result()
        ((body,),) = site.query(f"SELECT body FROM tickets_entry WHERE kind = '{Kind.ERASED}'")
        ((person_after,),) = site.query("SELECT id FROM tickets_requester")
        erased = json.loads(bytes(body))
        assert (erased["subject"], erased["tickets"]) == (f"person:{person_before}", [before])
        assert site.query("SELECT id, requester_id FROM tickets_ticket") == [(after, person_after)]
        assert person_after != person_before
        for rows in ("tickets_message", "tickets_input", "tickets_waiting"):
            assert site.query(f"SELECT ticket_id FROM {rows}") == [(after,)]
        assert "verified" in site.manage("verify_log")


def held_up(site: Installation) -> int:
    """How many connections wait for another one."""
    ours = "datname = current_database() AND wait_event_type = 'Lock'"
    return site.count(f"pg_stat_activity WHERE {ours}")


PEOPLE = st.sampled_from(["ann@example.com", "bea@example.com", "cy@example.com"])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(st.tuples(PEOPLE, st.sampled_from([URGENT, CALM])), min_size=1, max_size=6), st.booleans(), PEOPLE)
def test_whoever_leaves_takes_their_own_tickets_and_no_other(
    sent: list[tuple[str, str]], decided: bool, leaves: str
) -> None:
    pipeline.submit([new_ticket(text, email=email) for email, text in sent])
    if decided:
        pipeline.score_waiting("test", SOON)
    others = set(Ticket.objects.exclude(requester__email=leaves).values_list("pk", flat=True))
    decisions = Decision.objects.count()
    with contextlib.suppress(NobodyStored):
        erase(leaves)
    assert set(Ticket.objects.values_list("pk", flat=True)) == others
    assert set(Input.objects.values_list("ticket", flat=True)) == others
    assert Decision.objects.count() == decisions
    assert verify().fault is None
