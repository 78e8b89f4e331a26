"""`python -m scoring.bench` runs with every backend and names the hardware; what it measures is never asserted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scoring.worldpm import load
from tests.installation import ROOT
from tests.scoring import checkpoints
from tests.scoring.vllm_server import MODEL, VllmServer


def measured(backend: str, **environment: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "scoring.bench", "--backend", backend, "--tickets", "40", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("backend", ["compact", "keyword", "worldpm"])
def test_it_measures_each_backend_and_says_where(backend: str, tmp_path: Path) -> None:
    model = str(checkpoints.make(tmp_path / "tiny")) if backend == "worldpm" else ""
    told = measured(backend, WORLDPM_MODEL=model)
    assert told["hardware"]["cores"] >= 1
    assert all(figure["value"] >= 0 for figure in told["figures"])
    names = " ".join(figure["name"] for figure in told["figures"])
    assert "throughput" in names
    assert ("verdict pair" in names) == (backend == "worldpm")


def test_a_vllm_server_is_measured_like_the_others(tmp_path: Path) -> None:
    folder = checkpoints.make(tmp_path / "tiny")
    server = VllmServer(load(folder))
    told = measured("remote", WORLDPM_MODEL=str(folder), REMOTE_URL=server.url, REMOTE_MODEL=MODEL)
    server.close()
    assert told["model"]["id"] == MODEL
    assert any("throughput" in figure["name"] for figure in told["figures"])
