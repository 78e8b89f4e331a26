"""The written tickets teach what urgent means, and nothing that merely goes along with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import compact
from scoring.training.data import TICKETS, Example, digest, tickets
from scoring.training.quality import (
    NEAR_DUPLICATE,
    alarm_words,
    alone,
    controversial_ratio,
    counts,
    has_markdown,
    jaccard,
    language_alone,
    length_band,
    near_duplicates,
    share,
    shingles,
    words,
)

MEMBERS = {
    "id": str,
    "trade": str,
    "language": str,
    "channel": str,
    "region": str,
    "subject": str,
    "body": str,
    "urgent": bool,
    "second_opinion": bool,
    "hard": str,
    "pair": str,
}
CHANNELS = {"email", "chat", "form", "api", "phone_note"}
HARD = {"", "calm_emergency", "shouted_trifle", "scary_harmless", "injection", "style_pair"}
WEIGHTS = Path(compact.__file__).with_name("compact_weights")
WRITTEN = tickets()
TRADES = {example.trade for example in WRITTEN}
LATER = sorted(file.name for file in TICKETS.glob("*.jsonl") if file.stem not in {*TRADES, "terse"})
"""Written when trades were held out already, each of many trades."""
ROWS = [json.loads(line) for file in TICKETS.glob("*.jsonl") for line in file.read_text("utf-8").splitlines()]


def of_file(name: str) -> list[Example]:
    ids = {json.loads(line)["id"] for line in (TICKETS / name).read_text("utf-8").splitlines()}
    return [example for example in WRITTEN if example.id in ids]


def held_out() -> set[str]:
    return set(json.loads((WEIGHTS / "model.json").read_text("utf-8"))["settings"]["held_out"])


def test_every_line_is_a_ticket_with_all_members_in_order_and_no_other() -> None:
    assert len(WRITTEN) == len(ROWS)
    for row in ROWS:
        assert [(name, type(value)) for name, value in row.items()] == list(MEMBERS.items()), row["id"]
        assert 1 <= len(row["subject"]) <= 300, row["id"]
        assert row["channel"] in CHANNELS, row["id"]
        assert row["hard"] in HARD, row["id"]
        assert len(row["region"]) == 2, row["id"]
        assert row["region"].isupper(), row["id"]


def test_every_ticket_has_an_id_of_its_own_that_starts_with_its_trade() -> None:
    assert len({example.id for example in WRITTEN}) == len(WRITTEN)
    assert all(example.id.startswith(f"{example.trade}-") for example in WRITTEN)


def test_no_two_tickets_are_nearly_the_same() -> None:
    assert [(one.id, other.id) for _, one, other in near_duplicates(WRITTEN)] == []


def test_a_copy_with_another_name_and_number_is_found() -> None:
    first = next(example for example in WRITTEN if words(example) > 40)
    head, *rest = first.text.split()
    copy = Example(" ".join(["Malvina", "4711", *rest]), first.urgent, id="copy")
    assert [(one.id, other.id) for _, one, other in near_duplicates([*WRITTEN[:50], copy])] == [(first.id, "copy")]
    assert head not in copy.text.split()[:2]


@given(st.lists(st.text("abc ", max_size=30), max_size=12), st.sampled_from([0.3, NEAR_DUPLICATE, 0.8]))
def test_looking_at_few_pairs_finds_the_same_as_looking_at_all(texts: list[str], threshold: float) -> None:
    examples = [Example(text, urgent=False, id=str(place)) for place, text in enumerate(texts)]
    near = {
        (one.id, other.id)
        for one, other in combinations(examples, 2)
        if jaccard(shingles(one.text), shingles(other.text)) >= threshold
    }
    assert {(one.id, other.id) for _, one, other in near_duplicates(examples, threshold)} == near


@pytest.mark.parametrize("tells", [words, lambda example: len(example.text), alarm_words])
def test_neither_length_nor_alarm_words_give_the_label_away(tells: Callable[[Example], float]) -> None:
    assert 0.45 <= alone(WRITTEN, tells) <= 0.55


def test_the_language_does_not_give_the_label_away() -> None:
    assert 0.45 <= language_alone(WRITTEN) <= 0.55


def test_a_language_that_does_give_the_label_away_is_seen() -> None:
    split = [Example(str(place), place % 2 == 0, language="de" if place % 2 else "en") for place in range(200)]
    assert language_alone(split) == 1


@pytest.mark.parametrize("name", [name for name in LATER if name != "lists.jsonl"])
@pytest.mark.parametrize("tells", [words, alarm_words])
def test_among_tickets_of_one_tone_only_what_happened_tells(name: str, tells: Callable[[Example], float]) -> None:
    assert 0.42 <= alone(of_file(name), tells) <= 0.58


def test_there_are_enough_tickets_of_enough_trades() -> None:
    assert len(WRITTEN) >= 2400
    assert len(TRADES) >= 10
    assert {example.language for example in WRITTEN} == {"en", "de", "es", "fr", "pt"}


@pytest.mark.parametrize("group", [lambda one: one.trade, lambda one: one.language])
def test_every_trade_and_every_language_has_both_labels(group: Callable[[Example], str]) -> None:
    """At least five tickets of each, or three in ten where it has few; nobody learns a label from fewer than ten."""
    for urgent, standard in counts(WRITTEN, group).values():
        if urgent + standard >= 10:
            assert min(urgent, standard) >= min(5, 0.3 * (urgent + standard))


def test_both_of_a_style_pair_are_of_one_trade_and_label() -> None:
    pairs: dict[tuple[str, str], list[Example]] = {}
    for example in WRITTEN:
        if example.pair:
            pairs.setdefault((example.trade, example.pair), []).append(example)
    assert len(pairs) > 400
    assert {len(pair) for pair in pairs.values()} == {2}
    assert all(one.urgent == other.urgent for one, other in pairs.values())


def test_urgent_and_standard_are_about_half_and_half() -> None:
    assert 0.43 <= share(WRITTEN, lambda example: example.urgent) <= 0.5


def test_about_a_quarter_is_written_in_markdown() -> None:
    assert 0.20 <= share(WRITTEN, has_markdown) <= 0.26


def test_a_few_are_controversial_in_either_direction() -> None:
    assert 0.05 <= share(WRITTEN, lambda example: example.doubtful) <= 0.08
    assert 1.2 <= controversial_ratio(WRITTEN) <= 1.5


def test_a_ticket_may_be_one_line_or_four_hundred_words_urgent_or_not() -> None:
    bands = counts(WRITTEN, length_band)
    assert set(bands) == {5, 20, 50, 90, 200, 400}
    assert all(min(labels) >= 10 for labels in bands.values())


def test_no_later_ticket_is_of_a_trade_that_is_held_out() -> None:
    assert held_out()
    later = [example for name in LATER for example in of_file(name)]
    assert not {example.trade for example in later} & held_out()


def test_the_weights_that_ship_were_measured_on_all_tickets_of_the_held_out_trades_and_no_others() -> None:
    measured = [example for example in WRITTEN if example.trade in held_out()]
    assert json.loads((WEIGHTS / "calibration.json").read_text("utf-8"))["data_digest"] == digest(measured)
    model = json.loads((WEIGHTS / "model.json").read_text("utf-8"))
    assert model["learned_from"] <= len(WRITTEN) - len(measured)
    assert model["data_digest"] != digest(WRITTEN)
