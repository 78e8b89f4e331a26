"""`manage.py import_tickets` as a process: stopped, killed, watched on a terminal, and with little memory."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.commands.running import HEADER, good_row
from tests.installation import ROOT, Installation, eventually


def start(site: Installation, file: Path, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    # Whoever runs the tests in the background of a script has Ctrl+C ignored, which children inherit.
    command = ["env", "--default-signal=INT", sys.executable, "manage.py", "import_tickets", str(file), *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=site.environment, **streams)


def test_killed_in_the_middle_and_run_again_it_has_each_row_once(embedded_installation: Installation) -> None:
    site, rows = embedded_installation, 4_000
    file = site.folder / "many.csv"
    file.write_text(HEADER + "".join(map(good_row, range(rows))))
    importing = start(site, file, stdout=subprocess.DEVNULL)
    eventually(lambda: site.count("tickets_ticket") > 0, "the first rows are in", every=0.02)
    importing.send_signal(signal.SIGKILL)
    importing.wait()
    there = site.count("tickets_ticket")
    assert 0 < there < rows
    assert f"{rows - there:,} new, {there:,} known already" in site.manage("import_tickets", str(file))
    for table in ("ticket", "waiting", "message", "input", "requester"):
        assert site.count(f"tickets_{table}") == rows
    assert site.count("tickets_ticket WHERE external_id LIKE 'row-%'") == rows


def test_stopped_at_the_keyboard_it_says_how_to_go_on(embedded_installation: Installation) -> None:
    """The file is a pipe that says no more, so that it certainly is in the middle."""
    site = embedded_installation
    pipe, file = site.folder / "pipe", site.folder / "same.csv"
    file.write_text(HEADER + "".join(map(good_row, range(600))))
    os.mkfifo(pipe)
    importing = start(site, pipe, "--format", "csv", stderr=subprocess.PIPE)
    with pipe.open("w") as writer:
        writer.write(file.read_text())
        writer.flush()
        eventually(lambda: site.count("tickets_ticket") == 500, "the first chunk is in")
        importing.send_signal(signal.SIGINT)
        _, said = importing.communicate(timeout=60)
    assert importing.returncode == 1
    assert said.decode() == "CommandError: Stopped. Run it again to go on: what is in already is recognised.\n"
    assert "100 new, 500 known already" in site.manage("import_tickets", str(file))


def test_progress_is_shown_on_a_terminal_and_the_result_on_a_line_of_its_own(
    embedded_installation: Installation,
) -> None:
    shown, _ = watched(embedded_installation, rows=1_000)
    progress, result = shown.split("\n", 1)
    assert progress.startswith("\rline 501: 250 new, 0 known already, 250 refused")
    assert result.startswith("500 new, 0 known already, 500 refused in ")


def test_a_large_file_needs_no_more_memory_than_a_small_one(embedded_installation: Installation) -> None:
    """120 MB, 60 of which become tickets."""
    _, small = watched(embedded_installation, rows=500)
    _, large = watched(embedded_installation, rows=6_000)
    assert embedded_installation.count("tickets_ticket") == 3_000
    assert small > 0
    assert large - small < 30


def watched(site: Installation, rows: int) -> tuple[str, int]:
    """Imports rows of 20 kB, every second of which is refused; what a terminal shows, and the most memory it took."""
    file = site.folder / "rows.csv"
    with file.open("w") as long:
        long.write(HEADER)
        long.writelines(
            f"Ticket,{'x' * 20_000},{number if number % 2 else '@'}@example.com\n" for number in range(rows)
        )
    ours, theirs = pty.openpty()
    importing = start(site, file, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = _watch(ours, importing.pid)
    assert importing.wait() == 0
    return seen


def _watch(terminal: int, pid: int) -> tuple[str, int]:
    """Everything that is shown until the program ends, and the most memory it ever had by then, in MB."""
    parts, peak = [], 0
    while part := _part(terminal):
        parts.append(part)
        with contextlib.suppress(OSError, StopIteration):
            peak = _peak_mb(pid)
    return b"".join(parts).decode(), peak


def _peak_mb(pid: int) -> int:
    """Its own: what the kernel reports to a parent begins with the parent's."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024


def _part(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # how a terminal says that nobody holds its other end any more
        return b""
