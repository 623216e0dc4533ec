"""compare.yml through act, with a second local Azure ML in the real one's place."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from azureml_emulator.testing import Arm
from tests.support.repository import COLLEAGUE, repository

pytestmark = pytest.mark.drill


def test_compare(tmp_path: Path) -> None:
    """The trace is kept as an artifact, nothing else stays, and the job is green where nothing differs."""
    with repository(tmp_path, ENDPOINT_NAME="compared") as made:
        made.merge("Makefile", "(?m)^install: .*\n", f"install:\n\ttest -e .venv || ln -s {sys.prefix} .venv\n")

        run = made.dispatch("compare", actor=COLLEAGUE)

        log = run.jobs["compare"].log
        assert run.exit_code == 0, log
        assert "Nothing differs." in log and "Comparisons left nothing" in log
        (trace,) = made.artifacts.rglob("azure.jsonl")
        assert len([json.loads(line) for line in trace.read_text().splitlines()]) > 100
        assert Arm(made.environ)("GET", "onlineEndpoints").json()["value"] == []
