"""Workers killed, brokers and search engines stopped, on PostgreSQL under load: every ticket is decided once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from tests.factories import CALM, URGENT
from tests.installation import Installation, eventually, services
from tickets.wake import MOST_KNOCKS

pytestmark = pytest.mark.real
BATCH, ROUNDS = 100, 12
MODEL_DECIDED = "tickets_decision WHERE kind IN ('scored', 'rescored')"


@pytest.fixture
def site(real_installation: Installation) -> Iterator[Installation]:
    """Everything runs; `key` writes tickets."""
    real_installation.manage("setup_elasticsearch")
    for kind in ("web", "sweep", "housekeeping", "worker"):
        real_installation.start(kind)
    return real_installation


@pytest.fixture
def key(site: Installation) -> str:
    return site.manage("api_key", "load", "--scope", "tickets:write")


def submit(site: Installation, key: str, number: int = BATCH) -> None:
    tickets = [
        {
            "subject": f"Ticket {n}",
            "body": f"{n} {random.choice([URGENT, CALM])}",
            "requester": {"email": f"{n}@example.com"},
        }
        for n in range(number)
    ]
    answer = site.post("/api/v1/tickets/bulk/", tickets, key)
    assert answer.status == 200, answer.text
    assert {line["status"] for line in answer.json()} == {202}


def is_settled(site: Installation) -> bool:
    return site.count("tickets_waiting") == 0 and site.count("tickets_ticket WHERE queue = ''") == 0


def assert_each_decided_once_by_the_model(site: Installation) -> None:
    assert site.query(f"SELECT max(n) FROM (SELECT count(*) AS n FROM {MODEL_DECIDED} GROUP BY ticket_id) AS each") == [
        (1,)
    ]
    assert site.count(MODEL_DECIDED) == site.count("tickets_ticket")
    assert "verified" in site.manage("verify_log")


def test_a_worker_killed_again_and_again_loses_nothing_and_decides_nothing_twice(site: Installation, key: str) -> None:
    for number in range(4):
        submit(site, key)
        before = site.count(MODEL_DECIDED)
        eventually(lambda seen=before: site.count(MODEL_DECIDED) > seen, "some tickets are decided", every=0.02)
        site.kill("worker")
        assert site.count("tickets_waiting") > 0, f"round {number}: the worker was done before it was killed"
        site.start("worker")
    eventually(lambda: is_settled(site), "every ticket is decided")
    assert_each_decided_once_by_the_model(site)


def test_two_workers_at_once_share_the_work_and_decide_nothing_twice(site: Installation, key: str) -> None:
    site.start("worker", "second")
    eventually(lambda: site.count("tickets_process WHERE kind = 'worker'") == 2, "both workers are known")
    for _ in range(4):
        submit(site, key)
    eventually(lambda: is_settled(site), "every ticket is decided")
    assert_each_decided_once_by_the_model(site)
    actors = {actor for (actor,) in site.query(f"SELECT DISTINCT actor FROM {MODEL_DECIDED}")}
    assert actors == {"worker:worker", "worker:second"}


def test_without_redis_tickets_are_accepted_and_decided_by_the_deadline(real_installation: Installation) -> None:
    """The sweep needs the database alone; when Redis is back the model's scores follow."""
    site = real_installation
    site.environment["DEADLINE_SECONDS"] = "3"
    for kind in ("web", "sweep", "worker"):
        site.start(kind)
    key = site.manage("api_key", "load", "--scope", "tickets:write")
    submit(site, key, 20)
    services("stop", "redis")
    try:
        submit(site, key, 20)
        eventually(lambda: site.count("tickets_ticket WHERE queue = ''") == 0, "all are decided without Redis")
        assert site.get("/healthz").status == 200
    finally:
        services("start", "redis")
    eventually(lambda: is_settled(site), "the model's scores follow")
    assert_each_decided_once_by_the_model(site)


def test_knocks_that_nobody_hears_do_not_pile_up_in_redis(real_installation: Installation) -> None:
    real_installation.shell("from tickets import wake; [wake.send(wake.SCORE) for _ in range(250)]")
    with Redis.from_url(real_installation.environment["BROKER_URL"]) as broker:
        assert 0 < broker.llen("score") <= MOST_KNOCKS


def test_without_elasticsearch_tickets_are_decided_and_the_copy_catches_up(site: Installation, key: str) -> None:
    submit(site, key)
    services("stop", "elasticsearch")
    try:
        submit(site, key)
        eventually(lambda: is_settled(site), "all are decided without Elasticsearch")
        behind = site.query("SELECT h.seq - s.shipped_through FROM tickets_loghead h, tickets_shipping s")[0][0]
        assert behind >= BATCH
    finally:
        services("start", "elasticsearch")
    eventually(lambda: _unshipped(site) == 0, "the copy catches up")
    assert site.count("tickets_shippingfailure") == 0
    assert _copied(site) == site.count("tickets_entry")


def test_a_worker_that_is_told_to_stop_finishes_its_batch(site: Installation, key: str) -> None:
    import signal

    submit(site, key)
    site.kill("worker", signal.SIGTERM)
    assert site.count("tickets_waiting WHERE claim <> 0") == 0, "a claim is left behind"


def _unshipped(site: Installation) -> int:
    return int(site.query("SELECT h.seq - s.shipped_through FROM tickets_loghead h, tickets_shipping s")[0][0])


def _copied(site: Installation) -> int:
    from elasticsearch import Elasticsearch

    with Elasticsearch(site.environment["ELASTICSEARCH_ADMIN_URL"]) as admin:
        admin.indices.refresh(index="triage-decisions")
        return int(admin.count(index="triage-decisions")["count"])


def test_the_same_tickets_sent_at_once_in_opposite_orders_are_each_stored_once(real_installation: Installation) -> None:
    """PostgreSQL ends one side of a deadlock; its request is run again instead of failing."""
    site = real_installation
    site.start("web")
    key = site.manage("api_key", "load", "--scope", "tickets:write")
    for number in range(ROUNDS):
        tickets = [
            {"subject": "Lamp", "body": "x", "requester": {"email": "lea@example.com"}, "external_id": f"{number}-{n}"}
            for n in range(900)
        ]
        with ThreadPoolExecutor(2) as pool:
            sent = [pool.submit(site.post, "/api/v1/tickets/bulk/", rows, key) for rows in (tickets, tickets[::-1])]
            assert [one.result().status for one in sent] == [200, 200]
    assert site.count("tickets_ticket") == ROUNDS * 900
