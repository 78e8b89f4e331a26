"""The one secret that an installation without settings makes for itself."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from tests.installation import ROOT


def test_processes_that_start_at_once_on_an_empty_folder_share_one_secret_that_only_the_owner_reads(
    tmp_path: Path,
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"}
    command = [sys.executable, "-c", "from triage.settings import SECRET_KEY; print(SECRET_KEY)"]
    started = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment | {"VAR_DIR": str(tmp_path / "var")}, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    said = {process.communicate(timeout=120)[0].strip() for process in started}
    file = tmp_path / "var" / "secret_key"
    assert said == {file.read_text()}
    assert len(file.read_text()) > 64
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one for one in file.parent.iterdir() if one.is_file()] == [file]
