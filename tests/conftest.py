"""What all tests share: real servers where `make test` has started them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation, embedded, real

REAL = "postgres" in os.environ.get("DATABASE_URL", "")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist looks at the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, those of one file stay together, and so do all that share something.

    A test that is marked `real` may empty the servers or stop one; the browser's share a site.
    """
    for item in items:
        package = item.path.parent
        shared = "real" if item.get_closest_marker("real") else package if package.name == "browser" else item.path
        item.add_marker(pytest.mark.xdist_group(str(shared)))


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
