"""The embedded default, and scorers that misbehave: a live ticket is decided by its deadline whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories import CALM, URGENT
from tests.installation import Installation, embedded, eventually
from tickets.wake import MOST_KNOCKS

DEADLINE = {"DEADLINE_SECONDS": "4", "LEASE_SECONDS": "2", "HARD_LIMIT_SECONDS": "2"}


def submit(site: Installation, body: str = URGENT) -> int:
    key = site.manage("api_key", "test", "--scope", "tickets:write")
    ticket = {"subject": "Help", "body": body, "requester": {"email": "lea@example.com"}}
    answer = site.post("/api/v1/tickets/", ticket, key)
    assert answer.status == 202, answer.text
    return int(answer.json()["id"])


def kinds(site: Installation, ticket: int) -> list[str]:
    return [
        kind for (kind,) in site.query(f"SELECT kind FROM tickets_decision WHERE ticket_id = {ticket} ORDER BY seq")
    ]


def start_all(site: Installation) -> None:
    for kind in ("web", "worker", "housekeeping", "sweep"):
        site.start(kind)


def test_a_ticket_enters_is_scored_and_stands_in_the_log(embedded_installation: Installation) -> None:
    site = embedded_installation
    start_all(site)
    ticket = submit(site)
    eventually(lambda: kinds(site, ticket) == ["scored"], "the compact model scores it")
    key = site.manage("api_key", "reader", "--scope", "tickets:read")
    shown = site.get(f"/api/v1/tickets/{ticket}/", key).json()
    decision = shown["decision"]
    assert shown["state"] == "decided"
    assert (shown["queue"] == "urgent") == (decision["score"] > decision["threshold"])
    assert decision["model"].startswith("compact")
    assert decision["evidence"]
    assert "verified" in site.manage("verify_log")


def test_after_everything_was_killed_it_takes_up_where_it_was(embedded_installation: Installation) -> None:
    site = embedded_installation
    start_all(site)
    eventually(lambda: site.count("tickets_process WHERE kind = 'worker'") == 1, "the worker lives")
    site.kill("worker")
    first = submit(site)
    for name in ("web", "housekeeping", "sweep"):
        site.kill(name)
    start_all(site)
    second = submit(site, CALM)
    eventually(lambda: kinds(site, first) == kinds(site, second) == ["scored"], "both are scored")
    assert "verified" in site.manage("verify_log")


@pytest.mark.parametrize("scorer", ["Raising", "Hanging", "Nonsense", "Short"])
def test_a_scorer_that_misbehaves_leaves_no_ticket_undecided(tmp_path: Path, scorer: str) -> None:
    with embedded(tmp_path / "site", SCORER=f"tests.faults.scorers.{scorer}", **DEADLINE) as site:
        start_all(site)
        ticket = submit(site)
        eventually(lambda: kinds(site, ticket) == ["fallback"], "the keyword rules decide")
        assert site.query(f"SELECT queue, needs_check FROM tickets_ticket WHERE id = {ticket}") == [("urgent", 1)]
        assert "verified" in site.manage("verify_log")


def test_a_text_that_crashes_the_model_holds_up_no_other(tmp_path: Path) -> None:
    with embedded(tmp_path / "site", SCORER="tests.faults.scorers.Crashing", **DEADLINE) as site:
        start_all(site)
        bad, good = submit(site, "crash the driver"), submit(site, CALM)
        eventually(lambda: kinds(site, bad)[:1] == ["fallback"], "the keyword rules decide what crashes the model")
        eventually(lambda: kinds(site, good)[-1:] in (["scored"], ["rescored"]), "the other is scored")


def test_with_no_worker_at_all_live_tickets_are_decided_and_imports_wait(tmp_path: Path) -> None:
    with embedded(tmp_path / "site", DEADLINE_SECONDS="1") as site:
        site.start("web")
        site.start("sweep")
        rows = tmp_path / "rows.csv"
        rows.write_text("subject,body,email\nOld,From last year,lea@example.com\n")
        site.manage("import_tickets", str(rows))
        live = submit(site)
        eventually(lambda: kinds(site, live) == ["fallback"], "the live ticket is decided")
        assert site.query("SELECT source FROM tickets_ticket WHERE queue = ''") == [("import",)]


def test_a_worker_with_another_model_than_the_policy_names_claims_nothing_and_says_so(tmp_path: Path) -> None:
    with embedded(tmp_path / "site") as site:
        site.start("web")
        site.start("worker", SCORER="scoring.keyword.Keyword")
        ticket = submit(site)
        eventually(lambda: "carries keyword-1" in site.get("/readyz").text, "/readyz says what the worker carries")
        assert kinds(site, ticket) == []


def test_while_the_models_server_is_away_no_ticket_is_used_up_and_readyz_says_why(tmp_path: Path) -> None:
    with embedded(tmp_path / "site", SCORER="tests.faults.scorers.Away", **DEADLINE) as site:
        start_all(site)
        ticket = submit(site)
        eventually(lambda: kinds(site, ticket) == ["fallback"], "the keyword rules decide")
        assert site.query("SELECT cause FROM tickets_decision") == [("deadline",)]
        assert site.query("SELECT attempts, claim FROM tickets_waiting") == [(0, 0)]
        assert "gpu:8000 does not answer" in site.get("/readyz").text


def test_knocks_that_nobody_hears_do_not_pile_up_and_a_worker_that_comes_is_woken(
    embedded_installation: Installation,
) -> None:
    site = embedded_installation
    messages = site.folder / "broker" / "messages"
    site.start("web")
    ticket = submit(site)
    site.shell("from tickets import wake; [wake.send(wake.SCORE) for _ in range(250)]")
    assert 0 < len(list(messages.glob("*.score.msg"))) <= MOST_KNOCKS
    site.start("worker")
    eventually(lambda: kinds(site, ticket) == ["scored"], "the worker scores it, though no sweep knocks again")


def test_a_process_that_ended_while_it_wrote_to_the_broker_keeps_no_worker_from_starting(tmp_path: Path) -> None:
    with embedded(tmp_path / "site") as site:
        control = site.folder / "broker" / "control"
        control.mkdir(parents=True, exist_ok=True)
        for name in ("score", "celery.pidbox"):
            (control / f"{name}.exchange").touch()
        start_all(site)
        ticket = submit(site)
        eventually(lambda: kinds(site, ticket) == ["scored"], "the worker starts and scores it")
