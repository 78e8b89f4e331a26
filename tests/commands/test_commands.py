"""The other commands: keys, scoring without storing, the demo, another scorer."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from tests.api.client import row_counts
from tests.factories import CALM, SOON, URGENT, scored
from tests.installation import Installation
from tickets import pipeline
from tickets.management.commands.demo import ROLES, TICKETS, password_of
from tickets.models import ActivePolicy, ApiKey, Decision, Entry, Kind, Policy, Ticket, User, Waiting

pytestmark = pytest.mark.django_db


def output_of(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


class TestApiKey:
    def test_it_prints_the_key_alone_and_the_log_knows_of_it(self) -> None:
        secret = output_of("api_key", "shop", "--scope", "tickets:write").strip()
        assert "\n" not in secret
        assert ApiKey.objects.get().digest == ApiKey.digest_of(secret)
        entry = Entry.objects.get(kind=Kind.KEY_CREATED)
        assert secret not in bytes(entry.body).decode()
        assert b'"scopes":["tickets:write"]' in bytes(entry.body)

    @pytest.mark.parametrize(
        "arguments", [["x"], ["x", "--scope", "everything"], ["x", "--scope", "tickets:read", "--days", "0"]]
    )
    def test_a_key_without_a_known_scope_or_a_day_to_live_is_refused(self, arguments: list[str]) -> None:
        with pytest.raises(CommandError):
            call_command("api_key", *arguments)
        assert not ApiKey.objects.exists()


class TestScore:
    def test_each_line_in_gets_a_line_out_in_order_and_nothing_is_stored(self, tmp_path: Path) -> None:
        file = tmp_path / "in.jsonl"
        texts = [URGENT, CALM, "", "日本語 💥", "x" * 100_000]
        file.write_text("\n".join(json.dumps({"subject": "A", "body": body}) for body in texts), encoding="utf-8")
        before = row_counts()
        answers = lines(output_of("score", str(file)))
        assert row_counts() == before
        assert len(answers) == len(texts)
        for answer in answers:
            assert {"score", "urgent", "confidence", "evidence", "model"} <= set(answer)
            assert answer["urgent"] == (answer["score"] > answer["threshold"])

    def test_a_score_is_what_the_same_text_gets_as_a_ticket(self, tmp_path: Path) -> None:
        ticket = scored(URGENT, subject="Help")
        file = tmp_path / "in.jsonl"
        file.write_text(json.dumps({"subject": "Help", "body": URGENT}))
        recorded = Decision.objects.get(pk=ticket.decision_id).score or 0
        assert lines(output_of("score", str(file)))[0]["score"] == pytest.approx(recorded / 1e6, abs=1e-4)

    def test_a_line_that_is_none_is_answered_in_its_place(self, tmp_path: Path) -> None:
        file = tmp_path / "in.jsonl"
        file.write_bytes(b'{"subject": "A", "body": "x"}\n{\n[1]\n{"subject": 3}\n\xff\n{"body": "y"}\n')
        out = io.StringIO()
        with pytest.raises(CommandError, match="4 lines"):
            call_command("score", str(file), stdout=out)
        assert ["error" in answer for answer in lines(out.getvalue())] == [False, True, True, True, True, False]

    def test_a_file_that_is_not_there_is_named(self) -> None:
        with pytest.raises(CommandError, match="nowhere"):
            call_command("score", "nowhere.jsonl")


def test_score_reads_standard_input_and_needs_no_database(embedded_installation: Installation) -> None:
    site = embedded_installation
    site.environment["DATABASE_URL"] = f"sqlite:///{site.folder / 'empty.sqlite3'}"
    answer = json.loads(site.manage("score", "-", stdin=json.dumps({"subject": "A", "body": URGENT}) + "\n"))
    assert answer["model"].startswith("compact")


LOCAL = {"Host": "127.0.0.1"}


@pytest.fixture
def demo_mode(settings: Any) -> None:
    settings.DEMO, settings.ALLOWED_HOSTS = True, ["localhost", "127.0.0.1", "[::1]"]


@pytest.mark.usefixtures("demo_mode")
class TestDemo:
    def test_its_tickets_arrive_through_the_pipeline(self) -> None:
        call_command("demo", stdout=io.StringIO())
        assert Ticket.objects.count() == Waiting.objects.count() == 150
        pipeline.score_waiting("test", SOON)
        queues = set(Ticket.objects.values_list("queue", flat=True))
        assert queues == {"urgent", "standard"}
        assert Decision.objects.count() == 150

    def test_a_second_time_it_adds_nothing(self) -> None:
        call_command("demo", stdout=io.StringIO())
        before = row_counts()
        assert "0 demo tickets" in output_of("demo")
        assert row_counts() == before

    def test_it_prints_three_log_ins_that_work(self) -> None:
        printed = output_of("demo")
        for role in ROLES:
            assert password_of(role) in printed
            values = {"username": role.value, "password": password_of(role)}
            assert Client(headers=LOCAL).post("/login/", values).status_code == 302

    @pytest.mark.parametrize("headers", [{"REMOTE_ADDR": "203.0.113.5"}, {"HTTP_X_FORWARDED_FOR": "203.0.113.5"}])
    def test_nobody_from_elsewhere_can_use_them(self, headers: dict[str, str]) -> None:
        call_command("demo", stdout=io.StringIO())
        answer = Client(headers=LOCAL, **headers).post("/login/", {"username": "agent", "password": "agent-demo"})
        assert "_auth_user_id" not in answer.wsgi_request.session

    def test_without_demo_mode_nobody_can(self) -> None:
        call_command("demo", stdout=io.StringIO())
        with override_settings(DEMO=False):
            answer = Client(headers=LOCAL).post("/login/", {"username": "ops", "password": "ops-demo"})
        assert "_auth_user_id" not in answer.wsgi_request.session

    @pytest.mark.parametrize("changed", [{"DEMO": False}, {"ALLOWED_HOSTS": ["*"]}, {"ALLOWED_HOSTS": ["example.com"]}])
    def test_where_others_could_reach_it_it_refuses(self, changed: dict[str, Any]) -> None:
        with override_settings(**changed), pytest.raises(CommandError, match="loopback"):
            call_command("demo")
        assert not User.objects.exists()

    def test_the_demo_is_believable(self) -> None:
        rows = lines(TICKETS.read_text(encoding="utf-8"))
        assert len(rows) == len({row["body"] for row in rows}) == 150
        assert len({row["locale"][:2] for row in rows}) >= 5
        assert len({row["source"] for row in rows}) >= 3


class TestUseScorer:
    def test_it_activates_a_policy_that_names_the_scorer(self) -> None:
        with override_settings(SCORER="scoring.keyword.Keyword"):
            call_command("use_scorer", reason="No model today", stdout=io.StringIO())
        active = ActivePolicy.current()
        assert (active.number, active.model.name, active.threshold) == (2, "keyword-1", 700_000)
        assert active.calibration.is_uncalibrated

    def test_where_the_policy_names_it_already_nothing_happens(self) -> None:
        assert "nothing to do" in output_of("use_scorer", "--reason", "again")
        assert Policy.objects.count() == 1
