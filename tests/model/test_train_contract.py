"""The contract of model/train.py (docs/MAKE_IT_YOURS.md), held by whatever model is in the repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.lib.azure.asking import EXPECTATIONS, of_the_file
from scripts.lib.azure.scoring_client import ROWS, SAMPLE, load_requests
from scripts.lib.decisions.contract import contract
from scripts.lib.decisions.expectations import unknown_columns
from scripts.lib.decisions.model_folder import mlmodel
from scripts.lib.decisions.model_tags import tags
from scripts.lib.decisions.predictions import names
from scripts.lib.decisions.request_fit import misfits
from tests.support import ROOT

GATE = re.compile(r"--(?:bound|(?:min|max)-[\w-]+)")  # an option of train.py: what a metric must reach, or not exceed


def train(home: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a train.py as the workflow does, its outputs in `folder`/output."""
    command = [sys.executable, home / "model" / "train.py", "--out", folder / "model", *options]
    environ = {**os.environ, "GITHUB_OUTPUT": str(folder / "output")}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


class Trained:
    """What one run of a train.py left."""

    def __init__(self, home: Path, folder: Path):
        self.home, self.folder = home, folder / "model"
        printed: dict[str, Any] = json.loads(train(home, folder).stdout)
        self.metrics = {name: value for name, value in printed.items() if type(value) in (int, float)}
        self.outputs = dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())
        self.mlmodel = mlmodel(self.folder)


@pytest.fixture(scope="module", params=HOMES, ids=lambda home: home.name)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(request.param, tmp_path_factory.mktemp("trained"))


def test_metrics_are_printed_and_set_as_outputs(trained: Trained) -> None:
    """Standard output is a JSON object with the metrics, if any; in a workflow they are the step's outputs."""
    assert trained.outputs == {name: str(value) for name, value in trained.metrics.items()}


def test_mlmodel_tells_what_reviewers_need(trained: Trained) -> None:
    """The file MLmodel has the metrics and, if any, the data's hash as metadata, and nothing that can't be a tag."""
    metadata = trained.mlmodel["metadata"]

    assert {name: metadata[name] for name in trained.metrics} == trained.metrics
    assert re.fullmatch("[0-9a-f]{64}", tags(trained.folder).get("data_sha256", "0" * 64))


@pytest.mark.parametrize("request_file", [SAMPLE, ROWS], ids=str)
def test_requests_are_what_the_model_asks_for(trained: Trained, request_file: Path) -> None:
    """The requests in endpoints/ have what the model's signature says, where it says anything."""
    model = contract(trained.folder)

    wrong = [why for body in load_requests(trained.home / request_file) for why in misfits(body, model.takes or [])]

    assert wrong == []


def test_expectations_are_of_what_the_model_answers(trained: Trained) -> None:
    """A column that is misspelt there would be found at the first smoke test only."""
    said = of_the_file(trained.home / EXPECTATIONS)

    assert unknown_columns(said, names(contract(trained.folder).gives), str(EXPECTATIONS)) == []


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_a_gate_leaves_no_folder(home: Path, tmp_path: Path) -> None:
    """A model that isn't good enough ends train.py with exit code 1, and nothing is written.

    The gate's option is --bound, or named after its metric, as --min-auc or --max-rmse; no model reaches a NaN.
    """
    gates = set(GATE.findall(train(home, tmp_path, "--help").stdout))
    assert gates, "train.py --help names no option --bound, --min-METRIC or --max-METRIC"

    for gate in gates:
        result = train(home, tmp_path, gate, "nan")

        assert (result.returncode, (tmp_path / "model").exists()) == (1, False), result.stderr


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_there_is_a_seed_to_change(home: Path) -> None:
    """`make demo` and the tests make another model by another SEED."""
    code = (home / "model" / "train.py").read_text(encoding="utf-8")

    assert len(re.findall(r"^SEED = \d+", code, re.MULTILINE)) == 1
