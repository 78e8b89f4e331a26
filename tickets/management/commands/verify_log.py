"""manage.py verify_log"""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tickets.audit.verify import verify


class Command(BaseCommand):
    help = "Walks the decision log and names the first entry that is wrong. Exit status 1 if there is one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="first", type=int, default=1, metavar="SEQ")
        parser.add_argument("--to", dest="last", type=int, metavar="SEQ")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()

        def show(seq: int) -> None:
            if self.stderr.isatty():
                self.stderr.write(f"\r{seq:,} entries", style_func=str, ending="")

        report = verify(options["first"], options["last"], show)
        if report.fault:
            raise CommandError(f"entry {report.fault.seq}: {report.fault.what}", returncode=1)
        seconds = time.monotonic() - started
        self.stdout.write(f"{report.entries:,} entries verified in {seconds:.1f} s; head {report.head}")
