"""A vLLM server's scores are WorldPM's own, and whatever the server does, no ticket gets a wrong one or the blame."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from scoring import remote, vllm
from scoring.checkpoint import CheckpointRefused, weights_digest
from scoring.remote import Breaker, Remote
from scoring.types import Request, Unavailable
from scoring.worldpm import WorldPM
from tests.scoring import checkpoints
from tests.scoring.vllm_server import MODEL, Fault, VllmServer, hang, hang_up, other, spoilt, status

CLOSE = 1e-4
DIGEST = "ab" * 32
KEY = "sk-a-secret-of-ops"
SHORT = urllib3.Timeout(connect=2, read=0.1)
RUBRIC = "Urgent means that harm is happening now."
TEXTS = [
    "Payments fail\n\nNo card is accepted at any till since nine.",
    "x",
    "",
    "Rechnung\n\nKönnten Sie mir die Rechnung noch einmal schicken? 日本語 💥",
    "Log\n\n" + "WARN retry 1\n" * 60,
]
REQUESTS = [Request(text, RUBRIC) for text in TEXTS]
WARNED = "\n".join(f"WARN retry {n}" for n in range(900))  # over the limit of a ticket's tokens


class Clock:
    """Stands still, but for who waits by it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def worldpm(folder: Path) -> Iterator[WorldPM]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLDPM_MODEL", str(folder))
        yield WorldPM()


@pytest.fixture
def serve(worldpm: WorldPM, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., VllmServer]]:
    """Starts a server and points the environment at it."""
    started: list[VllmServer] = []
    monkeypatch.setenv("WORLDPM_MODEL", str(folder))
    monkeypatch.setenv("REMOTE_MODEL", MODEL)
    monkeypatch.setenv("REMOTE_DIGEST", DIGEST)
    monkeypatch.delenv("REMOTE_KEY", raising=False)

    def start(*arguments: Any, **options: Any) -> VllmServer:
        started.append(VllmServer(worldpm.reward, *arguments, **options))
        monkeypatch.setenv("REMOTE_URL", started[-1].url)
        return started[-1]

    yield start
    vllm._connections().clear()
    vllm._connections.cache_clear()
    for server in started:
        server.close()


@pytest.fixture
def server(serve: Callable[..., VllmServer]) -> VllmServer:
    return serve()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scorer(server: VllmServer, clock: Clock) -> Remote:
    """One that has found its server in order."""
    made = Remote(clock, clock.wait)
    assert made.problem() == ""
    server.asked.clear()
    return made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "SCORING", SHORT)


class TestScores:
    @pytest.mark.parametrize("pooling", ["ALL", "LAST"])
    def test_they_are_worldpms_own(self, serve: Callable[..., VllmServer], worldpm: WorldPM, pooling: str) -> None:
        serve(pooling)
        requests = [*REQUESTS, Request(WARNED, RUBRIC), Request(TEXTS[0], "Only fire is urgent.")]
        for found, expected in zip(Remote().score(requests), worldpm.score(requests), strict=True):
            assert found.margin == pytest.approx(expected.margin, abs=CLOSE)
            assert found.reward_urgent == pytest.approx(expected.reward_urgent, abs=CLOSE)
            assert found.reward_standard == pytest.approx(expected.reward_standard, abs=CLOSE)
            assert (found.tokens, found.tokens_cut) == (expected.tokens, expected.tokens_cut)

    @pytest.mark.parametrize("head", ["mlp", "linear"])
    @pytest.mark.parametrize("kind", ["qwen3", "llama"])
    def test_of_every_kind_of_model_and_head(
        self, serve: Callable[..., VllmServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, head: str
    ) -> None:
        server = serve()
        monkeypatch.setenv("WORLDPM_MODEL", str(checkpoints.make(tmp_path / "model", kind, head)))
        local = WorldPM()
        server.reward = local.reward
        for found, expected in zip(Remote().score(REQUESTS), local.score(REQUESTS), strict=True):
            assert found.margin == pytest.approx(expected.margin, abs=CLOSE)

    def test_a_request_is_bounded_and_order_survives_it(
        self, server: VllmServer, scorer: Remote, worldpm: WorldPM, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(remote, "MOST_TOKENS", 1_500)
        requests = REQUESTS * 3
        found = [score.margin for score in scorer.score(requests)]
        assert found == pytest.approx([score.margin for score in worldpm.score(requests)], abs=CLOSE)
        sent = [asked["input"] for path, asked in server.asked if path == "/pooling"]
        assert len(sent) > 1
        assert all(len(prompts) == 2 or sum(map(len, prompts)) <= 1_500 for prompts in sent)
        assert sum(map(len, sent)) == 2 * len(requests)

    def test_a_ticket_is_sent_as_token_ids_that_say_what_is_wanted(self, server: VllmServer, scorer: Remote) -> None:
        scorer.score(REQUESTS[:1])
        [(path, asked)] = server.asked
        assert path == "/pooling"
        assert asked.pop("input")[0][0] == scorer.tokenizer.convert_tokens_to_ids("<|im_start|>")
        assert asked == {
            "model": MODEL,
            "encoding_format": "float",
            "add_special_tokens": False,
            "use_activation": False,
        }

    def test_no_requests_no_scores(self, scorer: Remote) -> None:
        assert scorer.score([]) == []

    def test_connections_are_kept(self, server: VllmServer, scorer: Remote) -> None:
        for _ in range(20):
            scorer.score(REQUESTS[:1])
        assert server.connections == 1


class TestActivation:
    @pytest.mark.parametrize("pooling", ["ALL", "LAST"])
    def test_a_server_that_squashes_rewards_whatever_it_is_asked_is_not_used(
        self, serve: Callable[..., VllmServer], pooling: str
    ) -> None:
        server = serve(pooling, heeds=False)
        made = Remote()
        assert "use_activation" in made.problem()
        with pytest.raises(Unavailable, match="use_activation"):
            made.score(REQUESTS)
        sent = [asked["input"] for path, asked in server.asked if path == "/pooling"]
        assert {len(prompts) for prompts in sent} == {remote._PROBES}


class TestPassingFailures:
    @pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
    def test_are_tried_again(
        self, server: VllmServer, scorer: Remote, worldpm: WorldPM, clock: Clock, code: int
    ) -> None:
        server.faults.extend([status(code)] * 3)
        [found], [expected] = scorer.score(REQUESTS[:1]), worldpm.score(REQUESTS[:1])
        assert found.margin == pytest.approx(expected.margin, abs=CLOSE)
        assert clock.waits == list(vllm.BACK_OFF)

    @pytest.mark.parametrize(("asked", "waited"), [("2", 2.0), ("600", 5.0), ("soon", 0.5), ("-3", 0.5)])
    def test_the_server_says_when_within_bounds(
        self, server: VllmServer, scorer: Remote, clock: Clock, asked: str, waited: float
    ) -> None:
        server.faults.append(status(503, Retry_After=asked))
        scorer.score(REQUESTS[:1])
        assert clock.waits == [waited]

    def test_an_answer_cut_off_is_asked_for_again(self, server: VllmServer, scorer: Remote, clock: Clock) -> None:
        server.faults.append(hang_up)
        assert len(scorer.score(REQUESTS)) == len(REQUESTS)
        assert clock.waits == [0.5]

    def test_patience_ends(self, server: VllmServer, scorer: Remote, clock: Clock) -> None:
        server.faults.extend([status(503, Retry_After="5")] * 9)
        with pytest.raises(Unavailable, match="503: engine busy"):
            scorer.score(REQUESTS)
        assert sum(clock.waits) <= remote.PATIENCE

    def test_a_server_that_is_gone_is_unavailable(self, server: VllmServer, scorer: Remote, clock: Clock) -> None:
        vllm._connections().clear()
        server.close()
        with pytest.raises(Unavailable, match="cannot be reached"):
            scorer.score(REQUESTS)
        assert clock.waits == list(vllm.BACK_OFF)


class TestBlame:
    @pytest.mark.usefixtures("impatient")
    def test_a_server_that_hangs_is_unavailable(
        self, server: VllmServer, scorer: Remote, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vllm, "PROBING", SHORT)
        server.faults.extend([hang] * 2)
        with pytest.raises(Unavailable, match="did not answer"):
            scorer.score(REQUESTS)
        assert clock.waits == []

    @pytest.mark.usefixtures("impatient")
    def test_texts_on_which_alone_it_hangs_are_to_blame(self, server: VllmServer, scorer: Remote) -> None:
        server.faults.append(hang)
        with pytest.raises(ValueError, match=r"did not answer.* other texts"):
            scorer.score(REQUESTS)
        assert scorer.problem() == ""

    def test_texts_on_which_alone_it_breaks_are_to_blame(self, server: VllmServer, scorer: Remote) -> None:
        server.faults.extend([status(500)] * (len(vllm.BACK_OFF) + 1))
        with pytest.raises(ValueError, match="500: engine busy It answers other texts"):
            scorer.score(REQUESTS)

    def test_a_4xx_is_not_tried_again_and_says_what_the_server_said(
        self, server: VllmServer, scorer: Remote, clock: Clock
    ) -> None:
        server.faults.append(status(400, "This model's maximum context length is 512 tokens. " + "x" * 9_999))
        with pytest.raises(ValueError, match="400: This model's maximum context length is 512 tokens") as raised:
            scorer.score(REQUESTS)
        assert len(str(raised.value)) < 400
        assert clock.waits == []
        assert server.paths() == ["/pooling"]

    def test_a_key_that_is_no_longer_good_is_found_before_the_next_ticket(
        self, server: VllmServer, scorer: Remote
    ) -> None:
        server.key = "another"
        with pytest.raises(ValueError, match="401"):
            scorer.score(REQUESTS)
        assert "401" in scorer.problem()
        with pytest.raises(Unavailable, match="401"):
            scorer.score(REQUESTS)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
    def test_a_reward_that_is_no_number_is_an_error_of_the_text(
        self, server: VllmServer, scorer: Remote, value: Any
    ) -> None:
        server.faults.append(spoilt(lambda answer: answer["data"][1]["data"][3].__setitem__(0, value)))
        with pytest.raises(ValueError, match="finite"):
            scorer.score(REQUESTS)
        assert scorer.problem() == ""


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400) | st.text(max_size=3)
KEYS = st.sampled_from(["data", "index", "usage", "prompt_tokens"])
JSON = st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
NO_ANSWERS: list[tuple[str, Fault, str]] = [
    ("html", other(b"<html>Down for maintenance</html>", "text/html"), "not JSON"),
    ("nested", other(b"[" * 100_000), "not JSON"),
    ("list", other(b"[]"), "no pooling response"),
    ("error", other(b'{"data": null}'), "no pooling response"),
    ("too few items", spoilt(lambda answer: answer["data"].pop()), "9 items to 10 prompts"),
    ("too many items", spoilt(lambda answer: answer["data"].append(answer["data"][0])), "11 items to 10 prompts"),
    ("wrong order", spoilt(lambda answer: answer["data"].reverse()), "another order"),
    ("too many tokens", spoilt(lambda answer: answer["data"][0]["data"].append([0.5])), "neither one reward nor"),
    ("too few tokens", spoilt(lambda answer: answer["data"][0]["data"].pop()), "neither one reward nor"),
    ("a truncated prompt", spoilt(lambda answer: answer["usage"].update(prompt_tokens=7)), "read 7 tokens where"),
    ("vectors", spoilt(lambda answer: answer["data"][0].update(data=[[0.1, 0.2]])), "reward model"),
    ("words", spoilt(lambda answer: answer["data"][0].update(data=["0.1"])), "reward model"),
    ("base64", spoilt(lambda answer: answer["data"][0].update(data="AAAA")), "neither one reward nor"),
    ("redirect", status(307, Location="http://127.0.0.1:9/"), "307"),
    ("too large", other(b" " * (vllm.MOST_BYTES + 1)), "more than"),
]


class TestAnswersThatAreNone:
    @pytest.mark.parametrize(("fault", "says"), [row[1:] for row in NO_ANSWERS], ids=[row[0] for row in NO_ANSWERS])
    def test_give_no_score_and_blame_no_text(self, server: VllmServer, scorer: Remote, fault: Fault, says: str) -> None:
        server.faults.append(fault)
        with pytest.raises(Unavailable, match=says):
            scorer.score(REQUESTS)
        assert len(scorer.score(REQUESTS)) == len(REQUESTS)

    def test_leave_no_connection_behind(
        self, server: VllmServer, scorer: Remote, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vllm, "MOST_BYTES", 200_000)
        for _ in range(4):
            server.faults.append(other(b" " * 1_000_000))
            with pytest.raises(Unavailable, match="more than"):
                scorer.score(REQUESTS[:1])
            assert scorer.problem() == ""

    @given(JSON)
    def test_are_told_apart_whatever_they_hold(self, answer: Any) -> None:
        with pytest.raises((Unavailable, ValueError)):
            vllm.pooled(answer, [[1, 2]])

    @given(JSON, JSON, JSON, st.integers(1, 3))
    def test_are_told_apart_in_every_place(self, index: Any, data: Any, read: Any, tokens: int) -> None:
        answer = {"data": [{"index": index, "data": data}], "usage": {"prompt_tokens": read}}
        try:
            [reward] = vllm.pooled(answer, [[7] * tokens])
        except (Unavailable, ValueError):
            return
        assert (index, read) == (0, tokens)
        assert len(data) in (1, tokens)
        assert data[-1] in (reward, [reward])
        assert math.isfinite(reward)


class TestKey:
    def test_it_is_sent_and_never_shown(
        self, serve: Callable[..., VllmServer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REMOTE_KEY", KEY)
        server = serve(key=KEY)
        made = Remote()
        assert len(made.score(REQUESTS)) == len(REQUESTS)
        assert KEY not in repr(made.server)
        server.key = "another"
        with pytest.raises(ValueError, match=r"Unauthorized: Bearer \*\*\*") as raised:
            made.score(REQUESTS)
        assert KEY not in f"{raised.value} {made.problem()}"

    def test_one_that_no_header_may_hold_is_refused_without_showing_it(
        self, server: VllmServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REMOTE_KEY", f"{KEY}\r\nX-Evil: 1")
        with pytest.raises(ValueError, match="REMOTE_KEY") as raised:
            Remote()
        assert KEY not in str(raised.value)

    def test_a_certificate_nobody_vouches_for_ends_the_conversation(
        self, server: VllmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.speak_tls(str(self_signed(tmp_path / "server.pem")))
        monkeypatch.setenv("REMOTE_URL", server.url)
        monkeypatch.setenv("REMOTE_KEY", KEY)
        assert "SSLError" in Remote().problem()
        assert server.asked == []


class TestBreaker:
    def fail(self, server: VllmServer, scorer: Remote, times: int = remote.FAILURES) -> None:
        server.health = 503
        for _ in range(times):
            server.faults.append(other(b"<html>"))
            with pytest.raises(Unavailable):
                scorer.score(REQUESTS)
        server.faults.clear()

    def test_it_opens_after_failures_in_a_row_and_then_nothing_is_sent(
        self, server: VllmServer, scorer: Remote
    ) -> None:
        self.fail(server, scorer)
        server.asked.clear()
        with pytest.raises(Unavailable, match="answered 503"):
            scorer.score(REQUESTS)
        assert "answered 503" in scorer.problem()
        assert server.asked == []

    def test_when_the_pause_is_over_the_servers_health_is_asked_and_no_ticket_sent(
        self, server: VllmServer, scorer: Remote, clock: Clock
    ) -> None:
        self.fail(server, scorer)
        clock.now += remote.FIRST_PAUSE
        server.asked.clear()
        assert "answered 503" in scorer.problem()
        assert server.paths() == ["/health"]
        assert scorer.breaker.is_open

    def test_it_closes_when_the_server_is_well_again(self, server: VllmServer, scorer: Remote, clock: Clock) -> None:
        self.fail(server, scorer)
        clock.now += remote.FIRST_PAUSE
        server.health = 200
        assert scorer.problem() == ""
        assert len(scorer.score(REQUESTS)) == len(REQUESTS)
        self.fail(server, scorer, remote.FAILURES - 1)
        assert not scorer.breaker.is_open

    def test_a_server_in_order_is_not_asked_for_its_health_each_time(self, server: VllmServer, scorer: Remote) -> None:
        assert [scorer.problem() for _ in range(5)] == [""] * 5
        assert server.asked == []

    def test_after_one_failure_it_is_asked_before_it_gets_a_ticket(self, server: VllmServer, scorer: Remote) -> None:
        self.fail(server, scorer, 1)
        server.asked.clear()
        assert "answered 503" in scorer.problem()
        assert server.paths() == ["/health"]

    def test_its_pause_doubles_up_to_a_bound(self) -> None:
        clock, pauses = Clock(), []
        breaker = Breaker(clock)
        for _ in range(remote.FAILURES + 8):
            breaker.failed("down")
            pauses.append(breaker.until - clock.now if breaker.is_open else 0.0)
            clock.now += pauses[-1]
            assert not breaker.is_open
        assert pauses == [0, 0, 5, 10, 20, 40, 80, 120, 120, 120, 120]


class TestIdentity:
    def test_it_needs_no_network_where_name_and_digest_are_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REMOTE_MODEL", MODEL)
        monkeypatch.setenv("REMOTE_DIGEST", DIGEST.upper())
        monkeypatch.delenv("REMOTE_URL", raising=False)
        monkeypatch.delenv("WORLDPM_MODEL", raising=False)
        assert (Remote.identity().id, Remote.identity().digest) == (MODEL, DIGEST)

    def test_it_loads_no_torch(self) -> None:
        program = (
            "import sys; from scoring.remote import Remote; Remote.identity(); "
            "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
        )
        environment = os.environ | {"REMOTE_MODEL": MODEL, "REMOTE_DIGEST": DIGEST}
        assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0

    def test_the_one_model_a_server_lists_is_meant(
        self, serve: Callable[..., VllmServer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = serve(models=("Qwen/WorldPM-72B",))
        monkeypatch.delenv("REMOTE_MODEL")
        assert [Remote.identity().id for _ in range(3)] == ["Qwen/WorldPM-72B"] * 3
        assert server.paths() == ["/v1/models"]

    @pytest.mark.parametrize("models", [(), ("one", "two")])
    def test_none_or_several_are_refused(
        self, serve: Callable[..., VllmServer], monkeypatch: pytest.MonkeyPatch, models: tuple[str, ...]
    ) -> None:
        serve(models=models)
        monkeypatch.delenv("REMOTE_MODEL")
        with pytest.raises(ValueError, match=f"serves {len(models)} models; name one of them in REMOTE_MODEL"):
            Remote.identity()

    def test_without_a_digest_the_weights_in_the_folder_tell_it(
        self, server: VllmServer, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("REMOTE_DIGEST")
        assert Remote.identity().digest == weights_digest(folder) == WorldPM.identity().digest

    def test_without_a_digest_and_without_weights_it_is_refused(
        self, server: VllmServer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("REMOTE_DIGEST")
        monkeypatch.setenv("WORLDPM_MODEL", str(without_weights(folder, tmp_path)))
        with pytest.raises(CheckpointRefused, match="REMOTE_DIGEST"):
            Remote.identity()

    def test_the_tokenizer_alone_is_enough_to_score(
        self, server: VllmServer, folder: Path, worldpm: WorldPM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WORLDPM_MODEL", str(without_weights(folder, tmp_path)))
        found = [score.margin for score in Remote().score(REQUESTS)]
        assert found == pytest.approx([score.margin for score in worldpm.score(REQUESTS)], abs=CLOSE)

    @pytest.mark.parametrize("url", ["", "gpu:8000", "ftp://gpu", "http://", "http://ops:secret@gpu:8000"])
    def test_an_address_that_is_none_is_refused_without_showing_it(
        self, server: VllmServer, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        monkeypatch.setenv("REMOTE_URL", url)
        with pytest.raises(ValueError, match="REMOTE_URL") as raised:
            Remote()
        assert "secret" not in str(raised.value)

    def test_a_digest_that_is_none_is_refused(self, server: VllmServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REMOTE_DIGEST", "latest")
        with pytest.raises(ValueError, match="REMOTE_DIGEST"):
            Remote.identity()

    def test_a_calibration_beside_the_tokenizer_is_used(
        self, server: VllmServer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bare = without_weights(folder, tmp_path)
        monkeypatch.setenv("WORLDPM_MODEL", str(bare))
        assert Remote.calibration().version == "uncalibrated"
        (bare / "calibration.json").write_text('{"version": "fitted", "a": 0.5, "b": -1.0}')
        assert Remote.calibration().version == f"fitted-{DIGEST[:8]}"


def without_weights(folder: Path, place: Path) -> Path:
    bare = Path(shutil.copytree(folder, place / "tokenizer"))
    for file in [*bare.glob("*.safetensors"), bare / "config.json"]:
        file.unlink()
    return bare


def self_signed(file: Path) -> Path:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gpu")])
    day = timedelta(days=1)
    now = datetime.now(UTC)
    unsigned = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
    certificate = unsigned.sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    file.write_bytes(key.private_bytes(pem, form, plain) + certificate.public_bytes(pem))
    return file
