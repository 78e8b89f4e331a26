"""What the keyword rules promise."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import scoring.keyword
from scoring.keyword import BIAS, Keyword, fold
from scoring.text import compose
from scoring.types import Request, Score

URGENT_MARGIN = math.log(0.7 / 0.3)
RULES: dict[str, list[tuple[str, float]]] = json.loads(
    Path(scoring.keyword.__file__).with_name("keyword_rules.json").read_text(encoding="utf-8")
)
PHRASES = sorted(phrase for rules in RULES.values() for phrase, _ in rules)
FOLDED = [
    re.compile(re.escape(" ".join(fold(phrase).split()).replace("'", "")).replace(r"\*", r"\w*")) for phrase in PHRASES
]
KEYWORD = Keyword()

texts = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(PHRASES).map(lambda phrase: phrase.replace("*", "").upper()),
        st.sampled_from(PHRASES).map(
            lambda phrase: phrase.replace("*", "en").replace(" ", "\n").replace("'", "\u2019")
        ),
        st.sampled_from(["\n\n", " ", "not", "nicht ", "İ", "ß", "ﬁ", "e\u0301", "!!!", "ё", "漢字", "🔥"]),
    ),
    max_size=12,
).map("".join)


def score(subject: str, *messages: str) -> Score:
    return KEYWORD.score([Request(compose(subject, messages))])[0]


def matched(text: str) -> list[str]:
    return [text[found.start : found.end] for found in KEYWORD.score([Request(text)])[0].evidence]


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Checkout", "Payments are failing since 9:00 and nobody can order."),
        ("Heater", "It arrived today. There is a burning smell and smoke from the plug."),
        ("Zahlungen", "Seit heute Morgen nichts geht mehr, wir können nicht kassieren."),
        ("Sicherheitslücke", "Ich sehe Daten eines anderen Kunden, bitte sofort abschalten."),
        ("Cuenta hackeada", "Alguien entró y hay un cargo no autorizado."),
        ("URGENTE", "La estufa echa humo y huele a quemado."),
        ("Le site est en panne", "Tous les paiements échouent, nous perdons des ventes."),
        ("Radiateur", "Il y a de la fumée et des étincelles, c'est dangereux."),
        ("Site fora do ar", "Os pagamentos estão falhando para todos os clientes."),
        ("Aquecedor", "Saiu fumaça e levei um choque elétrico."),
    ],
)
def test_an_emergency_is_urgent_in_each_language(subject: str, body: str) -> None:
    assert score(subject, body).margin > URGENT_MARGIN


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Dark theme", "Feature request: a dark theme would be nice. No rush, thank you!"),
        ("Frage zu meiner Rechnung", "Wie kann ich die Adresse ändern? Keine Eile, vielen Dank."),
        ("Una pregunta", "¿Cómo puedo cambiar los datos de facturación? Sin prisa, gracias."),
        ("Adresse de facturation", "Comment faire pour la changer ? Rien ne presse, merci."),
        ("Segunda via da fatura", "Como faço para baixar? Sem pressa, muito obrigado."),
    ],
)
def test_an_everyday_question_scores_below_a_text_without_any_phrase(subject: str, body: str) -> None:
    assert score(subject, body).margin < BIAS


def test_a_text_without_any_phrase_gets_about_a_quarter() -> None:
    probability = 1 / (1 + math.exp(-score("Lamp", "The shade of the lamp I bought is a little crooked.").margin))
    assert 0.2 < probability < 0.3


def test_a_phrase_weighs_more_in_the_subject_than_in_the_body() -> None:
    assert score("Outage", "See below.").margin > score("See below.", "Outage").margin > BIAS


@pytest.mark.parametrize("shift", [str.upper, str.title, str.lower])
def test_letter_case_does_not_hide_a_phrase(shift: Callable[[str], str]) -> None:
    assert matched(shift("datenverlust bei uns")) == [shift("datenverlust")]


@pytest.mark.parametrize("text", ["perdida de datos", "Pérdida\nde  datos", "PÉRDIDA-DE-DATOS", "_pérdida_de_datos_"])
def test_accents_line_breaks_and_hyphens_do_not_hide_a_phrase(text: str) -> None:
    assert matched(text) == [text.strip("_")]


@pytest.mark.parametrize("apostrophe", ["'", "\u2019", ""])
def test_any_apostrophe_or_none_will_do(apostrophe: str) -> None:
    assert matched(f"We can{apostrophe}t log in") == [f"can{apostrophe}t log in"]


def test_a_phrase_counts_only_as_whole_words() -> None:
    assert matched("insurgently firefunken typography") == []


def test_offsets_point_into_the_text_as_written() -> None:
    assert matched("İstanbul, Straße — ﬁne: OUTAGE") == ["OUTAGE"]


@pytest.mark.parametrize(
    "text",
    [
        "This is not urgent",
        "It isn\u2019t really that urgent",
        "Das ist nicht dringend",
        "Das ist nicht so sehr dringend",
        "Esto no es urgente",
        "Ce n'est pas du tout urgent",
        "Il n'y a pas d'urgence",
        "Isso não é urgente",
        "Nobody was hacked",
        "Niemand wurde verletzt",
        "Personne n'est blessé",
    ],
)
def test_a_negated_alarm_counts_against_urgent(text: str) -> None:
    assert score("Request", text).margin < BIAS


@pytest.mark.parametrize(
    "text",
    [
        "I could not wait. Urgent",
        "Not now, urgent",
        "If not fixed immediately",
        "The client wants urgent help",
        "erro no envio urgente",
    ],
)
def test_a_negation_elsewhere_in_the_sentence_denies_nothing(text: str) -> None:
    assert score("Request", text).margin > BIAS


def test_a_later_message_can_raise_the_alarm_that_the_first_denied() -> None:
    assert score("Request", "Not urgent").margin < score("Request", "Not urgent", "Now it is urgent").margin


def test_repeating_a_phrase_adds_nothing() -> None:
    assert score("Help", "hacked " * 50).margin == score("Help", "hacked").margin


def test_shouting_counts_a_little() -> None:
    calm, loud = score("Parcel", "where are my new curtains"), score("PARCEL", "WHERE ARE MY NEW CURTAINS!!!")
    assert 0 < loud.margin - calm.margin < 1


def test_evidence_is_the_strongest_eight_strongest_first() -> None:
    evidence = score("Outage", "hacked smoke urgent asap fraud thanks deadline on fire crash typo").evidence
    weights = [abs(found.weight) for found in evidence]
    assert len(weights) == 8
    assert weights == sorted(weights, reverse=True)


@pytest.mark.parametrize("phrase", PHRASES)
def test_every_phrase_of_the_table_is_found_whole(phrase: str) -> None:
    text = phrase.replace("*", "")
    assert matched(text) == [text]


def test_a_phrase_that_stands_in_two_languages_weighs_the_same() -> None:
    weights = defaultdict(set)
    for rules in RULES.values():
        for phrase, weight in rules:
            weights[fold(phrase)].add(weight)
    assert [phrase for phrase, found in weights.items() if len(found) > 1] == []


@given(texts)
def test_every_piece_of_evidence_lies_in_the_text_and_folds_to_a_phrase(text: str) -> None:
    for found in KEYWORD.score([Request(text)])[0].evidence:
        assert 0 <= found.start < found.end <= len(text)
        slice_ = " ".join(fold(text[found.start : found.end]).replace("'", "").split())
        assert any(phrase.fullmatch(slice_) for phrase in FOLDED)


@given(st.text())
def test_folding_keeps_the_length(text: str) -> None:
    assert len(fold(text)) == len(text)


@given(st.lists(texts, max_size=5))
def test_a_text_scores_the_same_alone_and_in_a_list(written: list[str]) -> None:
    requests = [Request(text) for text in written]
    assert KEYWORD.score(requests) == [KEYWORD.score([request])[0] for request in requests]


@given(texts)
def test_the_margin_is_finite_and_within_its_limits(text: str) -> None:
    assert -8 <= KEYWORD.score([Request(text)])[0].margin <= 8


@pytest.mark.parametrize(
    "unit",
    ["a", " ", "!", "İ", "🔥", "not ", "can't ", "payment", "data ", "not urgent ", "no\n", "n't", "-'", "nicht so "],
)
def test_long_hostile_text_is_read_to_the_end(unit: str) -> None:
    hostile = (unit * 70_000)[:70_000]
    assert matched(hostile + " ransomware")[0] == "ransomware"


def test_no_repetition_is_unbounded_unless_it_is_possessive() -> None:
    assert re.search(r"(?<!\\)(?:\*|\+|,\})(?!\+)", KEYWORD._phrases.pattern.replace("*+", "")) is None


def test_the_identity_is_told_without_an_instance_and_matches_it() -> None:
    identity = Keyword.identity()
    assert identity == KEYWORD.model
    assert identity.id == "keyword-1"
    assert re.fullmatch(r"[0-9a-f]{64}", identity.digest)


def test_no_texts_give_no_scores() -> None:
    assert KEYWORD.score([]) == []
