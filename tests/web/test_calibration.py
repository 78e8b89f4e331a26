"""Where a score is shown, it says whether it is a probability."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import api_key, decide_by, person, scored
from tests.web.test_pages import logged_in
from tickets.models import ActivePolicy, Calibration, Ticket

pytestmark = pytest.mark.django_db
PAGES = {"agent": ["/", "/tickets/{pk}/"], "auditor": ["/audit/", "/audit/decisions/{seq}/", "/tickets/{pk}/"]}
BOTH = [(role, path) for role, paths in PAGES.items() for path in paths]


def uncalibrated() -> None:
    decide_by(
        calibration=Calibration.objects.get_or_create(version="uncalibrated", defaults={"a_millionths": 1_000_000})[0]
    )


def shown(role: str, path: str, ticket: Ticket) -> str:
    return logged_in(person(role)).get(path.format(pk=ticket.pk, seq=ticket.decision_id)).content.decode()


@pytest.mark.parametrize(("role", "path"), BOTH)
def test_an_uncalibrated_score_says_so(role: str, path: str) -> None:
    uncalibrated()
    assert "ncalibrated" in shown(role, path, scored())


@pytest.mark.parametrize(("role", "path"), BOTH)
def test_a_calibrated_one_does_not(role: str, path: str) -> None:
    page = shown(role, path, scored()).replace("uncalibrated_", "")
    assert "ncalibrated" not in page


def test_the_api_tells_it_with_each_score() -> None:
    uncalibrated()
    ticket, client = scored(), Client(headers={"Authorization": f"Bearer {api_key()}"})
    assert client.get(f"/api/v1/tickets/{ticket.pk}/").json()["decision"]["calibration"] == "uncalibrated"
    listed = client.get(f"/api/v1/decisions/?ticket={ticket.pk}").json()["results"]
    assert {one["calibration"] for one in listed if one["kind"] == "scored"} == {"uncalibrated"}


def test_ops_choose_the_calibration_of_a_draft_among_those_of_the_model() -> None:
    ours = Calibration.objects.create(version="ours", model=ActivePolicy.current().model, a_millionths=500_000)
    client = logged_in(person("ops"))
    page = client.get("/ops/policies/").content.decode()
    assert "ours" in page
    form = {"threshold": "0.7", "review_band": "0.05", "calibration": ours.pk, "reason": "fitted on our labels"}
    client.post("/ops/policies/", form)
    assert "ours" in client.get("/ops/policies/2/").content.decode()


def test_an_agent_asks_for_the_sentences_and_sees_that_they_come() -> None:
    decide_by(review_band=0)
    ticket, client = scored(), logged_in(person("agent"))
    assert "Which sentences?" in client.get(f"/tickets/{ticket.pk}/").content.decode()
    page = client.post(f"/tickets/{ticket.pk}/explain/", follow=True).content.decode()
    assert "Asking the model" in page
    assert f'hx-get="/tickets/{ticket.pk}/sentences/"' in page


def test_an_auditor_cannot_ask_for_them() -> None:
    ticket, client = scored(), logged_in(person("auditor"))
    assert "Which sentences?" not in client.get(f"/tickets/{ticket.pk}/").content.decode()
    assert client.post(f"/tickets/{ticket.pk}/explain/").status_code == 403
