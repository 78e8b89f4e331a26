"""manage.py evaluate: how good the policy is on labelled tickets and the suites, and the rules on the same ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from scoring.suites.words import ATTRIBUTES, SHARES
from tests.commands.running import output_of
from tests.factories import CALM, URGENT, acting, decide_by, person, scored
from tickets import pipeline
from tickets.flow.score import scorer
from tickets.models import ActivePolicy, Calibration, Entry, Evaluation, Kind, Queue, Ticket, User
from tickets.policy.evaluating import STRATA, agreement, apportioned
from tickets.policy.telling import labelled_in_words

pytestmark = pytest.mark.django_db
GERMAN = "Seit neun Uhr kann niemand mehr mit Karte zahlen, alle Kassen stehen."


def write(folder: Path, rows: list[dict[str, Any]]) -> str:
    file = folder / "labelled.jsonl"
    file.write_text("".join(json.dumps({"subject": "Help"} | row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def mixed(number: int) -> list[dict[str, Any]]:
    """Half urgent by their words; each fifth labelled the other way."""
    return [
        {
            "body": URGENT if n % 2 else CALM,
            "urgent": bool(n % 2) != (n % 5 == 0),
            "language": "en" if n % 3 else "de",
            "stratum": ("technical", "technical", "open", "controversial")[n % 4],
        }
        for n in range(number)
    ]


def told(*arguments: str) -> dict[str, Any]:
    return dict(json.loads(output_of("evaluate", *arguments, "--json")))


def test_accuracy_is_the_share_of_right_verdicts_with_its_interval(tmp_path: Path) -> None:
    found = told(write(tmp_path, mixed(100)))
    assert (found["tickets"], found["urgent"]) == (100, 50)
    share, low, high = found["accuracy"]
    assert share == 0.8
    assert 0.70 < low < share < high < 0.87


def test_the_keyword_rules_are_judged_on_the_same_tickets(tmp_path: Path) -> None:
    found = told(write(tmp_path, [{"body": GERMAN, "urgent": True}] * 10 + [{"body": CALM, "urgent": False}] * 10))
    assert found["points_over_rules"][0] == pytest.approx(
        100 * (found["accuracy"][0] - found["accuracy_rules"][0]), abs=0.01
    )
    assert found["points_over_rules"][1] <= found["points_over_rules"][0] <= found["points_over_rules"][2]


def test_figures_that_are_no_shares_have_intervals_too_but_those_kept_before_there_were_any(tmp_path: Path) -> None:
    found = told(write(tmp_path, mixed(100)))
    for name in ("auc", "auc_rules"):
        low, high = found["between"][name]
        assert low < found[name] < high
    rows = {row["name"]: row["interval"] for row in labelled_in_words(found)}
    assert rows["AUC"] == "{:.3f} to {:.3f}".format(*found["between"]["auc"])
    assert "calibration error" in rows
    del found["between"]
    assert {row["name"]: row["interval"] for row in labelled_in_words(found)}["AUC"] == "no interval was kept"


def test_it_judges_by_the_policys_own_threshold(tmp_path: Path) -> None:
    file = write(tmp_path, [{"body": CALM, "urgent": False}] * 20)
    assert told(file)["accuracy"][0] == 1
    decide_by(threshold=0)
    assert told(file)["accuracy"][0] == 0


def test_queues_groups_and_calibration_add_up(tmp_path: Path) -> None:
    found = told(write(tmp_path, mixed(120)))
    assert sum(row["tickets"] for row in found["calibration_table"]) == 120
    for name in ("language", "stratum", "length"):
        assert sum(group["tickets"] for group in found["groups"][name].values()) == 120
    wrong = sum(group["missed"] + group["false_alarms"] for group in found["groups"]["language"].values())
    assert wrong == round(120 * (1 - found["accuracy"][0]))
    assert 0 <= found["queues"]["urgent"]["recall"][0] <= 1


def test_a_sample_has_the_strata_in_their_shares_and_is_the_same_for_a_seed(tmp_path: Path) -> None:
    file = write(tmp_path, mixed(200))
    found = told(file, "--sample", "100")
    assert {name: one["tickets"] for name, one in found["groups"]["stratum"].items()} == {
        "technical": 70,
        "open": 20,
        "controversial": 10,
    }
    assert told(file, "--sample", "100") == found
    with pytest.raises(CommandError, match="stratum technical are wanted"):
        call_command("evaluate", file, "--sample", "1000")


@given(st.integers(1, 10_000))
def test_strata_make_up_the_whole_sample(number: int) -> None:
    counts = apportioned(number)
    assert sum(counts.values()) == number
    assert all(abs(count - number * STRATA[name]) < 1 for name, count in counts.items())


@pytest.mark.parametrize("number", ["0", "-5"])
def test_a_sample_of_nothing_is_refused(tmp_path: Path, number: str) -> None:
    with pytest.raises(CommandError, match="--sample: at least 1"):
        call_command("evaluate", write(tmp_path, mixed(20)), "--sample", number)


def test_a_report_never_replaces_the_tickets_it_is_about(tmp_path: Path) -> None:
    file = write(tmp_path, mixed(20))
    before = Path(file).read_bytes()
    (tmp_path / "other name").symlink_to(file)
    for report in (file, str(tmp_path / "other name")):
        with pytest.raises(CommandError, match="would replace"):
            call_command("evaluate", file, "--html", report)
    assert Path(file).read_bytes() == before


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_scored(tmp_path: Path) -> None:
    for report in (tmp_path, tmp_path / "no folder" / "report.html"):
        with pytest.raises(CommandError, match="no file that could be written"):
            call_command("evaluate", "suites", "--html", str(report))


def test_a_group_stands_on_one_line_whatever_it_is_called(tmp_path: Path) -> None:
    rows = [row | {"region": "north\naccuracy                100.0 %"} for row in mixed(20)]
    shown = output_of("evaluate", write(tmp_path, rows))
    assert [line for line in shown.splitlines() if line.startswith("accuracy")] == [
        line for line in output_of("evaluate", write(tmp_path, mixed(20))).splitlines() if line.startswith("accuracy")
    ]


def test_a_scorer_that_cannot_be_made_is_said_in_a_line(tmp_path: Path, settings: Any) -> None:
    for name in ("scoring.nowhere.Model", "scoring.learned.Learned"):
        settings.SCORER = name
        scorer.cache_clear()
        with pytest.raises(CommandError, match=f"SCORER={name} cannot be used here"):
            call_command("evaluate", write(tmp_path, mixed(20)))
    scorer.cache_clear()


def test_labels_are_what_people_said_and_two_of_them_are_compared() -> None:
    one, other = acting(person("agent")), acting(person("agent"))
    agreed, disputed, alone = scored(URGENT), scored(URGENT), scored(CALM)
    for ticket in (agreed, disputed, alone):
        pipeline.confirm(ticket.pk, one)
    pipeline.confirm(agreed.pk, other)
    pipeline.override(disputed.pk, Queue.STANDARD, other, "a drill")
    pipeline.confirm(scored(CALM).pk, pipeline.Actor("key:1"))
    found = told("labels")
    assert found["tickets"] == 3
    assert (found["people"]["pairs"], found["people"]["agreement"][0]) == (2, 0.5)
    assert found["people"]["kappa_between"][0] < found["people"]["kappa"] < found["people"]["kappa_between"][1]
    low, high = found["people"]["agreement"][1:]
    assert low < found["people"]["agreement_88"][1] < found["people"]["agreement_88"][2] < high


def agreement_on(ticket: Ticket, *words: tuple[User, Queue]) -> tuple[int, float]:
    """How many pairs there are after these words on it, and which share of them agree."""
    for user, queue in words:
        if Ticket.objects.get(pk=ticket.pk).queue == queue:
            pipeline.confirm(ticket.pk, acting(user))
        else:
            pipeline.override(ticket.pk, queue, acting(user), "as I see it")
    found = agreement()
    return found["pairs"], found["agreement"][0]


def test_people_are_compared_by_their_last_word_on_a_text() -> None:
    ticket, one, other = scored(CALM), person("agent"), person("agent")
    words = [(one, Queue.URGENT), (one, Queue.STANDARD), (other, Queue.STANDARD)]
    assert agreement_on(ticket, *words) == (1, 1.0)


def test_a_text_is_one_pair_however_often_and_by_however_many_it_was_labelled() -> None:
    ticket, one, other, third = scored(CALM), *(person("agent") for _ in range(3))
    words = [(one, Queue.URGENT), (other, Queue.STANDARD), (other, Queue.URGENT), (third, Queue.STANDARD)]
    assert agreement_on(ticket, *words) == (1, 1.0)


def test_labels_that_the_calibration_may_have_been_fitted_on_are_counted() -> None:
    agent, old, new = acting(person("agent")), scored(URGENT), scored(CALM)
    pipeline.confirm(old.pk, agent)
    model = ActivePolicy.current().model
    decide_by(calibration=Calibration.objects.create(version="ours-1", model=model, figures={"present": "x"}))
    pipeline.confirm(new.pk, agent)
    assert told("labels")["calibrated_on"] == 1
    assert "1 of them were labelled before that calibration was made" in output_of("evaluate", "labels")


def test_what_there_was_none_of_is_not_told_as_a_figure(tmp_path: Path) -> None:
    """Only standard tickets, all left standard: precision and recall of the urgent queue, and AUC, are of nothing."""
    found = told(write(tmp_path, [{"body": CALM, "urgent": False}] * 20))
    rows = {row["name"]: row["value"] for row in labelled_in_words(found)}
    assert {rows[name] for name in ("urgent, precision", "urgent, recall", "AUC")} == {"none to tell"}
    assert rows["standard, recall"] == "100.0 %"


def test_two_people_with_one_and_the_same_word_have_no_kappa() -> None:
    ticket, one, other = scored(URGENT), acting(person("agent")), acting(person("agent"))
    for agent in (one, other):
        pipeline.confirm(ticket.pk, agent)
    assert "kappa" not in told("labels")["people"]
    assert "kappa has nothing to tell" in output_of("evaluate", "labels")


def asks_for_nothing_else(page: str) -> bool:
    return not any(outside in page for outside in ("<script", "src=", "href=", "@import", "url("))


def test_the_report_is_one_file_that_asks_for_nothing_else_and_escapes_what_it_shows(tmp_path: Path) -> None:
    rows = [row | {"region": "<script>alert(1)</script>"} for row in mixed(20)]
    output_of("evaluate", write(tmp_path, rows), "--html", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page
    assert asks_for_nothing_else(page)


def test_the_report_draws_four_plots_and_a_line_for_each_group(tmp_path: Path) -> None:
    output_of("evaluate", write(tmp_path, mixed(60)), "--html", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 4
    assert page.count("<polyline") == 4
    groups = told(write(tmp_path, mixed(60)))["groups"]
    assert page.count('class="strip"') == sum(len(one) for one in groups.values())


@pytest.mark.parametrize("urgent", [True, False])
def test_a_report_of_tickets_of_one_queue_alone_can_be_drawn(tmp_path: Path, urgent: bool) -> None:
    file = write(tmp_path, [{"body": CALM, "urgent": urgent}])
    output_of("evaluate", file, "--html", str(tmp_path / "report.html"))
    assert (tmp_path / "report.html").stat().st_size > 0


def test_the_suites_are_told_as_a_table_and_as_one_file_and_nothing_is_stored(tmp_path: Path) -> None:
    before = Entry.objects.count()
    printed = output_of("evaluate", "suites", "--html", str(tmp_path / "suites.html"))
    page = (tmp_path / "suites.html").read_text(encoding="utf-8")
    for words in (*SHARES.values(), *ATTRIBUTES.values()):
        assert words in printed
        assert words in page
    assert asks_for_nothing_else(page)
    assert Entry.objects.count() == before


def test_the_suites_are_judged_whole() -> None:
    with pytest.raises(CommandError, match="--sample"):
        call_command("evaluate", "suites", "--sample", "10")


def test_nothing_is_stored_unasked(tmp_path: Path) -> None:
    before = Entry.objects.count()
    output_of("evaluate", write(tmp_path, mixed(10)))
    assert Entry.objects.count() == before
    assert not Evaluation.objects.exists()


def test_what_is_stored_is_what_was_printed_and_the_entry_is_named(tmp_path: Path) -> None:
    pipeline.confirm(scored(URGENT).pk, acting(person("agent")))
    for source in ("suites", "labels", write(tmp_path, mixed(10))):
        printed = told(source, "--store")
        kept = Evaluation.objects.get(seq=printed.pop("entry"))
        assert kept.figures == printed
        assert kept.source == (Path(source).name if "/" in source else source)
        assert kept.data_digest == printed["data_digest"]
        assert Entry.objects.get(pk=kept.seq).kind == Kind.EVALUATED
    assert "/ops/models/" in output_of("evaluate", "labels", "--store")


def test_a_file_cannot_pass_for_what_people_said(tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_text(json.dumps({"body": CALM, "urgent": False}), encoding="utf-8")
    output_of("evaluate", str(file), "--store")
    assert Evaluation.objects.get().source == "./labels"


def test_names_of_groups_that_a_database_could_not_hold_are_cleaned_and_cut(tmp_path: Path) -> None:
    rows = [mixed(1)[0] | {"region": region} for region in ("\x00north\ud800", "x" * 5_000, "\x00")]
    output_of("evaluate", write(tmp_path, rows), "--store")
    assert set(Evaluation.objects.get().figures["groups"]["region"]) == {"north", "x" * 100}


def test_of_very_many_groups_the_largest_are_told(tmp_path: Path) -> None:
    rows = [row | {"region": f"region {n}"} for n, row in enumerate(mixed(300))]
    found = told(write(tmp_path, [*rows, *({"body": CALM, "urgent": False, "region": "large"},) * 2]))
    assert len(found["groups"]["region"]) == 200
    assert "large" in found["groups"]["region"]


def test_without_labels_it_says_what_to_do() -> None:
    with pytest.raises(CommandError, match="confirm or override"):
        call_command("evaluate", "labels")
    with pytest.raises(CommandError, match="No such file"):
        call_command("evaluate", "/no/such/file")
