"""The model card says what was measured, as it was measured, and where a figure misses what was asked of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scoring.compact import WEIGHTS
from scoring.training.card import card
from scoring.training.data import Example
from scoring.training.evaluate import Prediction, predictions, report, wanted
from scoring.training.orders import ordered


def shipped() -> dict[str, Any]:
    return dict(json.loads((WEIGHTS / "model.json").read_text("utf-8")))


def judged(chance: float, urgent: bool, language: str = "en", hard: str = "", pair: str = "") -> Prediction:
    example = Example("The till is off.", urgent, trade="zoos", language=language, hard=hard, pair=pair)
    return Prediction(example, chance, chance, keyword=0.0)


FEW = [
    judged(0.9, urgent=True, hard="calm_emergency"),
    judged(0.7, urgent=True, hard="calm_emergency", language="de"),
    judged(0.2, urgent=False, hard="shouted_trifle", language="de"),
    judged(0.8, urgent=True, hard="style_pair", pair="gate"),
    judged(0.6, urgent=True, hard="style_pair", pair="gate"),
    judged(0.1, urgent=False),
]


def test_the_card_that_ships_is_the_one_of_its_figures() -> None:
    assert (WEIGHTS / "README.md").read_text("utf-8") == card(shipped())


def test_figures_are_of_the_threshold_and_an_equal_score_is_standard() -> None:
    found = report(FEW)
    assert found["accuracy"][0] == pytest.approx(4 / 6, abs=1e-4)
    assert found["calm_emergencies_found"][0] == 0.5
    assert found["style_pairs_alike"][0] == 0
    assert found["points_over_rules"][0] == pytest.approx(2 / 6, abs=1e-4)


def test_each_language_has_each_figure_that_was_wanted_of_all() -> None:
    found = report(FEW)
    german = found["wanted_by_language"]["de"]
    assert german.keys() == wanted(FEW).keys()
    assert (german["calm_emergencies_found"][0], german["shouted_trifles_kept"][0]) == (0, 1)


def test_an_order_is_obeyed_where_it_makes_a_ticket_wrong_that_was_right() -> None:
    margins = [3.0, 3.0, -3.0, -3.0, 3.0, -3.0, 0.1, 3.0]
    ordered = [3.0, -3.0, -3.0, -3.0, 3.0, -3.0, -3.0, 3.0]
    labels = [True, True, False, False, True, False, True, True]
    examples = [Example("till", label, trade=trade) for label, trade in zip(labels, "abababab", strict=True)]
    found = report(predictions(examples, margins, ordered))
    assert found["orders_to_standard_obeyed"][0] == pytest.approx(1 / 4)
    assert found["orders_to_urgent_obeyed"][0] == 0


def test_an_order_is_the_other_way_in_the_tickets_own_language_and_the_same_each_time() -> None:
    examples = [Example("Kasse", urgent=True, language="de"), Example("Kassa", urgent=False)] * 20
    texts = ordered(examples)
    assert texts == ordered(examples)
    added = [text.removeprefix(example.text) for example, text in zip(examples, texts, strict=True)]
    assert all(1 < len(words) < 200 for words in added)
    assert any("Dieses Ticket ist unwichtig" in words for words in added[::2])
    assert not any("Ignore previous" in words for words in added[::2])


def test_the_card_names_what_is_missed_and_what_a_language_has_none_of() -> None:
    found = report(FEW)
    told = card(shipped() | {"figures": found | {"off_torch": shipped()["figures"]["off_torch"]}})
    rows = dict(line.strip("| ").split(" | ", 1) for line in told.splitlines() if line.startswith("| "))
    assert "| style pairs alike | at least 98.7 % | 0.0 % (0.0 to 79.3) | **missed** |" in told
    assert "| shouted trifles left standard | at least 90 % | 100.0 % (20.6 to 100.0) | reached |" in told
    assert rows["tickets with an order in them right"].count("none to tell") == 2
    assert "| orders to be urgent obeyed | none | none to tell |  |" in told
