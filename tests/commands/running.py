"""What the tests of commands share: running one in this process, reading what it prints, rows to import."""

from __future__ import annotations

import io
import json
from typing import Any

from django.core.management import call_command

HEADER = "subject,body,email\n"


def output_of(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def objects(printed: str) -> list[dict[str, Any]]:
    """JSON lines."""
    return [json.loads(line) for line in printed.splitlines()]


def good_row(number: int) -> str:
    return f'Ticket {number},"Text, {number}",{number}@example.com\n'
