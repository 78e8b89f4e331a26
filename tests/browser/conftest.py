"""A real server on a database of its own, and a real browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
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
ELSEWHERE = ("DATABASE_URL", "BROKER_URL", "ELASTICSEARCH_URL", "HTTPS", "PROXY_COUNT", "ALLOWED_HOSTS")
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SEED = """
from datetime import timedelta
from tests.browser.seed import hostile_tickets
from tickets import pipeline
hostile_tickets()
pipeline.score_waiting("test", timedelta(seconds=60))
"""


@dataclass(frozen=True)
class Site:
    """A running installation. `shell` runs Python in a process of its own beside the server."""

    url: str
    environment: dict[str, str]

    def __str__(self) -> str:
        return self.url

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def shell(self, code: str) -> str:
        return self.manage("shell", "-v0", "-c", code)


@pytest.fixture(scope="package")
def live_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    var = tmp_path_factory.mktemp("site")
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE} | {
        "VAR_DIR": str(var),
        "DEMO": "1",
        "SCORER": "scoring.keyword.Keyword",
        "LOG_LEVEL": "WARNING",
    }
    site = Site(f"http://127.0.0.1:{port}", environment)
    site.manage("migrate", "-v0")
    site.manage("demo")
    site.shell(SEED)
    with (var / "server.log").open("w") as log:
        command = [sys.executable, "-m", "gunicorn", "triage.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "8"]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            _wait_until_alive(site.url)
            yield site
        finally:
            server.terminate()
            server.wait(timeout=30)


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
def page(request: pytest.FixtureRequest, browser: Browser, live_site: Site, complaints: list[str]) -> Iterator[Page]:
    """A fresh person's browser; the test fails if any page logged an error or broke the content security policy."""
    width, height = map(int, request.param.split("x"))
    context = browser.new_context(base_url=live_site.url, viewport={"width": width, "height": height})
    context.set_default_timeout(10_000)
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


def _wait_until_alive(url: str) -> None:
    for _ in range(150):
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer in 15 seconds")
