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
from scripts.lib.decisions.model_folder import mlmodel
from tests.support import ROOT

GATE = re.compile(r"--(?:bound|(?:min|max)[-_][\w-]+)")  # in what --help says
HOMES = [
    home
    for home in (ROOT, ROOT / "tests" / "template" / "breast_cancer")
    if (home / "model" / "train.py").exists()  # a model that is trained elsewhere has none
]


def train(home: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a train.py as the workflow does, its outputs in `folder`/output."""
    command = [sys.executable, home / "model" / "train.py", "--out", folder / "model", *options]
    environ = {**os.environ, "GITHUB_OUTPUT": str(folder / "output")}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


class Trained:
    """What one run of a train.py left."""

    def __init__(self, home: Path, folder: Path):
        self.home = home
        printed: dict[str, Any] = json.loads(train(home, folder).stdout)
        self.metrics = {name: value for name, value in printed.items() if type(value) in (int, float)}
        self.outputs = dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())
        self.mlmodel = mlmodel(folder / "model")


@pytest.fixture(scope="module", params=HOMES, ids=lambda home: home.name)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(request.param, tmp_path_factory.mktemp("trained"))


def test_metrics_are_printed_and_set_as_outputs(trained: Trained) -> None:
    """Standard output is a JSON object with the metrics, if any; in a workflow they are the step's outputs, too."""
    assert trained.outputs == {name: str(value) for name, value in trained.metrics.items()}


def test_mlmodel_tells_what_reviewers_and_the_smoke_test_need(trained: Trained) -> None:
    """The file MLmodel has the metrics as metadata and, if there are any, the labels and the data's hash."""
    metadata = trained.mlmodel["metadata"]

    assert {name: metadata[name] for name in trained.metrics} == trained.metrics
    assert isinstance(metadata.get("labels", []), list)
    assert re.fullmatch("[0-9a-f]{64}", metadata.get("data_sha256", "0" * 64))


@pytest.mark.parametrize("request_file", [SAMPLE, ROWS], ids=str)
def test_requests_have_the_columns_of_the_model(trained: Trained, request_file: Path) -> None:
    """The requests in endpoints/ have all columns of the model's signature that are required, and no other."""
    inputs = json.loads(trained.mlmodel.get("signature", {}).get("inputs") or "[]")
    frame = json.loads((trained.home / request_file).read_text())["input_data"]
    if "columns" not in frame or not all("name" in column for column in inputs):
        pytest.skip("the model takes no named columns")

    required = {column["name"] for column in inputs if column.get("required", True)}

    assert required <= set(frame["columns"]) <= {column["name"] for column in inputs}


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_a_gate_leaves_no_folder(home: Path, tmp_path: Path) -> None:
    """A model that isn't good enough ends train.py with exit code 1, and nothing is written."""
    gate = GATE.search(train(home, tmp_path, "--help").stdout)
    if not gate:
        pytest.skip("train.py has no option --min-…, --max-… or --bound")

    for bound in ("1", "0", "1e9", "-1e9"):  # whatever the metric, no model is as good as all of them want
        if train(home, tmp_path / bound, gate[0], bound).returncode == 1:
            assert not (tmp_path / bound / "model").exists()
            return
    pytest.fail(f"{gate[0]} refuses no model")


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_there_is_a_seed_to_change(home: Path) -> None:
    """`make demo` and the tests make another model by another SEED."""
    code = (home / "model" / "train.py").read_text(encoding="utf-8")

    assert len(re.findall(r"^SEED = \d+", code, re.MULTILINE)) == 1
