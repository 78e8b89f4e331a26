"""manage.py replay SEQ|FIRST-LAST"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tickets.audit.archive import archive_of
from tickets.audit.explain import exact
from tickets.audit.replay import Replayed, replay, scorers_here
from tickets.management.asking import AskingCommand
from tickets.models import LogHead

_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18})?)?")


class Command(AskingCommand):
    help = (
        "Scores recorded decisions once more with the model on this machine and compares. Stores nothing. "
        "Exit status 1 if one differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("which", help="an entry, or a range of them: 12, 12-40, 12-")
        parser.add_argument("--json", action="store_true", help="a JSON line for each decision")

    def handle(self, *args: Any, **options: Any) -> None:
        first, last = _range(options["which"])
        counts = {"same": 0, "different": 0, "not replayed": 0}
        for one in replay(first, last, scorers_here()):
            outcome = "not replayed" if one.problem else "same" if one.is_same else "different"
            counts[outcome] += 1
            self.stdout.write(json.dumps(asdict(one) | {"outcome": outcome}) if options["json"] else _told(one))
        if not sum(counts.values()):
            raise CommandError(
                f"There is no automatic decision among the entries {options['which']}{_archived(first)}."
            )
        if not options["json"]:
            self.stdout.write(", ".join(f"{count:,} {outcome}" for outcome, count in counts.items()))
        if counts["different"]:
            raise CommandError(f"{counts['different']:,} decisions differ.", returncode=1)


def _archived(first: int) -> str:
    archive = archive_of(first)
    return f"; those up to {archive.through:,} are in the archive of entry {archive.seq}" if archive else ""


def _range(written: str) -> tuple[int, int]:
    found = _RANGE.fullmatch(written)
    if not found:
        raise CommandError(f"{written!r} is no entry and no range; write 12, 12-40 or 12-")
    first = int(found[1])
    if "-" not in written:
        return first, first
    return first, int(found[2]) if found[2] else LogHead.objects.get(pk=1).seq


def _told(one: Replayed) -> str:
    if one.problem:
        return f"entry {one.seq}: not replayed: {one.problem}"
    if one.is_same:
        return f"entry {one.seq}: same, {exact(one.recorded)}"
    return (
        f"entry {one.seq}: DIFFERENT, {exact(one.recorded)} then and {exact(one.now)} now; "
        f"the margin moved by {one.margin_moved / 1_000_000:+.6f}{', and with it the verdict' * one.verdict_changed}"
    )
