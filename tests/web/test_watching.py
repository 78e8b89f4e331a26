"""For programs that watch."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from tests.audit.tampering import tamper
from tests.factories import CALM, fallen_back, scored, submitted
from tickets import pipeline
from tickets.models.clock import microseconds

pytestmark = pytest.mark.django_db
PROXIED = {"X-Forwarded-For": "203.0.113.5"}


def metrics() -> dict[str, float]:
    text = Client().get("/metrics").content.decode()
    return {
        sample.name + str(dict(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_healthz_says_alive_and_asks_nobody(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        answer = Client().get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_readyz_names_each_dependency_to_this_machine() -> None:
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert {"database", "broker", "elasticsearch", "sweep", "score workers"} <= set(answer.json()["checks"])
    assert answer.json()["checks"]["score workers"] == "none able to score is alive"


def test_readyz_tells_strangers_no_details() -> None:
    assert Client(headers=PROXIED).get("/readyz").json() == {"ready": True}


def test_metrics_count_what_happened() -> None:
    fallen_back(2)
    submitted()
    before = metrics()
    assert before["triage_decided_total{'kind': 'fallback', 'queue': 'urgent'}"] == 2
    assert before["triage_waiting{'lane': 'live'}"] == 1
    assert before["triage_waiting{'lane': 'late'}"] == 2
    queue = scored(CALM).queue
    after = metrics()
    assert after[f"triage_decided_total{{'kind': 'scored', 'queue': '{queue}'}}"] >= 1
    assert after["triage_waiting{'lane': 'live'}"] == 0
    assert after["triage_batch_size_count{}"] > before["triage_batch_size_count{}"]
    assert after["triage_latency_seconds_count{'stage': 'score'}"] > 0
    assert after["triage_unshipped_entries{}"] > before["triage_unshipped_entries{}"]


def test_metrics_are_for_this_machine_or_for_who_has_the_token() -> None:
    stranger = Client(headers=PROXIED)
    with override_settings(METRICS_TOKEN="secret"):
        assert stranger.get("/metrics").status_code == 403
        assert stranger.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 403
        assert stranger.get("/metrics", headers={"Authorization": "Bearer secret"}).status_code == 200
    assert stranger.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403


def test_a_scrape_costs_as_many_queries_for_many_tickets_as_for_few(django_assert_max_num_queries: object) -> None:
    fallen_back(1)
    Client().get("/metrics")
    fallen_back(30)
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        Client().get("/metrics")


def test_readyz_says_when_the_log_has_waited_for_its_signature(tmp_path: Path, settings: Any) -> None:
    settings.LOG_KEY_FILE, settings.CHECKPOINTS_FILE = tmp_path / "key", tmp_path / "checkpoints.jsonl"
    pipeline.sign_log()
    scored()
    assert Client().get("/readyz").json()["checks"]["checkpoints"] == "ok"
    long_ago = microseconds(timezone.now() - timedelta(minutes=5))
    tamper("tickets_entry", f"UPDATE tickets_entry SET at = {long_ago}")
    assert "not_signed" in Client().get("/readyz").json()["checks"]["checkpoints"]
    pipeline.sign_log()
    assert Client().get("/readyz").json()["checks"]["checkpoints"] == "ok"
