"""The shape holds: what a process loads, what is frozen, what starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scoring.keyword import Keyword
from tests.installation import ROOT, procfile

HEAVY = ("torch", "onnxruntime", "transformers", "numpy")
FROZEN_RULES = "e9f2c68335af84695446c5dfcd174bf748f2dd0227df1f300a7890daa0299aa0"


@pytest.mark.parametrize("module", ["triage.wsgi", "tickets.management.commands.sweep"])
def test_a_web_process_and_the_sweep_never_load_a_model_library(module: str) -> None:
    program = (
        "import django, sys, importlib; django.setup()\n"
        "from django.urls import get_resolver; get_resolver().url_patterns\n"
        f"importlib.import_module({module!r}); from tickets.audit import metrics, readiness\n"
        f"sys.exit(', '.join(set({HEAVY}) & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    assert done.returncode == 0


def test_the_keyword_rules_are_frozen_since_everything_is_compared_with_them() -> None:
    assert Keyword.identity().digest == FROZEN_RULES


def test_the_procfile_runs_the_four_processes_of_the_picture() -> None:
    assert set(procfile()) == {"web", "worker", "housekeeping", "sweep"}
