"""The suites: what their texts promise, and that each figure says what its name says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.measures import wilson
from scoring.suites import texts as files
from scoring.suites.association import has_markdown, phi, phi_with_interval, style_control_score
from scoring.suites.figures import Judged, figures
from scoring.suites.texts import CLEAN, ORDERED, PLAIN, STYLE, SuiteText, digest, texts
from scoring.suites.words import ATTRIBUTES, SHARES, WHEN, in_words
from scoring.text import normalise
from scoring.training.data import Example, tickets
from scoring.training.quality import near_duplicates

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40)
LANGUAGES = {"en", "de", "es", "fr", "pt"}


def of(suite: str) -> list[SuiteText]:
    return [one for one in texts() if one.suite == suite]


def judged(say: Callable[[SuiteText], bool]) -> dict[str, dict[str, dict[str, float]]]:
    return dict(figures([Judged(one, say(one)) for one in texts()]))


def counted(say: Callable[[SuiteText], bool], name: str) -> tuple[int, int]:
    share = judged(say)["shares"][name]
    return int(share["count"]), int(share["of"])


class TestTexts:
    def test_every_text_has_an_id_of_its_own_and_says_something_of_its_own(self) -> None:
        assert len({one.id for one in texts()}) == len(texts())
        assert len({one.text for one in texts()}) == len(texts())
        # An empty body ends in the blank line that would be before it.
        assert all(one.text.removesuffix("\n\n") == normalise(one.text) for one in texts())

    def test_every_suite_has_texts_in_five_languages(self) -> None:
        for suite in files.SUITES:
            assert {one.language for one in of(suite)} == LANGUAGES

    def test_half_of_the_contents_in_several_styles_are_urgent_in_each_language(self) -> None:
        plain = [one for one in of(files.STYLE) if one.variant == PLAIN]
        urgent = Counter(one.language for one in plain if one.urgent)
        assert urgent == Counter(one.language for one in plain if not one.urgent)

    def test_texts_of_one_content_belong_into_one_queue_and_one_language(self) -> None:
        for suite in files.SUITES:
            assert len({one.content for one in of(suite)}) == len(
                {(one.content, one.urgent, one.language, one.trade) for one in of(suite)}
            )

    def test_half_of_what_is_obvious_is_urgent_in_each_language_and_all_of_it_is_brief(self) -> None:
        counted = Counter((one.language, one.urgent) for one in of(files.OBVIOUS))
        assert counted == {(language, urgent): 10 for language in LANGUAGES for urgent in (True, False)}
        assert max(len(one.text.split()) for one in of(files.OBVIOUS)) <= 30

    def test_each_order_has_its_twin_without_it(self) -> None:
        twins: dict[str, dict[str, str]] = {}
        for one in of(files.ORDERS):
            twins.setdefault(one.content, {})[one.variant] = one.text
        for pair in twins.values():
            assert set(pair) == {CLEAN, ORDERED}
            assert pair[ORDERED].startswith(pair[CLEAN])
            assert len(pair[ORDERED]) > len(pair[CLEAN])

    def test_styles_are_what_they_are_called(self) -> None:
        for one in of(files.STYLE):
            assert has_markdown(one.text) == (one.variant == "markdown"), one.id
            assert (len(one.text) > 500) == (one.variant == "long"), one.id
            assert ("```" in one.text) == (one.variant == "markdown"), one.id

    def test_false_alarms_are_standard_and_calm_emergencies_urgent(self) -> None:
        assert not any(one.urgent for one in of(files.FAKE_URGENCY) + of(files.SCARY_LOGS))
        assert all(one.urgent for one in of(files.CALM_EMERGENCIES))

    def test_nothing_of_it_is_learned_from(self) -> None:
        learned = {example.text for example in tickets()}
        assert learned.isdisjoint(one.text for one in texts())

    def test_nothing_that_is_nearly_it_is_learned_from_where_the_trades_are_the_same(self) -> None:
        brief = [Example(one.text, one.urgent, one.id) for one in of(files.OBVIOUS)]
        ids = {one.id for one in brief}
        near = near_duplicates([*brief, *tickets()])
        assert [(one.id, other.id) for _, one, other in near if {one.id, other.id} & ids] == []

    def test_the_digest_names_the_data_whatever_their_order_and_sees_each_change(self) -> None:
        assert digest(reversed(texts())) == digest(texts())
        for change in ({"text": "other"}, {"urgent": not texts()[0].urgent}, {"id": "other"}):
            assert digest([replace(texts()[0], **change), *texts()[1:]]) != digest(texts())


class TestAssociation:
    def test_phi_is_one_where_both_go_together_and_minus_one_where_they_never_do(self) -> None:
        assert phi([(True, True)] * 3 + [(False, False)] * 5) == 1
        assert phi([(True, False)] * 3 + [(False, True)] * 5) == -1

    def test_phi_is_that_of_a_table_worked_out_by_hand(self) -> None:
        pairs = [(True, True)] * 30 + [(True, False)] * 10 + [(False, True)] * 20 + [(False, False)] * 40
        assert phi(pairs) == pytest.approx(1_000 / (40 * 60 * 50 * 50) ** 0.5)

    @given(PAIRS)
    def test_phi_lies_between_minus_one_and_one_and_turns_its_sign_with_one_of_them(
        self, pairs: list[tuple[bool, bool]]
    ) -> None:
        assert -1 <= phi(pairs) <= 1
        assert phi([(not first, second) for first, second in pairs]) == pytest.approx(-phi(pairs))
        assert phi([(second, first) for first, second in pairs]) == pytest.approx(phi(pairs))

    def test_the_interval_is_the_same_each_time_holds_phi_and_narrows_with_more_contents(self) -> None:
        rows = [[(True, n % 3 > 0), (False, n % 3 == 0)] for n in range(12)]
        few = phi_with_interval({str(n): row for n, row in enumerate(rows)})
        many = phi_with_interval({str(n): row for n, row in enumerate(rows * 8)})
        assert few == phi_with_interval({str(n): row for n, row in enumerate(rows)})
        assert few[1] <= few[0] <= few[2]
        assert many[2] - many[1] < few[2] - few[1]

    def test_a_verdict_that_never_changes_goes_together_with_nothing_and_says_so(self) -> None:
        found = figures([Judged(one, said=False) for one in texts()])
        assert found["phi"]["length"]["before"] == [0, -1, 1]
        rows = in_words(found | {"rules": found})["associations"]
        assert {row["model"] for row in rows} == {"none to tell"}

    def test_without_contents_everything_is_possible(self) -> None:
        assert phi_with_interval({}) == (0, -1, 1)

    @pytest.mark.parametrize(
        ("text", "score"),
        [("", 0), ("a" * 250, 0.5), ("a" * 500, 1), ("a" * 5_000, 1), ("```\n" + "a" * 496, 0.9), ("a ``` b" * 100, 1)],
    )
    def test_the_style_score_grows_to_500_characters_and_loses_a_tenth_by_a_fence(
        self, text: str, score: float
    ) -> None:
        assert style_control_score(text) == pytest.approx(score)


class TestFigures:
    def test_who_is_always_right_is_alike_everywhere_and_obeys_nobody(self) -> None:
        shares = judged(lambda one: one.urgent)["shares"]
        for name, share in shares.items():
            assert share["of"] > 0
            assert share["count"] == (0 if "obeyed" in name else share["of"])

    def test_an_order_is_obeyed_where_it_changed_the_verdict(self) -> None:
        standard = sum(not one.urgent and one.variant == ORDERED for one in of(files.ORDERS))
        urgent = sum(one.urgent and one.variant == ORDERED for one in of(files.ORDERS))

        def obedient(one: SuiteText) -> bool:
            return one.urgent != (one.variant == ORDERED)

        assert counted(obedient, "orders_to_urgent_obeyed") == (standard, standard)
        assert counted(obedient, "orders_to_standard_obeyed") == (urgent, urgent)

    def test_what_is_where_the_order_wants_it_anyway_obeys_nothing(self) -> None:
        assert counted(lambda one: True, "orders_to_urgent_obeyed") == (0, 0)
        assert counted(lambda one: False, "orders_to_standard_obeyed") == (0, 0)

    def test_who_goes_by_length_alone_has_a_phi_of_one_with_it_before_and_less_after(self) -> None:
        lengths = sorted(len(one.text) for one in of(files.STYLE))
        middle = (lengths[len(lengths) // 2 - 1] + lengths[len(lengths) // 2]) / 2
        length = judged(lambda one: len(one.text) > middle)["phi"]["length"]
        assert length["before"] == [1, 1, 1]  # type: ignore[comparison-overlap]
        assert abs(length["after"][0]) < 0.6  # type: ignore[index]

    def test_who_goes_by_markdown_alone_has_no_association_left_on_plain_words(self) -> None:
        markdown = judged(lambda one: has_markdown(one.text))["phi"]["markdown"]
        assert markdown["before"] == [1, 1, 1]  # type: ignore[comparison-overlap]
        assert markdown["after"] == [0, -1, 1]  # type: ignore[comparison-overlap]

    def test_who_goes_by_content_alone_has_the_same_phi_before_and_after(self) -> None:
        for attribute in judged(lambda one: one.urgent)["phi"].values():
            assert attribute["before"] == attribute["after"]

    def test_a_style_that_flips_one_verdict_is_counted_once(self) -> None:
        flipped = next(one for one in of(files.STYLE) if one.variant != PLAIN)
        count, total = counted(lambda one: one.urgent != (one == flipped), "style_variants_alike")
        assert count == total - 1
        count, total = counted(lambda one: one.urgent != (one == flipped), "style_contents_alike")
        assert count == total - 1

    def test_variants_of_one_content_are_one_observation(self) -> None:
        found = figures([Judged(one, one.urgent) for one in texts()])["shares"]["style_variants_alike"]
        contents = len({one.content for one in texts() if one.suite == STYLE})
        assert (found["of"], found["share"]) == (2 * contents, list(wilson(contents, contents)))

    def test_languages_add_up_to_the_whole(self) -> None:
        found = judged(lambda one: len(one.text) % 2 == 0)
        for name, share in found["shares"].items():
            of_languages = [language["shares"][name] for language in found["languages"].values()]  # type: ignore[index]
            assert sum(one["count"] for one in of_languages) == share["count"]  # type: ignore[index]

    def test_every_figure_has_words_and_can_be_kept_as_json(self) -> None:
        found = judged(lambda one: one.urgent)
        assert set(found["shares"]) == set(SHARES)
        assert set(found["phi"]) == set(ATTRIBUTES)
        rows = in_words(found | {"rules": judged(lambda one: False)})
        assert len(rows["associations"]) == len(ATTRIBUTES) * len(WHEN)
        assert json.loads(json.dumps(found)) == found
