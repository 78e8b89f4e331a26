"""`python -m scoring.bench` runs with every backend and names the hardware; what it measures is never asserted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installation import ROOT
from tests.scoring import checkpoints


@pytest.mark.parametrize("backend", ["compact", "keyword", "worldpm"])
def test_it_measures_each_backend_and_says_where(backend: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scoring.bench", "--backend", backend, "--tickets", "40", "--json"]
    if backend == "worldpm":
        command += ["--model", str(checkpoints.make(tmp_path / "tiny"))]
    told = json.loads(
        subprocess.run(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, check=True).stdout
    )
    assert told["hardware"]["cores"] >= 1
    assert all(figure["value"] >= 0 for figure in told["figures"])
    names = " ".join(figure["name"] for figure in told["figures"])
    assert "throughput" in names
    assert ("verdict pair" in names) == (backend == "worldpm")
