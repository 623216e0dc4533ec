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

from scripts.lib.azure.scoring_client import ROWS, SAMPLE
from scripts.lib.decisions.model_folder import digest, mlmodel
from scripts.lib.decisions.servable import check
from tests.support import ROOT

IMPOSSIBLE = ["--min-auc", "1"]  # the gate, closed
HOMES = [home for home in (ROOT, ROOT / "tests" / "template" / "breast_cancer") if home.exists()]


def train(home: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a train.py as the workflow does, its outputs in `folder`/output."""
    command = [sys.executable, home / "model" / "train.py", "--out", folder / "model", *options]
    environ = {**os.environ, "GITHUB_OUTPUT": str(folder / "output")}
    return subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, check=False)


class Trained:
    """What one run of a train.py left."""

    def __init__(self, home: Path, folder: Path):
        self.home = home
        printed: dict[str, Any] = json.loads(train(home, folder).stdout)
        self.metrics = {name: value for name, value in printed.items() if isinstance(value, float)}
        self.outputs = dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())
        self.folder = folder / "model"
        self.mlmodel = mlmodel(self.folder)


@pytest.fixture(scope="module", params=HOMES, ids=lambda home: home.name)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(request.param, tmp_path_factory.mktemp("trained"))


def test_metrics_are_printed_and_set_as_outputs(trained: Trained) -> None:
    """Standard output is a JSON object with the metrics; in a workflow they are the step's outputs, too."""
    assert trained.metrics
    assert trained.outputs == {name: str(value) for name, value in trained.metrics.items()}


def test_mlmodel_tells_what_reviewers_and_the_smoke_test_need(trained: Trained) -> None:
    """The file MLmodel has the metrics, the labels and the data's hash as metadata."""
    metadata = trained.mlmodel["metadata"]

    assert {name: metadata[name] for name in trained.metrics} == trained.metrics
    assert isinstance(metadata["labels"], list)
    assert re.fullmatch("[0-9a-f]{64}", metadata["data_sha256"])


def test_the_same_model_twice_is_the_same(trained: Trained, tmp_path: Path) -> None:
    """A second training has the digest of the first, so a run that is repeated registers nothing new."""
    train(trained.home, tmp_path)

    assert digest(tmp_path / "model") == digest(trained.folder)


def test_nothing_stands_against_serving_it(trained: Trained) -> None:
    """The folder is whole, and its environment has what Azure's container needs."""
    found = check(trained.folder)

    assert (found.cannot, found.may_not) == ([], [])


@pytest.mark.parametrize("request_file", [SAMPLE, ROWS], ids=str)
def test_requests_have_the_columns_of_the_model(trained: Trained, request_file: Path) -> None:
    """The requests in endpoints/ are what the model's signature takes, and every column is required."""
    inputs = json.loads(trained.mlmodel["signature"]["inputs"])

    columns = json.loads((trained.home / request_file).read_text())["input_data"]["columns"]

    assert columns == [column["name"] for column in inputs]
    assert all(column["required"] for column in inputs)


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_a_gate_leaves_no_folder(home: Path, tmp_path: Path) -> None:
    """A model that isn't good enough ends train.py with exit code 1, and nothing is written."""
    result = train(home, tmp_path, *IMPOSSIBLE)

    assert result.returncode == 1
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_there_is_a_seed_to_change(home: Path) -> None:
    """`make demo` and the tests make another model by another SEED."""
    code = (home / "model" / "train.py").read_text(encoding="utf-8")

    assert len(re.findall(r"^SEED = \d+", code, re.MULTILINE)) == 1
