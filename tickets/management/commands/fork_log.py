"""manage.py fork_log NAME --reason "..." """

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tickets import pipeline
from tickets.audit.checkpoints import contradiction
from tickets.management import reasons


class Command(BaseCommand):
    help = (
        "After a backup was restored: says in the log that it goes on from there, so that it is signed again. "
        "What was lost stays provable by the checkpoints kept before, which move into a file of their own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="of the fork, for example the day of the backup")
        parser.add_argument("--reason", required=True, help="why, for the log")

    def handle(self, *args: Any, **options: Any) -> None:
        reason, name = reasons.checked(options["reason"]), options["name"].strip()
        if not name.isprintable() or not 0 < len(name) <= 60:  # noqa: PLR2004
            raise CommandError("Give a name of 1 to 60 printable characters.")
        lost = contradiction()
        if lost is None:
            raise CommandError("The log agrees with the checkpoints this host signed: there is nothing to fork from.")
        entry = pipeline.fork_log(name, lost, pipeline.Actor("command"), reason)
        before = settings.CHECKPOINTS_FILE.with_name(f"checkpoints.before-{entry.seq}.jsonl")
        settings.CHECKPOINTS_FILE.rename(before)
        self.stdout.write(f"Fork {name} begins at entry {entry.seq}; the checkpoints before it are in {before}.")
