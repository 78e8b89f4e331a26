"""manage.py train --from labels|FILE"""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from scoring.suites.words import figure, points
from scoring.types import Scorer
from tickets import pipeline
from tickets.intake.cells import FileRefused
from tickets.intake.labelled import BadLabel, Columns, LabelledTicket, labelled_rows, labelled_tickets, time_of
from tickets.management.asking import AskingCommand, carried
from tickets.models import ActivePolicy, Calibration, Policy
from tickets.policy import held_out, training
from tickets.policy.held_out import BEHIND
from tickets.policy.measured import LABELS
from tickets.policy.training import CannotTrain, Example, Trained

_OF_FILES = ("text", "label", "urgent", "drop", "time")


class Command(AskingCommand):
    help = (
        "Learns from an installation's own labels, or a file: a new head for the compact model, with its calibration. "
        "Judges it on tickets it has not seen, stores and registers it. It decides nothing until a policy names it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--from", dest="source", required=True, help="labels: what people confirmed and overrode; or a file")
        add("--text", type=_values, metavar="COLUMN,...", help="of CSV: the subject, and what follows it")
        add("--label", metavar="COLUMN", help="of CSV: what says whether it was urgent")
        add("--urgent", type=_values, default=(), metavar="VALUE,...", help="of that column: these mean urgent")
        add("--drop", type=_values, default=(), metavar="VALUE,...", help="of that column: rows to leave out")
        add("--encoding", default="utf-8-sig", help="of CSV")
        add("--time", metavar="NAME", help="the column or member that says when; the latest are held out")
        add("--test-share", type=_share, default=0.2, metavar="SHARE", help="held out; 0.2 unless told")
        add(
            "--seed",
            type=_seed,
            default=0,
            help="of what is drawn: tickets held out, where no time is known, and folds",
        )
        add("--json", action="store_true", help="the new model's card as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        policy = ActivePolicy.current()
        present = carried(policy)
        try:
            self._train(policy, present, options)
        except (BadLabel, CannotTrain, FileRefused, OSError) as error:
            raise CommandError(str(error)) from error

    def _train(self, policy: Policy, present: Scorer, options: dict[str, Any]) -> None:
        from scoring.compact import Compact

        examples = _examples(options)
        earlier, later = training.split(examples, options["test_share"], options["seed"])
        compact = present if isinstance(present, Compact) else Compact()
        trained = training.train(compact, earlier, options["seed"], self._show)
        figures = held_out.compared(trained, later, compact, policy, present, self._show)
        card = training.card(trained, compact.model, later, figures)
        folder = _stored(trained, card)
        _, calibration, is_new = pipeline.register_trained(
            trained.model, card, trained.calibration, _learned_until(options, earlier), pipeline.Actor("command")
        )
        self.stdout.write(
            json.dumps(_named(trained) | card | {"folder": str(folder), "calibration": calibration.version})
            if options["json"]
            else "\n".join(_told(trained, card, calibration, folder, len(examples), is_new=is_new))
        )

    def _show(self, doing: str, done: int, total: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r\x1b[K{done:,} of {total:,} {doing}", style_func=str, ending="")


def _values(written: str) -> tuple[str, ...]:
    return tuple(value.strip() for value in written.split(","))


def _seed(written: str) -> int:
    seed = int(written)
    if not 0 <= seed < 2**32:
        raise ArgumentTypeError("from 0 to 4,294,967,295")
    return seed


def _share(written: str) -> float:
    share = float(written)
    if not 0 < share < 1:
        raise ArgumentTypeError("between 0 and 1, such as 0.2")
    return share


def _examples(options: dict[str, Any]) -> list[Example]:
    if options["source"] == LABELS:
        if given := [name for name in _OF_FILES if options[name]]:
            raise CommandError(f"--{given[0]} is for a file; people's labels have their own texts and times.")
        return training.labelled_by_people()
    name = options["time"]
    return [Example(one.text, one.urgent, time_of(one, name) if name else None) for one in _tickets(options)]


def _learned_until(options: dict[str, Any], earlier: Sequence[Example]) -> datetime | None:
    """Times of a file say nothing about labels here."""
    return max((one.at for one in earlier if one.at), default=None) if options["source"] == LABELS else None


def _tickets(options: dict[str, Any]) -> Iterator[LabelledTicket]:
    """Of CSV where columns are named, else of JSON lines."""
    file, text, label = Path(options["source"]), options["text"], options["label"]
    if not text and not label:
        return labelled_tickets(file)
    if not (text and label and options["urgent"]):
        raise CommandError("A CSV file takes all three: --text COLUMN,... --label COLUMN --urgent VALUE,...")
    columns = Columns(text, label, frozenset(options["urgent"]), frozenset(options["drop"]), options["time"] or "")
    return labelled_rows(file, columns, options["encoding"])


def _named(trained: Trained) -> dict[str, str]:
    return {"id": trained.model.id, "digest": trained.model.digest}


def _stored(trained: Trained, card: dict[str, Any]) -> Path:
    from scoring.learned import write

    values = trained.calibration.values
    calibration = {"version": values.version, "a": values.a, "b": values.b}
    return write(settings.VAR_DIR / "models", trained.head, card, calibration)


def _told(
    trained: Trained, card: dict[str, Any], calibration: Calibration, folder: Path, given: int, *, is_new: bool
) -> Iterator[str]:
    learned, judged, spread = card["learned_from"], card["held_out"], card["spread"]
    yield f"{trained.model.id}, calibrated by {calibration.version}{'' if is_new else ' (it existed already)'}"
    yield (
        f"learned from {learned['labels']:,} tickets, {learned['urgent']:,} urgent; "
        f"judged on {judged['labels']:,} others, {judged['urgent']:,} urgent"
    )
    if repeated := given - learned["labels"] - judged["labels"]:
        yield f"left out: {repeated:,} late ones with the text of an earlier one"
    told = ", ".join(f"{name} {logits:.2f}" for name, logits in spread.items())
    yield f"how far each part moves a ticket's margin, in logits: {told}"
    yield f"{'':<15}{'accuracy':>24}{'AUC':>24}{'calibration error':>24}{'learned is ahead by':>32}"
    for name, figures in card["figures"].items():
        cells = (figure(figures[column]) for column in ("accuracy", "auc", "ece"))
        ahead = points(figures[BEHIND]) if BEHIND in figures else ""
        yield f"{name:<15}{''.join(f'{cell:>24}' for cell in cells)}{ahead:>32}"
    carrying = f"SCORER=scoring.learned.Learned LEARNED_MODEL={folder}"
    yield "It decides nothing yet. Start a score worker with it, draft a policy that names it, and activate that:"
    yield f"  {carrying} celery --app triage worker --queues score --concurrency 1"
    yield f'  {carrying} manage.py use_scorer --draft --reason "..."'
