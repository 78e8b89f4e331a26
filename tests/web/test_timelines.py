"""The timelines as pages: who may open them, what they say, and that opening one is in the log once."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.audit.tampering import tamper
from tests.factories import acting, decide_by, fallen_back, person, submitted
from tests.web.test_pages import logged_in, queries
from tickets import pipeline
from tickets.flow.record import Draft
from tickets.models import ApiKey, Archive, Entry, Kind, Policy, Queue, Reason, Ticket, User
from tickets.pipeline import Actor
from tickets.policy.versions import like
from tickets.web import timelines

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor() -> User:
    return person("auditor")


@pytest.fixture
def client(auditor: User) -> Client:
    return logged_in(auditor)


def text(client: Client, address: str) -> str:
    """What a reader reads, on one line."""
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def shown(page: Any) -> list[int]:
    return [event.entry.seq for event, _ in page["rows"]]


def seqs(client: Client, address: str) -> list[int]:
    return shown(client.get(address).context)


def pages(client: Client, address: str, following: str) -> list[Any]:
    """The contexts of all pages; following: what a page calls the query string of the next one."""
    found = [client.get(address).context]
    while found[-1][following]:
        found.append(client.get(f"{address.partition('?')[0]}{found[-1][following]}").context)
    return found


def opened(actor: User) -> list[tuple[str, dict[str, Any]]]:
    entries = Entry.objects.filter(kind=Kind.AUDIT_OPENED, actor=f"user:{actor.pk}").order_by("seq")
    return [(entry.subject, json.loads(bytes(entry.body))) for entry in entries]


def moved_about(ticket: Ticket, times: int, by: Actor) -> None:
    for _ in range(times):
        pipeline.override(ticket.pk, Queue.STANDARD, by, "no <b>outage</b>")
        pipeline.override(ticket.pk, Queue.URGENT, by, "an outage")


def like_the_first(**changed: Any) -> dict[str, Any]:
    return like(Policy.objects.get(pk=1)) | changed


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAGE", "POLICIES", "PEOPLE"):
        monkeypatch.setattr(timelines, name, 2)


PAGES = [
    "/audit/tickets/{ticket}/",
    "/audit/policies/",
    "/audit/policies/difference/?from=1&to=1",
    "/audit/people/",
    "/audit/people/{actor}/",
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("role", "status"), [("auditor", 200), ("ops", 200), ("agent", 403)])
def test_auditors_and_ops_open_timelines_and_agents_do_not(page: str, role: str, status: int) -> None:
    user, ticket = person(role), fallen_back(1)[0]
    assert logged_in(user).get(page.format(ticket=ticket.pk, actor=f"user:{user.pk}")).status_code == status


def test_a_stranger_is_sent_to_the_log_in() -> None:
    assert Client().get("/audit/policies/").status_code == 302


def test_a_ticket_s_timeline_says_who_moved_it_from_where_to_where_and_why(client: Client) -> None:
    ticket, agent = fallen_back(1)[0], person("agent")
    pipeline.override(ticket.pk, Queue.STANDARD, acting(agent), "no <b>outage</b>")
    said = text(client, f"/audit/tickets/{ticket.pk}/")
    assert "Queue Urgent → to Standard" in said
    assert agent.get_username() in said
    assert "no <b>outage</b>" in said
    assert said.index("Fallback") < said.index("Override")


def test_each_event_leads_to_its_entry_and_its_person(client: Client) -> None:
    ticket, agent = fallen_back(1)[0], person("agent")
    entry = pipeline.confirm(ticket.pk, acting(agent))
    page = client.get(f"/audit/tickets/{ticket.pk}/").content.decode()
    for address in (f"/audit/decisions/{entry.seq}/", f"/audit/people/user:{agent.pk}/", f"/tickets/{ticket.pk}/"):
        assert f'href="{address}"' in page


@pytest.mark.usefixtures("short_pages")
def test_pages_of_a_timeline_show_each_entry_once_in_order(client: Client) -> None:
    ticket = fallen_back(1)[0]
    moved_about(ticket, 2, acting(person("agent")))
    address = f"/audit/tickets/{ticket.pk}/"
    assert [seq for page in pages(client, address, "later") for seq in shown(page)] == [
        *Entry.objects.filter(subject=f"ticket:{ticket.pk}").values_list("seq", flat=True)
    ]


def test_the_timeline_of_an_erased_ticket_is_whole_and_says_when_it_was_erased(client: Client) -> None:
    ticket, agent = fallen_back(1)[0], acting(person("agent"))
    pipeline.override(ticket.pk, Queue.STANDARD, agent, "Quastenflosser")
    erased = pipeline.erase(ticket.requester.email, Actor("command"), "Asked by letter")
    said = text(client, f"/audit/tickets/{ticket.pk}/")
    assert f"as entry {erased.seq} says" in said
    assert "Its reason was erased." in said
    assert "Quastenflosser" not in said
    assert "Queue Urgent → to Standard" in said


def test_a_reason_that_is_not_the_one_that_was_given_is_called_out(client: Client) -> None:
    ticket = fallen_back(1)[0]
    moved_about(ticket, 1, acting(person("agent")))
    assert "not what was given" not in text(client, f"/audit/tickets/{ticket.pk}/")
    Reason.objects.filter(text="an outage").update(text="my mistake")
    said = text(client, f"/audit/tickets/{ticket.pk}/")
    assert said.count("The reason does not match the digest in the entry: it is not what was given.") == 1
    assert said.index("my mistake") < said.index("not what was given")


def test_two_erasures_are_told_apart(client: Client) -> None:
    tickets = fallen_back(2)
    erased = [pipeline.erase(ticket.requester.email, Actor("command"), "Asked by letter") for ticket in tickets[::-1]]
    for ticket, entry in zip(tickets, erased[::-1], strict=True):
        assert f"as entry {entry.seq} says" in text(client, f"/audit/tickets/{ticket.pk}/")


def test_a_ticket_that_went_without_an_entry_that_says_so_is_called_out(client: Client) -> None:
    ticket, other = fallen_back(2)
    pipeline.erase(other.requester.email, Actor("command"), "Asked by letter")
    Ticket.objects.filter(pk=ticket.pk).delete()
    assert "The log does not say that it was erased" in text(client, f"/audit/tickets/{ticket.pk}/")


def test_a_ticket_that_waits_has_an_empty_timeline_and_one_that_never_was_is_not_found(client: Client) -> None:
    waiting = submitted()
    assert "it waits for its first decision" in text(client, f"/audit/tickets/{waiting.pk}/")
    for number in (waiting.pk + 1_000, 10**30):
        assert client.get(f"/audit/tickets/{number}/").status_code == 404


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("/audit/tickets/{ticket}/?after=x", "after"),
        ("/audit/tickets/{ticket}/?after=0", "after"),
        (f"/audit/tickets/{{ticket}}/?after={2**63}", "after"),
        ("/audit/tickets/{ticket}/?before=1", "__all__"),
        ("/audit/policies/?before=-1", "before"),
        ("/audit/policies/difference/?from=x&to=1", "from"),
        ("/audit/policies/difference/?from=1&to=77", "to"),
        ("/audit/policies/difference/?from=1", "to"),
        (f"/audit/policies/difference/?from=1&to={10**30}", "to"),
        ("/audit/policies/difference/?from=1&to=1&with=2", "__all__"),
        ("/audit/people/?user=x", "user"),
        ("/audit/people/?key=0", "key"),
        ("/audit/people/user:1/?before=x", "before"),
        ("/audit/people/user:1/?kind=nonsense", "kind"),
        ("/audit/people/user:1/?since=yesterday", "since"),
        ("/audit/people/user:1/?until=9999-12-31T23:59-11:00", "until"),
    ],
)
def test_what_cannot_be_asked_is_refused_names_the_field_and_is_not_logged(
    client: Client, auditor: User, address: str, field: str
) -> None:
    answer = client.get(address.format(ticket=fallen_back(1)[0].pk))
    assert answer.status_code == 400
    assert list(answer.context["asked"].errors) == [field]
    assert "errorlist" in answer.content.decode() or 'role="alert"' in answer.content.decode()
    assert opened(auditor) == []


@pytest.mark.parametrize("actor", ["user:77777777", "key:0", f"user:{'9' * 18}", "worker:a", "user:x", "user:1:2"])
def test_nobody_did_anything_under_a_name_that_never_was(client: Client, actor: str) -> None:
    assert client.get(f"/audit/people/{actor}/").status_code == 404


@pytest.mark.usefixtures("short_pages")
def test_opening_a_timeline_is_logged_and_so_is_each_further_page(client: Client, auditor: User) -> None:
    ticket, agent = fallen_back(1)[0], person("agent")
    moved_about(ticket, 2, acting(agent))
    decide_by(threshold=1)
    decide_by(threshold=2)
    _, second, third = pages(client, f"/audit/tickets/{ticket.pk}/", "later")
    _, acts = pages(client, f"/audit/people/user:{agent.pk}/?kind=override", "older")
    _, policies = pages(client, "/audit/policies/", "older")
    client.get("/audit/people/")
    client.head("/audit/people/?user=1")
    client.get("/audit/policies/difference/?from=1&to=1")
    assert [(subject, body.get("query", "")) for subject, body in opened(auditor)] == [
        (f"timeline:ticket:{ticket.pk}", ""),
        (f"timeline:ticket:{ticket.pk}", f"after={second['after']}"),
        (f"timeline:ticket:{ticket.pk}", f"after={third['after']}"),
        (f"timeline:user:{agent.pk}", "kind=override"),
        (f"timeline:user:{agent.pk}", acts["asked"].address().removeprefix("?")),
        ("timeline:policies", ""),
        ("timeline:policies", f"before={policies['before']}"),
        ("timeline:people", ""),
        ("timeline:people", "user=1"),
        ("timeline:policies:1:1", ""),
    ]
    assert "before=" in acts["asked"].address()


def test_a_ticket_of_a_number_that_none_can_have_is_not_there(client: Client, auditor: User) -> None:
    assert client.get(f"/audit/tickets/{10**60}/?after=1").status_code == 404
    assert opened(auditor) == []


def test_the_longest_subject_of_a_read_fits_into_the_log() -> None:
    for subject in (f"timeline:ticket:{2**63}", f"timeline:policies:{2**31}:{2**31}", f"timeline:user:{10**18}"):
        assert len(subject) <= Entry._meta.get_field("subject").max_length


def test_a_filter_on_what_somebody_did_is_in_the_log_with_it(client: Client, auditor: User) -> None:
    client.get(f"/audit/people/user:{auditor.pk}/?kind=override&since=2026-01-01T00:00:00Z")
    ((_, body),) = opened(auditor)
    assert body["query"] == "kind=override&since=2026-01-01T00:00:00Z"


def test_reads_of_a_timeline_are_no_part_of_it(client: Client) -> None:
    ticket = fallen_back(1)[0]
    before = seqs(client, f"/audit/tickets/{ticket.pk}/")
    assert seqs(client, f"/audit/tickets/{ticket.pk}/") == before


@pytest.mark.usefixtures("short_pages")
def test_what_somebody_did_comes_latest_first_and_by_pages(client: Client) -> None:
    ticket, agent = fallen_back(1)[0], person("agent")
    moved_about(ticket, 2, acting(agent))
    found = pages(client, f"/audit/people/user:{agent.pk}/?kind=override", "older")
    assert [seq for page in found for seq in shown(page)] == [
        *Entry.objects.filter(actor=f"user:{agent.pk}").order_by("-seq").values_list("seq", flat=True)
    ]
    assert [page["newest"] for page in found] == ["", "?kind=override"]


def test_what_somebody_did_narrows_to_a_kind_and_a_time(client: Client) -> None:
    ticket, agent = fallen_back(1)[0], acting(person("agent"))
    moved = pipeline.override(ticket.pk, Queue.STANDARD, agent, "no outage")
    pipeline.confirm(ticket.pk, agent)
    address = f"/audit/people/{agent.name}/"
    assert seqs(client, f"{address}?kind=override") == [moved.seq]
    assert seqs(client, f"{address}?until=2000-01-01T00:00:00Z") == []
    assert len(seqs(client, f"{address}?since=2000-01-01T00:00:00Z")) == 2
    assert "nothing of this kind in this time" in text(client, f"{address}?kind=erased")


def test_a_time_typed_in_the_reader_s_zone_becomes_one_that_every_reader_shares(auditor: User) -> None:
    auditor.time_zone = "Europe/Berlin"
    auditor.save()
    answer = logged_in(auditor).get(f"/audit/people/user:{auditor.pk}/?since=2026-01-10T12:00:00")
    assert answer["Location"] == f"/audit/people/user:{auditor.pk}/?since=2026-01-10T11:00:00Z"


def test_times_are_in_the_reader_s_zone_and_on_paper_in_utc(auditor: User) -> None:
    auditor.time_zone = "Asia/Kolkata"
    auditor.save()
    ticket = fallen_back(1)[0]
    page = logged_in(auditor).get(f"/audit/tickets/{ticket.pk}/").content.decode()
    at = Entry.objects.get(subject=f"ticket:{ticket.pk}")
    utc, local = re.search(r'title="([\d :-]+)\.\d+ UTC"><span class="on-screen">([\d :-]+)<', page).groups()  # type: ignore[union-attr]
    paper = re.search(r'<span class="on-paper">([\d :-]+)<', page).group(1)  # type: ignore[union-attr]
    assert utc == paper != local
    assert f"/audit/decisions/{at.seq}/" in page
    assert "(Asia/Kolkata)" in page


def test_people_with_a_role_and_keys_are_listed_and_lead_to_what_they_did(client: Client) -> None:
    agent, stranger = person("agent"), User.objects.create_user("stranger", password="a long password")
    key = ApiKey.objects.create(
        name="<i>shop</i>", prefix="x" * 8, digest="0" * 64, scopes=["tickets:read"], expires_at="2000-01-01T00:00Z"
    )
    page = client.get("/audit/people/").content.decode()
    for actor in (f"user:{agent.pk}", f"key:{key.pk}"):
        assert f'href="/audit/people/{actor}/"' in page
    assert "&lt;i&gt;shop&lt;/i&gt;" in page
    assert "expired" in page
    assert f"user:{stranger.pk}" not in page
    assert "The log knows nothing that they did." in text(client, f"/audit/people/key:{key.pk}/")


@pytest.mark.usefixtures("short_pages")
def test_many_people_come_by_pages_each_once(client: Client, auditor: User) -> None:
    expected = [auditor.pk, *(person("agent").pk for _ in range(4))]
    seen, address = [], "/audit/people/"
    while address:
        context = client.get(address).context
        seen += [int(one.actor.removeprefix("user:")) for one in context["people"]]
        address = f"/audit/people/?user={context['people_after']}" if context["people_after"] else ""
    assert seen == expected


def test_the_series_of_policies_says_when_each_decided(client: Client) -> None:
    second = decide_by(threshold=600_000)
    pipeline.activate_policy(Policy.objects.get(pk=1), Actor("test"), "Too many <b>alarms</b>")
    versions = {version.number: version for version, _, _ in client.get("/audit/policies/").context["versions"]}
    assert [len(versions[number].periods) for number in (1, second.number)] == [2, 1]
    assert versions[1].is_active
    assert not versions[second.number].is_active
    assert versions[1].periods[0].began.at == versions[second.number].periods[0].until
    said = text(client, "/audit/policies/")
    assert "Too many <b>alarms</b>" in said
    assert "until now" in said


def test_a_version_that_was_never_activated_says_so(client: Client) -> None:
    pipeline.draft_policy(like_the_first(threshold=1), Actor("test"), "a draft")
    assert "never" in text(client, "/audit/policies/")


@pytest.mark.usefixtures("short_pages")
def test_versions_come_by_pages_each_once(client: Client) -> None:
    for threshold in range(4):
        pipeline.draft_policy(like_the_first(threshold=threshold), Actor("test"), "a draft")
    found = pages(client, "/audit/policies/", "older")
    assert [version.number for page in found for version, _, _ in page["versions"]] == [5, 4, 3, 2, 1]


def test_two_versions_side_by_side_mark_what_changes_in_words(client: Client) -> None:
    other = pipeline.draft_policy(
        like_the_first(threshold=650_000, rubric="Urgent: <b>fire</b>\nElse standard"), Actor("test"), "Fire"
    )
    answer = client.get(f"/audit/policies/difference/?from=1&to={other.number}")
    differing = [value.name for value in answer.context["values"] if value.differs]
    assert differing == ["Threshold", "Please check", "Rubric digest"]
    page = answer.content.decode()
    assert page.count(">changes<") == 3
    assert "added" in page
    assert "removed" in page
    assert "<b>fire</b>" not in page


def test_without_a_choice_the_active_version_is_compared_with_the_latest(client: Client) -> None:
    other = pipeline.draft_policy(like_the_first(threshold=1), Actor("test"), "a draft")
    answer = client.get("/audit/policies/difference/")
    assert answer["Location"] == f"/audit/policies/difference/?from=1&to={other.number}"


def test_a_version_that_is_not_what_the_log_says_is_called_out(client: Client) -> None:
    address = "/audit/policies/difference/?from=1&to=1"
    assert "is not what" not in text(client, address)
    tamper("tickets_policy", "UPDATE tickets_policy SET threshold = 2 WHERE number = 1")
    said = text(client, address)
    assert re.search("Policy 1 is not what entry [0-9]+ says it was made as: threshold", said)


def test_where_the_log_s_beginning_left_for_an_archive_timelines_say_so_and_sound_no_alarm(client: Client) -> None:
    first = Entry.objects.order_by("-seq")[0].seq
    head = {"head": "0" * 64, "root": "0" * 64, "sha256": "0" * 64, "at": "2026-01-01T00:00Z"}
    Archive.objects.create(through=first, seq=first + 1, **head)
    tamper("tickets_entry", f"DELETE FROM tickets_entry WHERE seq <= {first}")
    for address in ("/audit/tickets/77/", "/audit/policies/", "/audit/policies/difference/?from=1&to=1"):
        said = text(client, address)
        assert f"The log here begins behind entry {first}: what came before" in said
        assert 'role="alert"' not in client.get(address).content.decode()


def test_a_version_that_the_log_does_not_know_is_called_out(client: Client) -> None:
    tamper("tickets_entry", "DELETE FROM tickets_entry WHERE subject = 'policy:1'")
    assert "has no entry that made policy 1" in text(client, "/audit/policies/difference/?from=1&to=1")


def test_a_print_names_the_log_its_head_and_when(client: Client) -> None:
    ticket = fallen_back(1)[0]
    head = Entry.objects.order_by("-seq")[0]
    said = text(client, f"/audit/tickets/{ticket.pk}/")
    assert f"Log triage with {head.seq} entries, head {head.hash} . Page made at" in said
    assert f"http://testserver/audit/tickets/{ticket.pk}/" in said


def test_a_timeline_costs_as_many_queries_for_many_rows_as_for_few(client: Client) -> None:
    ticket, agent = fallen_back(1)[0], person("agent")
    moved_about(ticket, 1, acting(agent))
    decide_by(threshold=600_000)
    addresses = [page.format(ticket=ticket.pk, actor=f"user:{agent.pk}") for page in PAGES]
    addresses += [f"/audit/tickets/{ticket.pk}/?after=4"]
    few = [queries(client, address) for address in addresses]
    moved_about(ticket, 10, acting(person("agent")))
    moved_about(ticket, 10, acting(agent))
    for threshold in range(5):
        decide_by(threshold=threshold)
    assert [queries(client, address) for address in addresses] == few


def test_a_page_costs_few_queries_beside_those_that_record_that_it_was_opened(client: Client) -> None:
    ticket = fallen_back(1)[0]
    pipeline.override(ticket.pk, Queue.STANDARD, acting(person("agent")), "no outage")
    with CaptureQueriesContext(connection) as recording:
        pipeline.note(Draft(Kind.AUDIT_OPENED, "timeline:ticket:1", "test"))
    for page in PAGES:
        address = page.format(ticket=ticket.pk, actor=f"user:{User.objects.latest('pk').pk}")
        assert queries(client, address) - len(recording) <= 12


def test_pages_that_name_a_ticket_a_person_or_a_policy_lead_to_its_timeline(client: Client) -> None:
    ticket, agent = fallen_back(1)[0], person("agent")
    entry = pipeline.override(ticket.pk, Queue.STANDARD, acting(agent), "no outage")
    decision = client.get(f"/audit/decisions/{entry.seq}/").content.decode()
    for address in (f"/audit/tickets/{ticket.pk}/", f"/audit/people/user:{agent.pk}/", "/audit/policies/#policy-1"):
        assert f'href="{address}"' in decision
    changes = client.get("/audit/changes/").content.decode()
    assert 'href="/audit/policies/#policy-1"' in changes
    assert f'href="/audit/tickets/{ticket.pk}/"' in client.get(f"/tickets/{ticket.pk}/").content.decode()
    assert "/audit/tickets/" not in logged_in(agent).get(f"/tickets/{ticket.pk}/").content.decode()
    assert "/audit/policies/difference/?from=1" in logged_in(person("ops")).get("/ops/policies/1/").content.decode()
