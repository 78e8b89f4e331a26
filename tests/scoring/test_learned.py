"""The scorer that training makes: what its head adds up to, what it refuses, and what fitting learns."""

from __future__ import annotations

import json
import math
import pickle
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring import learned
from scoring.compact import Compact
from scoring.head import Head
from scoring.learned import Learned, LearnedRefused, identity_of
from scoring.measures import auc
from scoring.ngrams import Weights, grams
from scoring.shares import runs
from scoring.training.head import Read, fifths, learn, read
from scoring.training.logistic import Dense, Problem, Sparse, fit
from scoring.types import Request
from tests.scoring.test_compact import HOSTILE, ROOT, TEXTS

WORDS = ["please", "invoice", "colour", "logo", "report", "export", "user", "list", "thanks", "question", "order"]
CALIBRATION = {"version": "platt-test", "a": 1.25, "b": -0.5}


def history(number: int, seed: int = 1) -> tuple[list[str], list[bool]]:
    """A team whose urgent tickets are those that speak of the milking robot, whatever else they say."""
    chance, texts, urgent = random.Random(seed), [], []
    for _ in range(number):
        words, is_urgent = chance.choices(WORDS, k=12), chance.random() < 0.4
        words[chance.randrange(11)] = "robot" if is_urgent else "desk"
        texts.append(f"{' '.join(words[:3])}\n\n{' '.join(words[3:])}")
        urgent.append(is_urgent)
    return texts, urgent


def quiet(doing: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def compact() -> Compact:
    return Compact()


@pytest.fixture(scope="module")
def head(compact: Compact) -> Head:
    texts, urgent = history(150)
    return learn(read(compact, texts, quiet), urgent, 0, quiet)[0].head


def stored(folder: Path, head: Head) -> Path:
    base = Compact.identity()
    return learned.write(folder, head, {"base": {"id": base.id, "digest": base.digest}}, CALIBRATION)


@pytest.fixture(scope="module")
def folder(head: Head, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("models"), head)


@pytest.fixture
def scorer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Learned:
    monkeypatch.setenv("LEARNED_MODEL", str(folder))
    return Learned()


def margins(scorer: Learned, texts: list[str]) -> list[float]:
    return [score.margin for score in scorer.score([Request(text) for text in texts])]


def head_of(compact: Compact, text: str, weights: dict[str, float], base: float = 0.0) -> Head:
    """One that knows the words of `text`, with a weight for some of them."""
    [look] = compact.look([text])
    number_of = {
        text[at[0][0] :].split(maxsplit=1)[0].lower(): n
        for n, at in grams(text, look.reading).items()
        if len(at[0]) == 1
    }
    keys = np.sort(np.array(list(number_of.values()), np.uint32))
    values = np.zeros(len(keys), np.float32)
    for word, weight in weights.items():
        values[np.searchsorted(keys, number_of[word])] = weight
    words = Weights(keys, np.ones_like(values), values)
    return Head(np.array(0.5), np.array(base), np.zeros(384, np.float32), words)


class TestScoring:
    def test_no_requests_no_scores(self, scorer: Learned) -> None:
        assert scorer.score([]) == []

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.sampled_from(TEXTS) | st.text(max_size=300), min_size=1, max_size=12), st.randoms())
    def test_company_and_order_change_no_score(self, scorer: Learned, texts: list[str], chance: random.Random) -> None:
        alone = {text: margins(scorer, [text])[0] for text in texts}
        mixed = [*texts, *TEXTS]
        chance.shuffle(mixed)
        found = dict(zip(mixed, margins(scorer, mixed), strict=True))
        assert {text: found[text] for text in texts} == pytest.approx(alone, abs=1e-4)

    def test_more_texts_than_are_looked_at_in_one_go_are_scored_in_order(self, scorer: Learned) -> None:
        texts = history(70, seed=2)[0]
        assert margins(scorer, texts)[::-1] == pytest.approx(margins(scorer, texts[::-1]), abs=1e-4)

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.sampled_from([*TEXTS, *history(10)[0]]) | st.text(max_size=400))
    def test_the_parts_of_the_text_and_the_bias_are_the_whole_margin(
        self, compact: Compact, head: Head, text: str
    ) -> None:
        [look] = compact.look([text])
        parts = runs(text, look.reading, head.shares(text, look).tolist())
        bias = float(head.bias) + float(head.base) * look.bias
        score = head.score(text, look)
        assert bias + sum(part.weight for part in parts) == pytest.approx(score.margin, abs=1e-6)
        assert set(score.evidence) <= set(parts)

    def test_a_words_weight_is_told_where_the_word_stands(self, compact: Compact) -> None:
        text = "Hello there\n\nthe robot stands still"
        [look] = compact.look([text])
        score = head_of(compact, text, {"robot": 3.0}).score(text, look)
        strongest = score.evidence[0]
        assert "robot" in text[strongest.start : strongest.end]
        assert strongest.weight == pytest.approx(3.0 / math.sqrt(6), abs=1e-5)  # six words, each of value 1
        assert score.margin == pytest.approx(0.5 + strongest.weight, abs=1e-5)

    def test_a_head_that_adds_nothing_gives_the_base_models_margins(self, compact: Compact) -> None:
        bare = head_of(compact, "none", {}, base=1.0)
        given = [bare.score(text, look).margin - 0.5 for text, look in zip(TEXTS, compact.look(TEXTS), strict=True)]
        expected = [one.margin for one in compact.score([Request(text) for text in TEXTS])]
        assert given == pytest.approx(expected, abs=1e-4)

    def test_the_middle_of_a_long_text_changes_nothing(self, scorer: Learned) -> None:
        start, end = "The desk works again. " * 60, " Thank you and have a good week." * 20
        one, other = (start + middle * 40 + end for middle in ("Nothing new here. ", "The robot burns! "))
        assert margins(scorer, [one]) == pytest.approx(margins(scorer, [other]), abs=1e-4)

    @pytest.mark.parametrize("name", HOSTILE)
    def test_no_text_crashes_the_scorer(self, scorer: Learned, name: str) -> None:
        assert math.isfinite(margins(scorer, [HOSTILE[name][:65_536]])[0])


class TestFolder:
    def test_what_is_stored_scores_as_what_was_fitted(self, scorer: Learned, head: Head, compact: Compact) -> None:
        expected = [head.score(text, look).margin for text, look in zip(TEXTS, compact.look(TEXTS), strict=True)]
        assert margins(scorer, TEXTS) == pytest.approx(expected, abs=1e-4)
        assert scorer.model == Learned.identity() == identity_of(head)
        assert Learned.calibration().probability(0.4) == 0.5

    def test_its_name_tells_the_digest_of_the_head_and_of_the_model_below(self, head: Head, compact: Compact) -> None:
        model = identity_of(head)
        assert model.id == f"learned-{model.digest[:8]}"
        assert model.digest != identity_of(head_of(compact, "other", {})).digest

    def test_a_damaged_head_is_refused(self, head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = stored(tmp_path, head)
        monkeypatch.setenv("LEARNED_MODEL", str(folder))
        changed = bytearray((folder / "head.npz").read_bytes())
        changed[len(changed) // 2] ^= 1
        (folder / "head.npz").write_bytes(changed)
        with pytest.raises(LearnedRefused, match="damaged"):
            Learned()

    def test_storing_it_again_repairs_a_damaged_folder(self, head: Head, tmp_path: Path) -> None:
        folder = stored(tmp_path, head)
        (folder / "head.npz").write_bytes(b"")
        assert stored(tmp_path, head) == folder
        assert (folder / "head.npz").read_bytes() == head.to_bytes()
        assert [one.name for one in tmp_path.iterdir()] == [folder.name]

    def test_a_head_for_another_base_model_is_refused(
        self, head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = stored(tmp_path, head)
        monkeypatch.setenv("LEARNED_MODEL", str(folder))
        card = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps(card | {"base": {"id": "compact-1", "digest": "0" * 64}}))
        with pytest.raises(LearnedRefused, match="train again"):
            Learned()

    @pytest.mark.parametrize(("name", "says"), [("", "Set LEARNED_MODEL"), ("/no/such/folder", "cannot be read")])
    def test_without_a_folder_it_says_what_to_set(self, name: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LEARNED_MODEL", name)
        with pytest.raises(LearnedRefused, match=says):
            Learned.identity()

    def test_a_file_that_would_run_code_is_not_read(self, head: Head, tmp_path: Path) -> None:
        file = tmp_path / "head.npz"
        np.savez(
            file, **{name: np.array([print], object) for name in ("bias", "base", "states", "keys", "idf", "weights")}
        )
        assert pickle.dumps(print) in file.read_bytes() or b"builtins" in file.read_bytes()
        with pytest.raises(ValueError, match="pickle"):
            Head.from_bytes(file.read_bytes())

    def test_who_it_is_is_known_without_loading_a_library(self, folder: Path) -> None:
        program = (
            "import sys; from scoring.learned import Learned; Learned.identity(); Learned.calibration()\n"
            "sys.exit(bool({'numpy', 'onnxruntime', 'tokenizers'} & set(sys.modules)))"
        )
        environment = {"LEARNED_MODEL": str(folder)}
        assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=False).returncode == 0


class TestLearning:
    def test_texts_that_are_read_alike_are_in_one_fifth(self) -> None:
        labels = np.array([0.0, 1.0] * 20)
        folds = fifths(["twice" if row < 4 else str(row) for row in range(40)], labels, 0)
        assert len(set(folds[:4])) == 1
        assert sorted(Counter(folds[4:]).values()) == pytest.approx([7] * 5, abs=1)

    def test_it_learns_what_urgent_means_here(self, head: Head, compact: Compact) -> None:
        texts, urgent = history(100, seed=5)
        given = [head.score(text, look).margin for text, look in zip(texts, compact.look(texts), strict=True)]
        assert auc(given, urgent) > 0.95

    def test_the_same_data_and_seed_give_the_same_bytes(self, head: Head, compact: Compact) -> None:
        texts, urgent = history(150)
        again = learn(read(compact, texts, quiet), urgent, 0, quiet)[0].head
        assert again.to_bytes() == head.to_bytes()

    @pytest.mark.parametrize("seed", range(4))
    def test_labels_that_follow_the_base_model_alone_leave_it_in_charge(self, seed: int) -> None:
        chance = np.random.default_rng(seed)
        base = chance.normal(0, 3, 200)
        words = [dict.fromkeys(chance.integers(0, 50, 10).tolist(), 1) for _ in base]
        found = Read(base, chance.normal(size=(200, 384)).astype(np.float32), words)
        said = (chance.random(200) < 1 / (1 + np.exp(-base))).tolist()
        about = learn(found, said, 0, quiet)[0].about
        assert about["base_weight"] > 0.5
        assert about["spread"]["base"] > 3 * max(about["spread"]["states"], about["spread"]["words"])

    @pytest.mark.parametrize("seed", range(4))
    def test_a_base_model_that_tells_nothing_here_is_turned_down(self, seed: int) -> None:
        chance = np.random.default_rng(seed)
        said = (chance.random(600) < 0.3).tolist()
        words = [dict.fromkeys([int(urgent), *chance.integers(2, 50, 8).tolist()], 1) for urgent in said]
        found = Read(chance.normal(0, 3, 600), chance.normal(size=(600, 384)).astype(np.float32), words)
        fitted, alone = learn(found, said, 0, quiet)
        assert abs(fitted.about["base_weight"]) < 0.2
        assert auc(fitted.margins, said) >= auc(alone.margins, said) - 0.01

    def test_what_it_says_of_its_own_texts_comes_from_heads_that_had_not_seen_them(self, compact: Compact) -> None:
        texts, _ = history(150, seed=6)
        noise = [random.Random(text).random() < 0.5 for text in texts]
        fitted, words = learn(read(compact, texts, quiet), noise, 0, quiet)
        # Labels that are chance cannot be foretold; fitted and judged on the same texts they seem to be.
        assert abs(auc(words.margins, noise) - 0.5) < 0.15
        assert abs(auc(fitted.margins, noise) - 0.5) < 0.2

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10_000), st.sampled_from([0.01, 0.1, 1.0, 10.0]))
    def test_the_regression_ends_where_no_direction_leads_lower(self, seed: int, strength: float) -> None:
        chance = np.random.default_rng(seed)
        values, labels = chance.normal(size=(60, 5)), (chance.random(60) < 0.4).astype(float)
        problem = Problem(Dense(values), labels, np.ones(60), chance.normal(size=60))
        line = fit(problem, strength)
        wrong = 1 / (1 + np.exp(-(problem.offset + line.margins(problem.design)))) - labels
        slope = np.append(wrong @ values + strength * line.weights, wrong.sum())
        at_zero = 1 / (1 + np.exp(-problem.offset)) - labels
        assert np.linalg.norm(slope) <= 2e-3 * np.linalg.norm(np.append(at_zero @ values, at_zero.sum()))

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10_000))
    def test_sparse_and_dense_features_are_the_same_features(self, seed: int) -> None:
        chance = np.random.default_rng(seed)
        values = chance.normal(size=(9, 7)) * (chance.random((9, 7)) < 0.4)
        row, column = values.nonzero()
        sparse, dense = Sparse(row, column, values[row, column], values.shape), Dense(values)
        for vector, other in ((chance.normal(size=7), chance.normal(size=9)),):
            assert sparse.times(vector) == pytest.approx(dense.times(vector))
            assert sparse.transposed_times(other) == pytest.approx(dense.transposed_times(other))
