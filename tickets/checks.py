"""What must hold before the product may start."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register


@register()
def psycopg2_is_the_driver(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Django prefers psycopg 3 wherever it is installed; the product is built and tested on psycopg2."""
    if importlib.util.find_spec("psycopg") is None:
        return []
    return [
        Error("psycopg 3 is installed.", hint="Run: pip uninstall psycopg. Triage uses psycopg2.", id="triage.E001")
    ]
