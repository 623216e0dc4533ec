"""Going back where a job's packages can't be installed, through act: the rollback jobs, with az and jq alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from azureml_emulator.workflows.act import STAND_INS, Job
from tests.support.repository import Repository
from tests.workflows.drilling import BLUE, GREEN, SECOND, rollout

pytestmark = pytest.mark.drill

# What is installed there is not what the lock asks for, and the index can't be reached; nor is there another Python.
NO_INDEX = """name: Set up uv, in a job that goes back without the packages
inputs: { python-version: {}, version-file: {}, activate-environment: {}, enable-cache: {} }
runs:
  using: composite
  steps:
    - run: |
        [ "$GITHUB_JOB" = rollback ] || exit 0
        mkdir "$RUNNER_TEMP/empty"
        uv venv --quiet "$RUNNER_TEMP/venv"
        printf '#!/bin/sh\\necho no packages >&2; exit 1\\n' > "$RUNNER_TEMP/empty/python"
        chmod +x "$RUNNER_TEMP/empty/python"
        echo "$RUNNER_TEMP/empty" >> "$GITHUB_PATH"
        echo "VIRTUAL_ENV=$RUNNER_TEMP/venv" >> "$GITHUB_ENV"
      shell: bash
"""


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    shutil.copytree(STAND_INS, tmp_path / "actions")
    (tmp_path / "actions/astral-sh/setup-uv/action.yml").write_text(NO_INDEX)
    return tmp_path / "actions"


def test_rollback_by_hand(serving: Repository, stand_ins: Path) -> None:
    """rollback.yml gives the traffic back although nothing could be installed; it is red, so that somebody looks."""
    serving.script("deploy", "--version", 2)
    serving.script("promote", "--percent", 50)

    run = serving.dispatch("rollback", stand_ins=stand_ins)

    job = run.jobs["rollback"]
    assert (run.exit_code, serving.traffic) == (1, BLUE), job.log
    assert job.steps["exec bash scripts/rollback.sh"] == "success"
    assert "default 100 %" in job.summary
    assert "Network connectivity is disabled" in job.log or "no packages" in job.log


def test_rollback_of_a_rollout(serving: Repository, stand_ins: Path) -> None:
    """A promotion that is cancelled goes back, too."""

    def cancel(name: str, job: Job) -> None:
        if name == f"rollout/{SECOND}" and "setting the traffic" in job.log:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rollout(serving, watch=cancel, stand_ins=stand_ins)

    assert serving.traffic == BLUE
    assert GREEN in serving.endpoint()["record"]["green"]
    assert serving.endpoint()["record"]["direction"] == "back"
