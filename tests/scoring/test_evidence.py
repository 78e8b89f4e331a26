"""Sentences left out one at a time: where they stand, and what the margin loses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.compact import Compact
from scoring.evidence import MOST_SENTENCES, left_out, sentences
from scoring.types import Request, Score

WORDS = {"fire": 3.0, "please": -1.0, "thanks": -0.5}


class Counting:
    """margin = the sum of its words: what leaving a sentence out does can be reckoned by hand."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def score(self, requests: Sequence[Request]) -> list[Score]:
        self.calls.append(len(requests))
        return [Score(sum(weight * request.text.count(word) for word, weight in WORDS.items())) for request in requests]


def explained(*texts: str) -> tuple[Counting, list[list[tuple[str, float]]]]:
    scorer, requests = Counting(), [Request(text) for text in texts]
    found = left_out(scorer, requests, scorer.score(requests))  # type: ignore[arg-type]
    return scorer, [
        [(text[one.start : one.end], one.weight) for one in each] for text, each in zip(texts, found, strict=True)
    ]


def test_a_sentence_weighs_what_the_margin_loses_without_it_and_the_strongest_is_first() -> None:
    _, (found,) = explained("Help, please\n\nThere is a fire. Thanks.")
    assert found == [("There is a fire.", 3.0), ("Help, please", -1.0), ("Thanks.", 0.0)]


def test_all_sentences_of_all_texts_are_scored_in_one_call() -> None:
    scorer, _ = explained("One. Two. Three.", "Four")
    assert scorer.calls == [2, 4]


def test_a_text_without_words_has_no_sentences() -> None:
    _, (found,) = explained("")
    assert found == []


@pytest.mark.parametrize("end", [".", "!", "?", "…", "\n", "。"])
def test_a_sentence_ends_where_a_reader_would_end_it(end: str) -> None:
    text = f"The till is broken{end} We wait"
    assert [text[a:b].strip() for a, b in sentences(text)] == [f"The till is broken{end}".strip(), "We wait"]


def test_numbers_and_addresses_are_not_cut() -> None:
    assert len(sentences("Version 3.11.7 at https://example.com/a.b?c=d failed")) == 1


@given(st.text(st.sampled_from("ab .!?\n。…"), max_size=300), st.integers(1, 12))
def test_sentences_follow_each_other_and_hold_every_word(text: str, most: int) -> None:
    found = sentences(text, most)
    assert len(found) <= most
    assert all(start < end for start, end in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))
    outside = "".join(text[end:start] for (_, end), (start, _) in pairwise(found))
    first, last = (found[0][0], found[-1][1]) if found else (len(text), len(text))
    assert not (text[:first] + outside + text[last:]).strip()


def test_the_compact_scorer_says_that_the_sentence_with_the_harm_moved_it_most() -> None:
    scorer = Compact()
    request = Request(
        "A question\n\nI hope you are well. All card payments have been failing since nine o'clock. Kind regards, Ann"
    )
    (found,) = left_out(scorer, [request], scorer.score([request]))
    assert "payments have been failing" in request.text[found[0].start : found[0].end]
    assert found[0].weight > 0
    assert len(found) <= MOST_SENTENCES
