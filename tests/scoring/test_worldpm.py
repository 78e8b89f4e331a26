"""The engine on tiny models of the real classes: exact, whatever is in a batch, and closed to what a ticket spells."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from scoring import worldpm
from scoring.batches import batches
from scoring.conversation import Pair, answer_ids, pair, pooled_position
from scoring.types import Request
from scoring.verdicts import STANDARD, URGENT, fence, question
from scoring.worldpm import CheckpointRefused, Reward, WorldPM, load, weights_digest
from tests.scoring import checkpoints

CLOSE = 1e-4
BREAKING = ["~" * 9, "<|im_end|>", "<|im_start|>system\n", "\n", "<|endoftext|>", "ok"]
MISSING_LIBRARY = [("int8", "bitsandbytes"), ("int4", "bitsandbytes"), ("fp8", "one of")]
RUBRIC = "Urgent means that harm is happening now."
TEXTS = [
    "Payments fail\n\nNo card is accepted at any till since nine.",
    "x",
    "",
    "Rechnung\n\nKönnten Sie mir die Rechnung noch einmal schicken? 日本語 💥",
    "Log\n\n" + "WARN retry 1\n" * 60,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Iterator[WorldPM]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLDPM_MODEL", str(folder))
        yield WorldPM()


@pytest.fixture
def reward(scorer: WorldPM) -> Reward:
    return scorer.reward


def pairs(scorer: WorldPM, texts: list[str] = TEXTS, most: int = 300) -> list[Pair]:
    return [pair(scorer.tokenizer, RUBRIC, text, most) for text in texts]


def single_pass(reward: Reward, ids: list[int]) -> float:
    """One verdict as the model card scores it: one text, one pass, the last token's state."""
    with torch.inference_mode():
        state = reward.body(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]
        return float(reward.head(state.float()))


def margins(scorer: WorldPM, texts: list[str]) -> list[float]:
    return [score.margin for score in scorer.score([Request(text, RUBRIC) for text in texts])]


class TestExactness:
    def test_a_packed_pair_is_two_single_passes(self, scorer: WorldPM, reward: Reward) -> None:
        for one in pairs(scorer):
            expected = [
                single_pass(reward, [*one.shared, *ending]) for ending in (one.frame.urgent, one.frame.standard)
            ]
            assert reward.of_pairs([one])[0] == pytest.approx(expected, abs=CLOSE)

    def test_a_batch_is_its_members_alone(self, scorer: WorldPM, reward: Reward) -> None:
        alone = [reward.of_pairs([one])[0] for one in pairs(scorer)]
        for found, expected in zip(reward.of_pairs(pairs(scorer)), alone, strict=True):
            assert found == pytest.approx(expected, abs=CLOSE)

    def test_padding_on_either_side_changes_nothing(self, scorer: WorldPM, reward: Reward) -> None:
        right, left = (reward.of_pairs(pairs(scorer), left=side) for side in (False, True))
        for found, expected in zip(left, right, strict=True):
            assert found == pytest.approx(expected, abs=CLOSE)

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.sampled_from(TEXTS) | st.text(max_size=80), min_size=1, max_size=6), st.randoms())
    def test_order_and_company_change_no_score(self, scorer: WorldPM, texts: list[str], chance: random.Random) -> None:
        expected = dict(zip(texts, margins(scorer, texts), strict=True))
        mixed = [*texts, *TEXTS]
        chance.shuffle(mixed)
        found = dict(zip(mixed, margins(scorer, mixed), strict=True))
        assert {text: found[text] for text in expected} == pytest.approx(expected, abs=CLOSE)

    @pytest.mark.parametrize("kind", ["qwen2", "qwen3", "llama"])
    @pytest.mark.parametrize("head", ["mlp", "linear"])
    def test_every_kind_of_model_and_head(self, tmp_path: Path, kind: str, head: str) -> None:
        made = checkpoints.make(tmp_path / "model", kind, head)
        reward, one = load(made), pair(checkpoints.tokenizer(), RUBRIC, TEXTS[0], 300)
        expected = [single_pass(reward, [*one.shared, *ending]) for ending in (one.frame.urgent, one.frame.standard)]
        assert reward.of_pairs([one])[0] == pytest.approx(expected, abs=CLOSE)

    def test_the_head_is_the_formula(self, folder: Path, scorer: WorldPM, reward: Reward) -> None:
        """w2 . relu(W0 h + b0) + b2 of the state at the pooled position, from the weights on disk."""
        weights, one = load_file(folder / "model.safetensors"), pairs(scorer)[0]
        with torch.inference_mode():
            state = reward.body(input_ids=torch.tensor([[*one.shared, *one.frame.urgent]])).last_hidden_state[0, -1]
        hidden = torch.relu(weights["score.0.weight"] @ state + weights["score.0.bias"])
        expected = float(weights["score.2.weight"] @ hidden + weights["score.2.bias"])
        assert reward.of_pairs([one])[0][0] == pytest.approx(expected, abs=CLOSE)

    def test_bfloat16_stays_near_float32(self, folder: Path, scorer: WorldPM, reward: Reward) -> None:
        rough = load(folder, "bfloat16").of_pairs(pairs(scorer))
        exact = reward.of_pairs(pairs(scorer))
        spread = max(abs(one) for both in exact for one in both)
        for found, expected in zip(rough, exact, strict=True):
            assert found == pytest.approx(expected, abs=0.1 * spread)


class TestLoading:
    def test_shards_are_the_whole(self, tmp_path: Path) -> None:
        whole, split = (load(checkpoints.make(tmp_path / str(n), shards=n)) for n in (1, 3))
        one = pair(checkpoints.tokenizer(), RUBRIC, TEXTS[0], 300)
        assert split.of_pairs([one])[0] == pytest.approx(whole.of_pairs([one])[0], abs=1e-6)

    def test_the_same_folder_loaded_again_scores_the_same(self, folder: Path, scorer: WorldPM, reward: Reward) -> None:
        assert load(folder).of_pairs(pairs(scorer)) == reward.of_pairs(pairs(scorer))

    @pytest.mark.parametrize("missing", ["score.", "score.2.bias", "model.layers.1.mlp.up_proj.weight"])
    def test_a_checkpoint_that_lacks_weights_is_refused(self, tmp_path: Path, missing: str) -> None:
        made = checkpoints.make(tmp_path / "model")
        file = made / "model.safetensors"
        kept = {name: tensor for name, tensor in load_file(file).items() if not name.startswith(missing)}
        save_file(kept, file, {"format": "pt"})
        with pytest.raises(CheckpointRefused):
            load(made)

    def test_other_formats_than_safetensors_are_refused(self, tmp_path: Path) -> None:
        made = checkpoints.make(tmp_path / "model")
        torch.save(load_file(made / "model.safetensors"), made / "pytorch_model.bin")
        (made / "model.safetensors").unlink()
        with pytest.raises(CheckpointRefused, match="safetensors"):
            load(made)

    def test_another_kind_of_model_is_refused_by_name(self, tmp_path: Path) -> None:
        made = checkpoints.make(tmp_path / "model")
        config = json.loads((made / "config.json").read_text())
        (made / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
        with pytest.raises(CheckpointRefused, match="bert"):
            load(made)

    def test_code_in_the_checkpoint_is_never_run(self, tmp_path: Path) -> None:
        made = checkpoints.make(tmp_path / "model")
        config = json.loads((made / "config.json").read_text())
        places = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
        (made / "config.json").write_text(json.dumps(config | {"auto_map": places}))
        (made / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
        load(made)
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(("precision", "says"), MISSING_LIBRARY)
    def test_what_cannot_be_had_is_said(self, folder: Path, precision: str, says: str) -> None:
        with pytest.raises(CheckpointRefused, match=says):
            load(folder, precision)

    @pytest.mark.parametrize("name", ["", "Qwen/WorldPM-72B", "/nowhere/at/all"])
    def test_a_model_that_is_not_here_is_not_fetched(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WORLDPM_MODEL", name)
        with pytest.raises(CheckpointRefused):
            WorldPM()

    def test_the_digest_names_the_weights(self, tmp_path: Path) -> None:
        one, other = (checkpoints.make(tmp_path / str(seed), seed=seed) for seed in (1, 2))
        copy = Path(shutil.copytree(one, tmp_path / "copy"))
        assert weights_digest(one) == weights_digest(copy) != weights_digest(other)

    def test_importing_the_engine_loads_no_torch(self) -> None:
        program = "import sys, scoring.worldpm; sys.exit('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


class TestConversation:
    def test_the_system_message_is_there_and_empty(self, scorer: WorldPM) -> None:
        text = scorer.tokenizer.decode(pairs(scorer)[0].shared)
        assert text.startswith("<|im_start|>system\n<|im_end|>\n<|im_start|>user\n")
        assert "helpful" not in text

    def test_it_reads_as_the_template_renders_it(self, scorer: WorldPM) -> None:
        before, after = question(RUBRIC, fence(TEXTS[0]))
        messages = [
            {"role": "system", "content": ""},
            {"role": "user", "content": before + TEXTS[0] + after},
            {"role": "assistant", "content": URGENT},
        ]
        rendered = scorer.tokenizer.apply_chat_template(messages, tokenize=False)
        one = pairs(scorer)[0]
        assert scorer.tokenizer.decode([*one.shared, *one.frame.urgent]) == rendered.removesuffix("<|endoftext|>")

    def test_the_pooled_token_is_the_end_of_the_verdict(self, scorer: WorldPM) -> None:
        end = scorer.tokenizer.convert_tokens_to_ids("<|im_end|>")
        for one in pairs(scorer):
            assert one.frame.urgent[-1] == one.frame.standard[-1] == end

    @pytest.mark.parametrize(("ids", "position"), [([5, 6, 7], 2), ([5, 6, 0], 1), ([5, 0, 0, 0], 0)])
    def test_pooling_takes_the_token_before_the_first_pad(self, ids: list[int], position: int) -> None:
        assert pooled_position(ids, 0) == position

    def test_both_verdicts_are_alike_in_length_and_build(self) -> None:
        assert abs(len(URGENT) - len(STANDARD)) <= 4
        assert len(URGENT.split()) == len(STANDARD.split())

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.text(max_size=200) | st.lists(st.sampled_from(BREAKING)).map("".join))
    @example("\uf900")  # normalised to another letter
    def test_no_text_breaks_out_of_its_fence(self, scorer: WorldPM, text: str) -> None:
        read = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())  # as Qwen's tokenizer does
        mark = fence(text)
        assert mark not in read
        one = pair(scorer.tokenizer, RUBRIC, text, 10_000)
        control = set(scorer.tokenizer.convert_tokens_to_ids(checkpoints.CONTROL))
        inside = one.ticket
        assert not control & set(inside)
        assert scorer.tokenizer.decode(inside) == read

    def test_a_ticket_of_nothing_but_the_fence_makes_no_long_question(self, scorer: WorldPM) -> None:
        text = "~" * 65_536
        assert fence(text) not in text
        assert fence(text) != fence(text[1:])
        assert pair(scorer.tokenizer, RUBRIC, text, 100).length < pair(scorer.tokenizer, RUBRIC, "x", 100).length + 400

    def test_a_control_token_that_the_tokenizer_does_not_call_special_is_spelled_out_too(self) -> None:
        tokenizer = checkpoints.tokenizer()
        tokenizer.add_tokens(["<tool_call>"])
        inside = pair(tokenizer, RUBRIC, "<tool_call> x", 100).ticket
        assert tokenizer.convert_tokens_to_ids("<tool_call>") not in inside
        assert tokenizer.decode(inside) == "<tool_call> x"

    def test_of_a_long_ticket_head_and_tail_are_read_and_the_cut_is_marked(self, scorer: WorldPM) -> None:
        text = " ".join(f"word{n}" for n in range(400))
        one = pair(scorer.tokenizer, RUBRIC, text, 100)
        shown = scorer.tokenizer.decode(one.shared)
        assert "word0 " in shown
        assert shown.count("word399") == 1
        assert f"{one.tokens_cut} tokens left out" in shown
        assert one.tokens_cut > 0

    def test_a_template_that_speaks_for_the_system_is_refused(self, scorer: WorldPM) -> None:
        tokenizer = checkpoints.tokenizer()
        tokenizer.chat_template = "You are kind. {% for message in messages %}{{ message['content'] }}{% endfor %}"
        with pytest.raises(ValueError, match="chat template"):
            pair(tokenizer, RUBRIC, "x", 100)


class TestReference:
    def test_one_conversation_in_one_pass_is_as_in_the_model_card(self, scorer: WorldPM, reward: Reward) -> None:
        ids = answer_ids(scorer.tokenizer, "Tips?", "Sleep.")
        turns = ["system\n", "user\nTips?", "assistant\nSleep."]
        expected = "\n".join(f"<|im_start|>{turn}<|im_end|>" for turn in turns)
        assert scorer.tokenizer.decode(ids) == expected
        assert reward.of(ids) == pytest.approx(single_pass(reward, list(ids)), abs=CLOSE)


class TestBatches:
    @given(st.lists(st.integers(1, 500), max_size=60), st.integers(1, 2_000))
    def test_each_is_in_one_batch_and_none_is_over_the_budget(self, lengths: list[int], budget: int) -> None:
        made = list(batches(lengths, budget))
        assert sorted(index for batch in made for index in batch) == list(range(len(lengths)))
        for batch in made:
            assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget

    def test_like_lengths_go_together(self) -> None:
        chance = random.Random(2)
        lengths = [chance.randint(200, 700) for _ in range(500)]
        padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches(lengths, 16_384))
        assert padded / sum(lengths) < 1.10

    def test_out_of_memory_halves_the_batch_and_goes_on(
        self, scorer: WorldPM, reward: Reward, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected, whole = reward.of_pairs(pairs(scorer)), Reward._states

        def cramped(self: Reward, packed: Any, prefix: tuple[int, ...]) -> Any:
            if len(packed.ids) > 2:
                raise torch.OutOfMemoryError
            return whole(self, packed, prefix)

        monkeypatch.setattr(Reward, "_states", cramped)
        for found, wanted in zip(reward.of_pairs(pairs(scorer)), expected, strict=True):
            assert found == pytest.approx(wanted, abs=CLOSE)

    def test_a_model_that_gives_no_number_is_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = checkpoints.make(tmp_path / "model")
        weights = load_file(made / "model.safetensors")
        weights["score.2.bias"][:] = float("nan")
        save_file(weights, made / "model.safetensors", {"format": "pt"})
        monkeypatch.setenv("WORLDPM_MODEL", str(made))
        with pytest.raises(ValueError, match="finite"):
            WorldPM()


class TestScorer:
    def test_the_margin_is_the_difference_of_the_two_rewards(self, scorer: WorldPM) -> None:
        for score in scorer.score([Request(text, RUBRIC) for text in TEXTS]):
            assert score.reward_urgent is not None
            assert score.reward_standard is not None
            assert score.margin == pytest.approx(score.reward_urgent - score.reward_standard)

    def test_the_rubric_is_read(self, scorer: WorldPM) -> None:
        one, other = scorer.score([Request(TEXTS[0], RUBRIC), Request(TEXTS[0], "Only fire is urgent.")])
        assert one.reward_urgent != pytest.approx(other.reward_urgent, abs=10 * CLOSE)

    def test_no_requests_no_scores(self, scorer: WorldPM) -> None:
        assert scorer.score([]) == []

    def test_it_is_uncalibrated_until_somebody_fits_a_curve(self, folder: Path, scorer: WorldPM) -> None:
        assert os.environ["WORLDPM_MODEL"] == str(folder)
        assert WorldPM.calibration().version == "uncalibrated"

    def test_a_calibration_beside_the_weights_is_used(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = checkpoints.make(tmp_path / "model")
        (made / "calibration.json").write_text('{"version": "fitted", "a": 0.5, "b": -1.0}')
        monkeypatch.setenv("WORLDPM_MODEL", str(made))
        assert WorldPM.calibration().version == f"fitted-{WorldPM.identity().digest[:8]}"

    def test_it_is_known_by_the_name_and_digest_of_its_folder(self, folder: Path, scorer: WorldPM) -> None:
        assert (scorer.model.id, scorer.model.digest) == (folder.name, worldpm.weights_digest(folder))
