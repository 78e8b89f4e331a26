"""What all tests share: real servers where `make test` has started them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from xdist.scheduler import LoadScopeScheduling

from tests.installation import Installation, embedded, real

REAL = "postgres" in os.environ.get("DATABASE_URL", "")


class SideBySide(LoadScopeScheduling):
    """Where tests run side by side, those of one file stay together, and so do all that share something."""

    def _split_scope(self, nodeid: str) -> str:
        return shared(nodeid.split("::", maxsplit=1)[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SideBySide:
    return SideBySide(config, log)


@cache
def shared(file: str) -> str:
    """Tests that are marked `real` may empty the servers, or stop one; those of the browser share a site."""
    path = Path(__file__).parents[1] / file
    return "real" if "pytest.mark.real" in path.read_text() else "browser" if path.parent.name == "browser" else file


@pytest.fixture(autouse=True)
def elasticsearch_is_for_real_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """Beside others, one of those may be filling or emptying it."""
    if request.node.get_closest_marker("real"):
        yield
        return
    with override_settings(ELASTICSEARCH_URL="", ELASTICSEARCH_ADMIN_URL="", ELASTICSEARCH_READER_URL=""):
        yield


@pytest.fixture
def real_servers() -> None:
    """Tests that need the real servers are marked `real` and never pass without them."""
    if not REAL:
        pytest.fail("needs PostgreSQL, Redis and Elasticsearch; type: make test", pytrace=False)


@pytest.fixture
def real_installation(tmp_path: Path, real_servers: None) -> Iterator[Installation]:
    """On PostgreSQL, Redis and Elasticsearch; leases are short so that tests need not wait for them."""
    with real(tmp_path / "site", LEASE_SECONDS="3") as installation:
        yield installation


@pytest.fixture
def embedded_installation(tmp_path: Path) -> Iterator[Installation]:
    with embedded(tmp_path / "site") as installation:
        yield installation
