"""Whatever happens in whatever order: each text is decided once, a person's word is last, the chain holds."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from scoring.types import Request
from tests.factories import CALM, SOON, URGENT, acting, end_leases, new_ticket, pass_deadlines, person
from tickets import pipeline
from tickets.audit.verify import verify
from tickets.flow import score
from tickets.flow.erase import NobodyStored
from tickets.flow.review import ReviewRefused
from tickets.flow.score import Claim, ScoringFailed
from tickets.models import (
    ActivePolicy,
    Decision,
    Entry,
    Input,
    Job,
    Kind,
    Label,
    Message,
    Policy,
    Queue,
    Ticket,
    Waiting,
)
from tickets.models.entry import AUTOMATIC
from tickets.policy.versions import like

TEXTS = st.sampled_from([URGENT, CALM, "?", "Es brennt im Serverraum", "💥" * 40])
QUEUES = st.sampled_from(list(Queue))
PEOPLE = st.sampled_from(["ann@example.com", "bea@example.com", "cy@example.com"])


class Flow(RuleBasedStateMachine):
    tickets = Bundle("tickets")
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        # One transaction an example, rolled back at its end: the log itself cannot be emptied.
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.model = score.scorer().model
        self.words: dict[int, list[str]] = {}
        self.erased: dict[int, int] = {}
        """Tickets of erased people -> the number of the entry that says so."""

    @initialize(target=tickets, texts=st.lists(st.tuples(TEXTS, PEOPLE), min_size=2, max_size=4))
    def a_morning(self, texts: list[tuple[str, str]]) -> MultipleResults[int]:
        self.agent = acting(person("agent"))
        accepted = pipeline.submit(
            [new_ticket(text, live=number != 1, email=email) for number, (text, email) in enumerate(texts)]
        )
        return multiple(*(one.ticket.pk for one in accepted))

    @rule(target=tickets, text=TEXTS, live=st.booleans(), email=PEOPLE, external_id=st.sampled_from([None, "a", "b"]))
    def submit(self, text: str, live: bool, email: str, external_id: str | None) -> int:
        return pipeline.submit([new_ticket(text, live=live, email=email, external_id=external_id)])[0].ticket.pk

    @rule(ticket=tickets, text=TEXTS)
    def requester_writes_again(self, ticket: int, text: str) -> None:
        with self._refused_where_erased(ticket):
            pipeline.add_message(ticket, text)

    @rule(email=PEOPLE)
    def a_person_is_erased(self, email: str) -> None:
        """Their tickets stay in the bundle: whoever knew a number may still come with it."""
        with contextlib.suppress(NobodyStored):
            entry = pipeline.erase(email, self.agent, "asked for by letter")
            tickets = json.loads(bytes(entry.body))["tickets"]
            self.erased |= dict.fromkeys(tickets, entry.seq)
            self.words = {ticket: words for ticket, words in self.words.items() if ticket not in tickets}

    @rule(target=claims, worker=st.sampled_from(["one", "two"]))
    def worker_claims(self, worker: str) -> MultipleResults[Claim]:
        """A claim that no other rule takes up is a worker that died: nothing tells the database."""
        claim = pipeline.claim(worker, self.model)
        return multiple(claim) if claim else multiple()

    @rule(claim=claims)
    def worker_settles(self, claim: Claim) -> None:
        """The claim stays in its bundle: a worker may come back long after its lease, or settle twice."""
        pipeline.settle_claim(claim, score.score(claim), self.model, "test")

    @rule(claim=claims)
    def scorer_fails(self, claim: Claim) -> None:
        pipeline.put_back(claim, ScoringFailed("out of memory"))

    @rule()
    def leases_end(self) -> None:
        end_leases()

    @rule()
    def deadlines_pass(self) -> None:
        pass_deadlines()

    @rule()
    def sweep(self) -> None:
        pipeline.fall_back()
        pipeline.give_up()

    @rule(ticket=tickets, queue=QUEUES)
    def agent_overrides(self, ticket: int, queue: Queue) -> None:
        self._say(ticket, lambda: pipeline.override(ticket, queue, self.agent, "I know better"))

    @rule(ticket=tickets)
    def agent_confirms(self, ticket: int) -> None:
        self._say(ticket, lambda: pipeline.confirm(ticket, self.agent))

    @rule(ticket=tickets)
    def agent_undoes(self, ticket: int) -> None:
        with self._refused_where_erased(ticket), contextlib.suppress(ReviewRefused):
            pipeline.undo(ticket, self.agent)
            self.words[ticket].pop()

    @rule(ticket=tickets)
    def agent_asks_why(self, ticket: int) -> None:
        with self._refused_where_erased(ticket), contextlib.suppress(ReviewRefused):
            pipeline.ask_for_explanation(ticket, self.agent)

    @rule()
    def worker_explains(self) -> None:
        pipeline.explain_one("one", self.model)

    @rule(threshold=st.integers(0, 1_000_000))
    def ops_activate(self, threshold: int) -> None:
        draft = pipeline.draft_policy(like(ActivePolicy.current()) | {"threshold": threshold}, self.agent, "tuning")
        pipeline.activate_policy(draft, self.agent, "tuning")

    @rule()
    def ops_roll_back(self) -> None:
        first = Policy.objects.order_by("number").first()
        assert first is not None
        if ActivePolicy.current() != first:
            pipeline.activate_policy(first, self.agent, "back")

    @invariant()
    def no_automatic_decision_is_made_twice(self) -> None:
        made = list(
            Decision.objects.filter(kind__in=AUTOMATIC).values_list(
                "ticket_id", "input_version", "policy_number", "cause"
            )
        )
        assert len(made) == len(set(made))
        by_model = [(ticket, version) for ticket, version, _, cause in made if cause in ("new", "message", "late")]
        assert len(by_model) == len(set(by_model)), "two model scores for one version of a text"

    @invariant()
    def what_is_explained_is_a_score_of_the_model(self) -> None:
        entries = Entry.objects.filter(kind=Kind.EXPLAINED).values_list("body", flat=True)
        for explained in (json.loads(bytes(body))["explains"] for body in entries):
            assert Decision.objects.get(pk=explained).kind in (Kind.SCORED, Kind.RESCORED)

    @invariant()
    def urgent_is_what_scores_above_the_threshold_of_its_time(self) -> None:
        for decision in Decision.objects.filter(kind__in=AUTOMATIC):
            assert (decision.verdict == Queue.URGENT) == ((decision.score or 0) > (decision.threshold or 0))

    @invariant()
    def a_persons_word_is_last(self) -> None:
        for ticket, words in self.words.items():
            if words:
                found = Ticket.objects.get(pk=ticket)
                assert (found.queue, found.decided_by) == (words[-1], "person")

    @invariant()
    def nothing_is_lost(self) -> None:
        undecided = Ticket.objects.filter(queue="").values_list("pk", flat=True)
        assert set(undecided) <= set(Waiting.objects.values_list("pk", flat=True))

    @invariant()
    def nothing_is_left_of_who_was_erased(self) -> None:
        for model, field in (
            (Ticket, "pk"),
            (Input, "ticket"),
            (Message, "ticket"),
            (Waiting, "pk"),
            (Label, "ticket"),
        ):
            assert not model._base_manager.filter(**{f"{field}__in": self.erased}).exists(), model
        assert not Job.objects.filter(subject__in=self._decisions_of_erased()).exists()

    @invariant()
    def nothing_is_decided_about_who_was_erased(self) -> None:
        for decision in Decision.objects.filter(ticket_id__in=self.erased):
            assert decision.seq < self.erased[decision.ticket_id]

    @invariant()
    def the_chain_holds(self) -> None:
        assert verify().fault is None

    def teardown(self) -> None:
        try:
            self._workers_catch_up()
            self._every_latest_version_is_decided()
            self._every_score_is_of_the_text_it_names()
        finally:
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    def _workers_catch_up(self) -> None:
        for _ in range(40):
            end_leases()
            pipeline.score_waiting("test", SOON)
            pipeline.fall_back()
            pipeline.give_up()
            if not Waiting.objects.exists():
                return
        raise AssertionError("something waits for ever")

    def _every_latest_version_is_decided(self) -> None:
        for ticket in Ticket.objects.all():
            versions = Decision.objects.filter(
                ticket_id=ticket.pk, kind__in=AUTOMATIC, input_version=ticket.input_version
            )
            assert versions.exists(), f"version {ticket.input_version} of ticket {ticket.pk} was never decided"
        self.the_chain_holds()

    def _every_score_is_of_the_text_it_names(self) -> None:
        texts = {(text.ticket_id, text.version): text.text for text in Input.objects.all()}
        margins = {text: score.scorer().score([Request(text)])[0].margin for text in set(texts.values())}
        scored = Decision.objects.filter(kind__in=(Kind.SCORED, Kind.RESCORED)).exclude(ticket_id__in=self.erased)
        for decision in scored.select_related("entry"):
            margin = json.loads(bytes(decision.entry.body))["margin"] / 1_000_000
            assert margin == pytest.approx(margins[texts[decision.ticket_id, decision.input_version]], abs=1e-3)

    def _say(self, ticket: int, review: Callable[[], Entry]) -> None:
        with self._refused_where_erased(ticket), contextlib.suppress(ReviewRefused):
            entry = review()
            self.words.setdefault(ticket, []).append(Decision.objects.get(pk=entry.seq).queue)

    @contextlib.contextmanager
    def _refused_where_erased(self, ticket: int) -> Iterator[None]:
        """What is done in it is refused exactly where the ticket's person was erased."""
        if ticket in self.erased:
            with pytest.raises(Ticket.DoesNotExist):
                yield
        else:
            yield

    def _decisions_of_erased(self) -> list[str]:
        decisions = Decision.objects.filter(ticket_id__in=self.erased).values_list("pk", flat=True)
        return [f"decision:{seq}" for seq in decisions]


@pytest.mark.django_db
def test_any_order_of_events_keeps_the_promises() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Flow,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
