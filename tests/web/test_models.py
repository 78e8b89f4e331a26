"""Models as ops and auditors see them: what is known of each version, and which command finds out more."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from scoring.compact import Compact
from scoring.suites.figures import Judged, figures
from scoring.suites.texts import digest, texts
from scoring.types import Model
from tests.factories import URGENT, acting, decide_by, person, scored
from tests.web.test_pages import logged_in, queries
from tickets import pipeline
from tickets.flow.score import scorer
from tickets.models import ActivePolicy, Calibration, Entry, Evaluation, Label, RegisteredModel
from tickets.policy.evaluating import judge, labelled_by_people, measured
from tickets.policy.held_out import JUDGED
from tickets.policy.measured import Measured
from tickets.web.models import PAGE

pytestmark = pytest.mark.django_db
BY = pipeline.Actor("test")


def active_model() -> RegisteredModel:
    return ActivePolicy.current().model


def label_one() -> None:
    pipeline.confirm(scored(URGENT).pk, acting(person("agent")))


def keep_labels(source: str = "labels") -> Evaluation:
    """Of one label at least."""
    if not Label.objects.exists():
        label_one()
    policy = ActivePolicy.current()
    outcomes = judge(labelled_by_people(policy.model), policy, scorer())
    return pipeline.record_evaluation(measured(source, outcomes, policy), BY)


@cache
def right_everywhere() -> dict[str, Any]:
    found = figures([Judged(one, one.urgent) for one in texts()])
    return found | {"rules": found}


def keep_suites() -> Evaluation:
    policy = ActivePolicy.current()
    found = right_everywhere() | {"policy": policy.number, "threshold": 0.7, "calibration": "none"}
    return pipeline.record_evaluation(Measured("suites", digest(texts()), policy, found, {}), BY)


def shown(path: str, role: str = "ops") -> str:
    return logged_in(person(role)).get(path).content.decode()


@pytest.mark.parametrize("role", ["ops", "auditor"])
def test_ops_and_auditors_see_each_model_with_who_names_it_and_its_latest_figures(role: str) -> None:
    calibration = Calibration.objects.create(version="ours-1", model=active_model(), a_millionths=500_000)
    number, labels, suites = decide_by(calibration=calibration).number, keep_labels(), keep_suites()
    page = shown("/ops/models/", role)
    assert active_model().digest[:12] in page
    assert f"{number}</a> (active)" in page or f"{number} (active)" in page
    for told in ("ours-1", "calm emergencies found urgent", "accuracy", f"/{labels.seq}/", f"/{suites.seq}/"):
        assert told in page


def test_of_a_model_that_was_trained_here_it_says_until_when() -> None:
    model = active_model()
    path = f"/ops/models/{model.pk}/"
    assert "labels given here until" not in shown(path)
    RegisteredModel.objects.filter(pk=model.pk).update(learned_until=datetime(2026, 11, 3, 9, 30, tzinfo=UTC))
    page = shown(path)
    assert "labels given here until" in page
    assert 'datetime="2026-11-03T09:30:00+00:00"' in page


def test_the_model_that_comes_with_the_product_shows_how_good_it_was_on_trades_it_did_not_know() -> None:
    card = Compact.card()
    page = shown(f"/ops/models/{active_model().pk}/")
    share, low, high = (f"{100 * number:.1f}" for number in card["figures"]["accuracy"])
    assert f"{share} % ({low} to {high})" in page
    assert f"judged on {card['figures']['tickets']:,} others" in page


def test_a_model_that_was_trained_here_shows_what_the_log_says_it_was_judged_by() -> None:
    figures = {"accuracy": [0.91, 0.84, 0.95], "auc": [0.95, 0.91, 0.97], "ece": [0.02, 0.01, 0.05]}
    part = {"labels": 480, "urgent": 120, "data_digest": "0" * 64}
    card = {
        "base": {"id": "compact-1", "digest": "1" * 64},
        "learned_from": part,
        "held_out": part | {"labels": 120},
        "figures": dict.fromkeys(JUDGED, figures) | {"present model": figures | {"behind": [0.031, -0.012, 0.074]}},
    }
    calibration = Calibration(version="ours-2", a_millionths=1_000_000, b_millionths=0)
    row, _, _ = pipeline.register_trained(Model("learned-1", "2" * 64), card, calibration, None, BY)
    page = shown(f"/ops/models/{row.pk}/")
    for told in (
        "480 labelled tickets",
        "120 others",
        "91.0 % (84.0 to 95.0)",
        "0.950 (0.910 to 0.970)",
        "+3.1 points (-1.2 to +7.4)",
    ):
        assert told in page
    assert f"/audit/decisions/{Entry.objects.get(subject=f'model:{row.pk}', kind='model_registered').seq}/" in page


def test_of_a_model_that_was_made_elsewhere_nothing_is_made_up() -> None:
    other = RegisteredModel.objects.create(name="elsewhere", digest="3" * 64)
    assert "When it was made" not in shown(f"/ops/models/{other.pk}/")


def test_an_agent_sees_none_of_it() -> None:
    client = logged_in(person("agent"))
    assert client.get("/ops/models/").status_code == 403
    assert client.get(f"/ops/models/{active_model().pk}/").status_code == 403
    assert "/ops/models/" not in client.get("/").content.decode()


def test_where_nothing_is_kept_the_page_says_which_command_to_run() -> None:
    for path in ("/ops/models/", f"/ops/models/{active_model().pk}/"):
        page = shown(path)
        assert "manage.py evaluate suites --store" in page
        assert "manage.py evaluate labels --store" in page


def test_a_calibration_is_told_with_what_was_in_use_then_and_the_one_in_use_now_is_marked() -> None:
    model, before = active_model(), ActivePolicy.current().calibration
    errors = {"ece": 0.11, "brier": 0.12, "log_loss": 0.13}
    found = {"labels": 40, "present": before.version, "before": errors, "after": {**errors, "ece": 0.01}}
    made = Calibration.objects.create(model=model, version="ours-1", figures=found)
    page = " ".join(shown(f"/ops/models/{model.pk}/").split())
    told = (
        f'<th scope="row" data-label="Version">{made.version}</th> <td data-label="In use then">{before.version}</td>'
    )
    assert told in page
    assert "0.11 → 0.01" in page
    assert f'{before.version} <span class="tag active">active</span>' in page


def test_a_policy_leads_to_its_model() -> None:
    assert f'href="/ops/models/{active_model().pk}/"' in shown(f"/ops/policies/{ActivePolicy.current().number}/")


def test_figures_hold_since_the_same_data_were_first_judged_under_the_same_policy() -> None:
    first, again = keep_labels(), keep_labels()
    decide_by(threshold=500_000)
    moved = keep_labels()
    label_one()
    other_data = keep_labels()
    times = [one.at.isoformat() for one in (first, again, moved, other_data)]
    page = shown(f"/ops/models/{moved.model_id}/")
    assert [page.count(f'datetime="{at}"') for at in times] == [3, 1, 2, 2]


def test_the_page_of_a_model_shows_all_that_is_kept_latest_first_page_by_page() -> None:
    kept = [keep_labels() for _ in range(PAGE + 1)]
    path = f"/ops/models/{kept[0].model_id}/"
    page = shown(path)
    places = [page.index(f"/audit/decisions/{one.seq}/") for one in reversed(kept[1:])]
    assert places == sorted(places)
    assert f"/audit/decisions/{kept[0].seq}/" not in page
    assert f"?before={kept[1].seq}" in page
    assert f"/audit/decisions/{kept[0].seq}/" in shown(f"{path}?before={kept[1].seq}")


def test_evaluations_of_another_version_are_not_mixed_in() -> None:
    other = RegisteredModel.objects.create(name=active_model().name, digest="0" * 64)
    kept = keep_labels()
    assert f"/audit/decisions/{kept.seq}/" not in shown(f"/ops/models/{other.pk}/")


@pytest.mark.parametrize("before", ["x", "-1", "1e9", "9" * 30, "²"])
def test_a_page_that_cannot_be_meant_is_a_400(before: str) -> None:
    client = logged_in(person("ops"))
    assert client.get(f"/ops/models/{active_model().pk}/", {"before": before}).status_code == 400


@pytest.mark.parametrize("pk", [999_999, 2**63, 10**40])
def test_a_model_that_is_not_there_is_a_404(pk: int) -> None:
    assert logged_in(person("ops")).get(f"/ops/models/{pk}/").status_code == 404


def test_what_a_file_was_called_is_shown_escaped() -> None:
    keep_labels("<script>alert(1)</script>")
    page = shown("/ops/models/")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_both_pages_need_as_many_queries_for_much_as_for_little() -> None:
    client = logged_in(person("ops"))
    kept, paths = keep_labels(), ["/ops/models/", f"/ops/models/{active_model().pk}/"]
    client.get("/ops/models/")
    few = [queries(client, path) for path in paths]
    for number in range(5):
        model = RegisteredModel.objects.create(name=f"other-{number}", digest=f"{number}" * 64)
        decide_by(threshold=100_000 + number)
        Calibration.objects.create(version=f"more-{number}", model=model)
        Calibration.objects.create(version=f"ours-{number}", model=kept.model)
        label_one()
        keep_labels()
    keep_suites()
    assert [queries(client, path) for path in paths] == few
