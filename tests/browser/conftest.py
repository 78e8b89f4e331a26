"""A real server on a database of its own, and a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.installation import Installation, embedded

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 30_000  # ms, until a test gives up; what else the machine does is nobody's mistake
expect.set_options(timeout=PATIENCE)
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SEED = """
from datetime import timedelta
from tests.browser.seed import hostile_tickets, moved_with_a_long_reason
from tickets import pipeline
hostile_tickets()
pipeline.score_waiting("test", timedelta(seconds=60))
moved_with_a_long_reason()
"""


@pytest.fixture(scope="package")
def live_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demo and hostile tickets, decided by the keyword rules; no worker runs beside it."""
    with embedded(tmp_path_factory.mktemp("site"), DEMO="1", SCORER="scoring.keyword.Keyword") as site:
        site.manage("demo")
        site.shell(SEED)
        site.start("web")
        yield site


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained about; a test that expects a complaint empties it."""
    return []


@pytest.fixture(params=["1440x900"])
def page(
    request: pytest.FixtureRequest, browser: Browser, live_site: Installation, complaints: list[str]
) -> Iterator[Page]:
    """A fresh person's browser; the test fails if any page logged an error or broke the content security policy."""
    width, height = map(int, request.param.split("x"))
    context = browser.new_context(base_url=live_site.url, viewport={"width": width, "height": height})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def log_in(page: Page, name: str) -> None:
    page.goto("/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(f"{name}-demo")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()
