"""From labels to a calibration: which labels count, what is refused, what is stored."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from scoring.calibration import UNCALIBRATED
from tests.factories import CALM, URGENT, acting, decide_by, person, scored, submitted
from tickets import pipeline
from tickets.flow.score import scorer
from tickets.models import ActivePolicy, Calibration, Entry, Kind, Label, Queue, RegisteredModel
from tickets.policy.calibrating import (
    CannotCalibrate,
    Labelled,
    Method,
    calibrate,
    data_digest,
    labelled_by_people,
)
from tickets.policy.labels import learned_by
from tickets.policy.versions import CalibrationOfAnotherModel, is_carried, like

pytestmark = pytest.mark.django_db
BY = pipeline.Actor("test")


def drawn(number: int, seed: int = 1) -> list[Labelled]:
    """An overconfident model: its margins are three times too large."""
    chance = random.Random(seed)
    margins = [chance.gauss(0, 2) for _ in range(number)]
    return [Labelled(3 * one, chance.random() < UNCALIBRATED.probability(one)) for one in margins]


def active_model() -> RegisteredModel:
    return ActivePolicy.current().model


class TestLabels:
    def test_what_people_confirmed_and_overrode_counts_once_a_ticket_by_their_last_word(self) -> None:
        agent = acting(person("agent"))
        confirmed, moved = scored(URGENT), scored(CALM)
        pipeline.confirm(confirmed.pk, agent)
        pipeline.override(moved.pk, Queue.URGENT, agent, "on fire")
        pipeline.override(moved.pk, Queue.STANDARD, agent, "was not")
        found = labelled_by_people(active_model())
        assert sorted(one.urgent for one in found) == [False, True]
        assert {one.margin > 0 for one in found if one.urgent} == {True}

    def test_a_word_taken_back_is_no_label(self) -> None:
        agent, ticket = acting(person("agent")), scored(URGENT)
        pipeline.confirm(ticket.pk, agent)
        pipeline.undo(ticket.pk, agent)
        assert labelled_by_people(active_model()) == []

    def test_a_programs_word_is_no_label_and_takes_no_persons_place(self) -> None:
        confirmed, program = scored(URGENT), pipeline.Actor("key:1")
        pipeline.confirm(confirmed.pk, acting(person("agent")))
        pipeline.override(confirmed.pk, Queue.STANDARD, program, "by its rules")
        pipeline.confirm(scored(URGENT).pk, program)
        assert [one.urgent for one in labelled_by_people(active_model())] == [True]

    def test_labels_that_the_model_learned_from_say_nothing_about_it(self) -> None:
        agent, learned = acting(person("agent")), scored(URGENT)
        pipeline.confirm(learned.pk, agent)
        model = active_model()
        model.learned_until = Label.objects.get().at
        pipeline.confirm(scored(CALM).pk, agent)
        assert [one.urgent for one in labelled_by_people(model)] == [False]

    def test_a_ticket_that_it_learned_from_stays_known_to_it_when_labelled_again_or_taken_back(self) -> None:
        first, second = acting(person("agent")), acting(person("ops"))
        again, taken_back = scored(URGENT), scored(CALM)
        for ticket in (again, taken_back):
            pipeline.confirm(ticket.pk, first)
        model = active_model()
        model.learned_until = Label.objects.latest("at").at
        pipeline.confirm(again.pk, second)
        pipeline.undo(taken_back.pk, first)
        pipeline.confirm(taken_back.pk, second)
        assert labelled_by_people(model) == []
        assert {label.ticket_id for label in learned_by(model)} == {again.pk, taken_back.pk}

    def test_a_label_of_an_older_text_says_nothing_about_the_newer_one(self) -> None:
        ticket = scored(CALM)
        pipeline.add_message(ticket.pk, URGENT)
        pipeline.confirm(ticket.pk, acting(person("agent")))
        assert labelled_by_people(active_model()) == []

    def test_another_models_margins_are_not_used(self) -> None:
        pipeline.confirm(scored(URGENT).pk, acting(person("agent")))
        same_name = RegisteredModel.objects.create(name=active_model().name, digest="1" * 64)
        assert labelled_by_people(same_name) == []

    def test_a_ticket_that_no_model_has_scored_gives_none(self) -> None:
        submitted(URGENT)
        assert labelled_by_people(active_model()) == []


class TestFitting:
    @pytest.mark.parametrize("method", Method)
    def test_it_makes_probabilities_hold_and_shows_by_how_much(self, method: Method) -> None:
        row, is_new = pipeline.calibrate(drawn(2_000), active_model(), method, BY)
        assert is_new
        for name in ("ece", "brier", "log_loss"):
            assert row.figures["after"][name] < row.figures["before"][name]
        assert row.figures["after"]["ece"] < 0.05
        assert Calibration.objects.get(pk=row.pk).values.probability(3.0) == pytest.approx(
            UNCALIBRATED.probability(1.0), abs=0.06
        )

    def test_before_is_the_calibration_in_use_and_not_none_at_all(self) -> None:
        found = drawn(2_000)
        first, _ = pipeline.calibrate(found[:1_000], active_model(), Method.PLATT, BY)
        decide_by(calibration=first)
        second, _ = pipeline.calibrate(found[1_000:], active_model(), Method.PLATT, BY)
        assert second.figures["before"]["brier"] == pytest.approx(second.figures["after"]["brier"], abs=0.005)
        assert second.figures["before"]["brier"] < first.figures["before"]["brier"] - 0.005

    def test_a_map_is_not_praised_for_following_the_chance_of_its_own_labels(self) -> None:
        """Margins that are right as they are: whatever is fitted to 200 of them is worse, and on the whole shown so."""
        model, gains = RegisteredModel(name="m", digest="0" * 64), []
        for seed in range(20):
            right = [Labelled(one.margin / 3, one.urgent) for one in drawn(200, seed)]
            shown = calibrate(right, model, Method.ISOTONIC).figures
            gains.append(shown["before"]["brier"] - shown["after"]["brier"])
        assert sum(gains) < 0
        assert sum(gain > 0 for gain in gains) < 10

    @pytest.mark.parametrize(
        ("found", "says"),
        [
            ([], "0 labels"),
            (drawn(19), "19 labels"),
            ([Labelled(1.0 + n, True) for n in range(40)], "of each queue"),
        ],
    )
    def test_too_few_labels_are_refused_with_what_it_takes(self, found: list[Labelled], says: str) -> None:
        with pytest.raises(CannotCalibrate, match=says):
            pipeline.calibrate(found, active_model(), Method.PLATT, BY)
        assert not Calibration.objects.exclude(data_digest="").exists()

    @pytest.mark.parametrize("method", Method)
    def test_a_model_that_says_the_contrary_is_not_made_a_probability(self, method: Method) -> None:
        contrary = [Labelled(-one.margin, one.urgent) for one in drawn(400)]
        with pytest.raises(CannotCalibrate, match="no higher"):
            pipeline.calibrate(contrary, active_model(), method, BY)
        assert not Calibration.objects.exclude(data_digest="").exists()

    def test_the_command_says_so_where_the_model_says_the_same_of_every_ticket(self, tmp_path: Path) -> None:
        alike = tmp_path / "alike.jsonl"
        rows = ({"subject": "", "body": "x", "urgent": number % 2 == 0} for number in range(40))
        alike.write_text("\n".join(map(json.dumps, rows)))
        with pytest.raises(CommandError, match="not all alike"):
            call_command("calibrate", str(alike))

    def test_a_free_form_map_takes_more_labels_than_a_sigmoid(self) -> None:
        with pytest.raises(CannotCalibrate, match="200"):
            pipeline.calibrate(drawn(100), active_model(), Method.ISOTONIC, BY)

    def test_the_same_labels_give_the_same_version_once(self) -> None:
        found = drawn(100)
        first, _ = pipeline.calibrate(found, active_model(), Method.PLATT, BY)
        again, is_new = pipeline.calibrate(found[::-1], active_model(), Method.PLATT, BY)
        assert (again.pk, is_new) == (first.pk, False)
        assert data_digest(found) != data_digest(found[1:])

    def test_the_order_of_the_labels_changes_no_figure_though_margins_are_alike(self) -> None:
        model = RegisteredModel(name="m", digest="0" * 64)
        found = [Labelled(round(one.margin), one.urgent) for one in drawn(300)]
        ways = [calibrate(order, model, Method.PLATT).figures for order in (found, found[::-1])]
        assert ways[0] == ways[1]

    def test_the_log_holds_the_map_its_data_and_its_figures(self) -> None:
        row, _ = pipeline.calibrate(drawn(300), active_model(), Method.ISOTONIC, BY)
        entry = Entry.objects.filter(kind=Kind.CALIBRATION_ADDED).order_by("-seq")[0]
        body = json.loads(bytes(entry.body))
        assert body["knots"] == row.knots_millionths
        assert body["data_digest"] == row.data_digest
        assert body["figures"]["labels"] == 300
        assert body["figures"]["after"]["ece"] == round(row.figures["after"]["ece"] * 1_000_000)


class TestDeciding:
    @pytest.mark.parametrize("method", Method)
    def test_a_policy_with_it_decides_by_it_and_the_log_alone_tells_how(self, method: Method) -> None:
        row, _ = pipeline.calibrate(drawn(500), active_model(), method, BY)
        policy = pipeline.draft_policy(like(ActivePolicy.current()) | {"calibration": row}, BY, "calibrated")
        pipeline.activate_policy(policy, BY, "calibrated")
        body = json.loads(bytes(Entry.objects.get(pk=scored(URGENT).decision_id).body))
        assert body["calibration"]["version"] == row.version
        assert body["score"] == round(1_000_000 * row.values.probability(body["margin"] / 1_000_000))

    def test_a_policy_cannot_name_another_models_calibration(self) -> None:
        other = RegisteredModel.objects.create(name="other", digest="2" * 64)
        row, _ = pipeline.calibrate(drawn(100), other, Method.PLATT, BY)
        with pytest.raises(CalibrationOfAnotherModel, match="other"):
            pipeline.draft_policy(like(ActivePolicy.current()) | {"calibration": row}, BY, "mixed up")

    def test_a_calibration_alone_changes_no_decision(self) -> None:
        before = ActivePolicy.current()
        pipeline.calibrate(drawn(100), active_model(), Method.PLATT, BY)
        assert ActivePolicy.current() == before
        assert is_carried(before, scorer().model)
