"""What the suites and labelled tickets say of a policy's model, how it is kept, and how it is drawn."""

from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.measures import auc
from scoring.suites.texts import texts
from tests.factories import decide_by
from tickets import pipeline
from tickets.audit.verify import verify
from tickets.flow.canonical import figures_digest, without_floats
from tickets.flow.score import scorer
from tickets.models import ActivePolicy, Entry, Evaluation, Kind
from tickets.policy.evaluating import Case, data_digest
from tickets.policy.measured import Measured
from tickets.policy.plots import SIDE, histogram, precision_and_recall, roc
from tickets.policy.suites import measure_suites

BY = pipeline.Actor("test")
SCORED = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def suites() -> Measured:
    return measure_suites(ActivePolicy.current(), scorer())


def small(source: str) -> Measured:
    return Measured(source, "0" * 64, ActivePolicy.current(), {"tickets": 1, "auc": 0.5}, {"tickets": 1, "auc": 0.5})


def body_of(kept: Evaluation) -> dict[str, object]:
    return dict(json.loads(bytes(Entry.objects.get(pk=kept.seq).body)))


@pytest.mark.django_db
class TestSuites:
    def test_they_are_decided_by_the_policys_own_threshold_and_by_the_rules_on_the_same_texts(self) -> None:
        decide_by(threshold=0)
        found = suites().figures
        shares = found["shares"]
        assert shares["calm_emergencies_right"]["share"][0] == 1
        assert shares["fake_urgency_right"]["share"][0] == 0
        for name, share in found["rules"]["shares"].items():
            if "obeyed" not in name:
                assert share["of"] == shares[name]["of"]
        assert sum(found["texts"].values()) == len(texts())


@pytest.mark.django_db
class TestKept:
    def test_it_is_a_row_of_the_model_and_an_entry_that_names_model_data_and_policy(self) -> None:
        policy = ActivePolicy.current()
        kept = pipeline.record_evaluation(small("suites"), BY)
        body = body_of(kept)
        assert (kept.model, kept.source, kept.data_digest) == (policy.model, "suites", "0" * 64)
        assert (body["kind"], body["source"], body["data_digest"]) == (Kind.EVALUATED, "suites", "0" * 64)
        assert body["model"] == {"name": policy.model.name, "digest": policy.model.digest}
        assert (body["policy"], body["threshold"]) == (policy.number, policy.threshold)

    def test_the_log_has_its_main_figures_in_millionths_and_the_digest_of_all(self) -> None:
        kept = pipeline.record_evaluation(suites(), BY)
        body = body_of(kept)
        share = kept.figures["shares"]["calm_emergencies_right"]
        logged = body["figures"]["shares"]["calm_emergencies_right"]  # type: ignore[index]
        assert logged == share | {"share": [round(value * 1_000_000) for value in share["share"]]}
        stored = Evaluation.objects.get(pk=kept.pk).figures
        assert body["figures_digest"] == figures_digest(stored)
        assert figures_digest(stored | {"threshold": 0.123}) != body["figures_digest"]

    def test_the_log_verifies_afterwards(self) -> None:
        pipeline.record_evaluation(small("labels"), BY)
        assert verify().fault is None

    def test_each_measurement_is_kept_beside_those_before(self) -> None:
        first, second = (pipeline.record_evaluation(small("labels"), BY) for _ in range(2))
        assert second.seq > first.seq
        assert Evaluation.objects.filter(source="labels").count() == 2

    def test_what_a_file_was_called_stays_beside_the_log(self) -> None:
        kept = pipeline.record_evaluation(small("anna.jsonl"), BY)
        assert kept.source == "anna.jsonl"
        assert body_of(kept)["source"] == "file"
        assert b"anna" not in bytes(Entry.objects.get(pk=kept.seq).body)


class TestDigests:
    def test_the_digest_of_labelled_tickets_sees_texts_and_labels_but_no_order(self) -> None:
        cases = [Case("one", urgent=True), Case("two", urgent=False)]
        assert data_digest(cases) == data_digest(cases[::-1])
        assert data_digest(cases) != data_digest([Case("one", urgent=False), Case("two", urgent=False)])

    def test_an_input_counts_by_the_digest_that_its_nonce_protects(self) -> None:
        protected = Case("one", urgent=True, digest="a" * 64)
        assert data_digest([protected]) != data_digest([Case("one", urgent=True)])

    def test_millionths_take_the_place_of_fractions_alone(self) -> None:
        assert without_floats({"a": 0.25, "b": [1, -0.5], "c": "x", "d": (2.0,)}) == {
            "a": 250_000,
            "b": [1, -500_000],
            "c": "x",
            "d": [2_000_000],
        }


class TestPlots:
    @given(SCORED)
    def test_the_roc_curve_never_falls_and_the_area_below_it_is_the_auc(self, rows: list[tuple[float, bool]]) -> None:
        scores, labels = [score for score, _ in rows], [label for _, label in rows]
        points = roc(scores, labels)
        assert (points[0], points[-1]) == ((0, 0), (1, 1))
        assert all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(points))
        if 0 < sum(labels) < len(labels):
            area = sum((other[0] - one[0]) * (one[1] + other[1]) / 2 for one, other in pairwise(points))
            assert area == pytest.approx(auc(scores, labels))

    def test_a_curve_of_many_tickets_is_thinned_and_keeps_its_ends(self) -> None:
        chance = random.Random(1)
        scores = [chance.random() for _ in range(5_000)]
        points = roc(scores, [chance.random() < score for score in scores])
        assert len(points) <= 301
        assert (points[0], points[-1]) == ((0, 0), (1, 1))

    @given(SCORED)
    def test_recall_never_rises_with_the_threshold_and_starts_at_everything(
        self, rows: list[tuple[float, bool]]
    ) -> None:
        scores, labels = [max(score, 1e-6) for score, _ in rows], [label for _, label in rows]
        precision, recall = precision_and_recall(scores, labels)
        assert all(one[1] >= other[1] for one, other in pairwise(recall))
        assert recall[0][1] == bool(sum(labels))
        assert precision[0][1] == pytest.approx(sum(labels) / len(labels))
        assert recall[-1] == (1.0, 0.0)

    @given(SCORED)
    def test_every_ticket_is_in_one_bar_and_the_tallest_fills_its_half(self, rows: list[tuple[float, bool]]) -> None:
        bars = histogram([score for score, _ in rows], [label for _, label in rows])
        assert sum(bar.urgent + bar.standard for bar in bars) == len(rows)
        assert sum(bar.urgent for bar in bars) == sum(label for _, label in rows)
        assert max(max(bar.urgent_height, bar.standard_height) for bar in bars) == SIDE / 2
