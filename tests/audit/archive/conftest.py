"""A log of two months, with a ticket whose decision is in the first one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.audit.aged_log import FEBRUARY, archive, months
from tickets.models import Ticket


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path, settings: Any) -> None:
    settings.LOG_KEY_FILE, settings.CHECKPOINTS_FILE = tmp_path / "key", tmp_path / "checkpoints.jsonl"
    settings.ELASTICSEARCH_URL = settings.ELASTICSEARCH_ADMIN_URL = ""


@pytest.fixture
def ticket() -> Ticket:
    return months()


@pytest.fixture
def folder(tmp_path: Path, ticket: Ticket) -> Path:
    """The archive of January."""
    archive(tmp_path / "january", FEBRUARY)
    return tmp_path / "january"
