"""manage.py erase EMAIL --reason "..." """

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tickets import pipeline
from tickets.flow.erase import Held, NobodyStored, ReasonNamesPerson, find, refuse_held, stored_about
from tickets.management import reasons


class Command(BaseCommand):
    help = (
        "Erases a person for good: address, name, tickets with all that was said in them, and the reasons given about "
        "them. The log keeps digests that nobody can open, still verifies, and says what was erased."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the person's address, in any case")
        parser.add_argument("--reason", required=True, help="why, for the log; without the person's name and address")
        parser.add_argument("--yes", action="store_true", help="erase without asking")

    def handle(self, *args: Any, **options: Any) -> None:
        reason = reasons.checked(options["reason"])
        try:
            stored = stored_about(find(options["email"]))
            refuse_held(stored)
            self.stdout.write(f"Person {stored.person}: {_told(stored.counts)}.")
            if not options["yes"]:
                self._ask()
            entry = pipeline.erase(options["email"], pipeline.Actor("command"), reason)
        except (Held, NobodyStored, ReasonNamesPerson) as error:
            raise CommandError(str(error)) from error
        content = json.loads(bytes(entry.body))
        self.stdout.write(f"Erased: {_told(content['counts'])}.")
        self.stdout.write(f"Certificate: entry {entry.seq}, {entry.hash}")

    def _ask(self) -> None:
        if not sys.stdin.isatty():
            raise CommandError("Nothing was erased: run it on a terminal, or add --yes.")
        self.stdout.write("Erase all of it for good? Type yes: ", ending="")
        self.stdout.flush()
        if sys.stdin.readline().strip().lower() != "yes":
            raise CommandError("Nothing was erased.")


def _told(counts: Mapping[str, int]) -> str:
    """How many of each kind, without the kinds of which there is none: "messages 3, tickets 2"."""
    told = [f"{name.replace('_', ' ')} {count:,}" for name, count in sorted(counts.items()) if count]
    return ", ".join(told) or "no ticket"
