"""manage.py legal_hold add|release SUBJECT --reason "...", or list"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tickets import pipeline
from tickets.audit import holds
from tickets.flow.erase import ReasonNamesPerson
from tickets.management import reasons
from tickets.models import Reason

_SUBJECT = "ticket:12, person:3, a person's e-mail address, or log"


class Command(BaseCommand):
    help = "Keeps a ticket, a person or the whole log from being erased and archived, until it is released."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, does in (("add", "keeps it from now on"), ("release", "keeps it no longer")):
            changing = verbs.add_parser(verb, help=does)
            changing.add_argument("subject", help=_SUBJECT)
            changing.add_argument(
                "--reason", required=True, help="why, for the log; without a person's name and address"
            )
        verbs.add_parser("list", help="what is kept")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "list":
            self._list()
            return
        change = pipeline.hold if options["verb"] == "add" else pipeline.release
        reason = reasons.checked(options["reason"])
        try:
            subject = holds.subject_of(options["subject"].strip())
            entry = change(subject, pipeline.Actor("command"), reason)
        except (holds.UnknownSubject, pipeline.HoldRefused, ReasonNamesPerson) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{subject} is {entry.kind}: entry {entry.seq}")

    def _list(self) -> None:
        held = list(holds.held())
        said = dict(Reason.objects.filter(pk__in=[one.seq for one in held]).values_list("seq", "text"))
        for one in held:
            self.stdout.write(f"{one.subject} since {one.since:%Y-%m-%d}, entry {one.seq}: {said.get(one.seq, '')}")
        if not held:
            self.stdout.write("Nothing is held.")
