"""The whole product with the WorldPM engine: tickets in, decided by a tiny reward model, logged with its identity."""

from __future__ import annotations

import json
from pathlib import Path

from scoring.worldpm import weights_digest
from tests.factories import CALM, URGENT
from tests.installation import Installation, embedded, eventually
from tests.scoring import checkpoints


def test_tickets_are_decided_by_the_model_that_the_policy_names(tmp_path: Path) -> None:
    made = checkpoints.make(tmp_path / "tiny-worldpm", shards=2)
    engine = {"SCORER": "scoring.worldpm.WorldPM", "WORLDPM_MODEL": str(made)}
    with embedded(tmp_path / "site", **engine) as site:
        site.start("web")
        site.start("worker")
        key = site.manage("api_key", "test", "--scope", "tickets:write", "--scope", "tickets:read")
        bodies = [
            {"subject": "Help", "body": body, "requester": {"email": "lea@example.com"}} for body in (URGENT, CALM)
        ]
        assert {line["status"] for line in site.post("/api/v1/tickets/bulk/", bodies, key).json()} == {202}
        eventually(lambda: site.count("tickets_decision WHERE kind = 'scored'") == 2, "both are scored")
        decision = site.get("/api/v1/tickets/1/", key).json()["decision"]
        assert (decision["model"], decision["calibration"]) == ("tiny-worldpm", "uncalibrated")
        bodies_of_entries = [json.loads(bytes(body)) for (body,) in _entries(site)]
        assert {body["model"]["digest"] for body in bodies_of_entries} == {weights_digest(made)}
        for body in bodies_of_entries:
            urgent, standard = body["rewards"]
            assert abs(urgent - standard - body["margin"]) <= 1
        assert "verified" in site.manage("verify_log")


def _entries(site: Installation) -> list[tuple[bytes, ...]]:
    return site.query("SELECT body FROM tickets_entry WHERE kind = 'scored'")
