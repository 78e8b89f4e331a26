"""What the documents say is true: commands run, settings and commands are listed, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests.installation import ROOT, Installation, embedded, eventually
from tickets.models import Kind

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: Path, language: str) -> list[str]:
    return [body for kind, body in _BLOCK.findall(document.read_text(encoding="utf-8")) if kind == language]


def name(document: Path) -> str:
    return document.name


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """As `make run` leaves it: the demo decided, everything running."""
    with embedded(tmp_path_factory.mktemp("site"), DEMO="1") as site:
        site.manage("demo")
        for kind in ("web", "worker", "sweep"):
            site.start(kind)
        eventually(lambda: site.count("tickets_waiting") == 0, "the demo is decided")
        yield site


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if blocks(document, "sh")], ids=name)
def test_the_commands_in_it_work(document: Path, site: Installation, tmp_path: Path) -> None:
    python = f"{sys.executable} {ROOT / 'manage.py'}"
    script = "\n".join(blocks(document, "sh"))
    script = (
        script.replace(".venv/bin/python manage.py", python)
        .replace(".venv/bin/python", sys.executable)
        .replace("http://127.0.0.1:8000", site.url)
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def settings_that_are_read() -> set[str]:
    read = re.compile(r"""(?:env|Env\(\)|environ)(?:\.\w+)?[(\[]\s*['"]([A-Z_]+)['"]""")
    sources = [ROOT / "triage/settings.py", ROOT / "deploy/gunicorn.py", *(ROOT / "scoring").glob("*.py")]
    return {found for source in sources for found in read.findall(source.read_text())}


def test_every_setting_is_in_the_table_and_nothing_else_is() -> None:
    rows = [
        line.split("|")[1] for line in (ROOT / "docs/operations.md").read_text().splitlines() if line.startswith("| `")
    ]
    listed = {found for row in rows for found in re.findall(r"`([A-Z_]+)`", row)}
    assert listed == settings_that_are_read()


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    folder = ROOT / "tickets/management/commands"
    ours = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    told = {found for document in DOCUMENTS for found in re.findall(r"manage\.py (\w+)", document.read_text())}
    assert ours <= told
    assert told <= set(get_commands())


def test_every_make_target_that_is_told_of_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = {
        found
        for document in DOCUMENTS
        for found in re.findall(r"(?:`|^)make (\w+)", document.read_text(), re.MULTILINE)
    }
    assert told
    assert told <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_its_links_lead_to_files(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_kind_of_entry_is_in_the_format_of_the_log() -> None:
    written = (ROOT / "docs" / "log-format.md").read_text()
    assert [kind.value for kind in Kind if f"`{kind.value}`" not in written] == []


def test_every_metric_that_is_told_of_is_there(site: Installation) -> None:
    told = set(re.findall(r"`(triage_\w+)", (ROOT / "docs/operations.md").read_text()))
    shown = site.get("/metrics").text
    assert {metric for metric in told if f"\n{metric}" not in f"\n{shown}"} == set()


def test_every_key_in_the_help_is_in_the_agents_guide() -> None:
    help_text = (ROOT / "templates/_keys.html").read_text()
    guide = (ROOT / "docs/agents.md").read_text()
    keys = re.findall(r"<kbd>(.+?)</kbd>", help_text)
    assert keys
    assert [key for key in keys if f"`{key}`" not in guide] == []
