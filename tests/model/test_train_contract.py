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
from scripts.lib.decisions.model_folder import digest
from scripts.lib.decisions.model_tags import tags
from scripts.lib.decisions.predictions import names
from scripts.lib.decisions.request_fit import misfits
from scripts.lib.decisions.servable import check
from tests.support import ROOT
from tools.needed import sample

TRAIN = ROOT / "model" / "train.py"
GATE = re.compile(r"--(?:bound|(?:min|max)-[\w-]+)")  # an option of train.py: what a metric must reach, or not exceed
pytestmark = pytest.mark.skipif(not TRAIN.exists(), reason="the model is trained elsewhere")


def train(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run train.py as the workflow does, its outputs in `folder`/output."""
    data = ["--data", path] if (path := sample()) else []  # where all of it isn't in git, and a cluster trains
    command = [sys.executable, TRAIN, *data, "--out", folder / "model", *options]
    environ = {**os.environ, "GITHUB_OUTPUT": str(folder / "output")}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


class Trained:
    """What one run of train.py left."""

    def __init__(self, folder: Path):
        self.folder = folder / "model"
        (folder / "output").touch()
        printed: dict[str, Any] = json.loads(train(folder).stdout)
        self.metrics = {name: value for name, value in printed.items() if type(value) in (int, float)}
        self.outputs = dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


def test_metrics_are_printed_and_set_as_outputs(trained: Trained) -> None:
    """Standard output is a JSON object with the metrics, if any; in a workflow they are the step's outputs."""
    assert trained.outputs == {name: str(value) for name, value in trained.metrics.items()}


def test_mlmodel_tells_what_reviewers_need(trained: Trained) -> None:
    """The file MLmodel has the metrics and, if any, the data's hash as metadata that can be tags."""
    said = tags(trained.folder)

    assert {name: float(said[name]) for name in trained.metrics} == trained.metrics
    assert re.fullmatch("[0-9a-f]{64}", said.get("data_sha256", "0" * 64))


def test_the_same_model_twice_is_the_same(trained: Trained, tmp_path: Path) -> None:
    """A second training has the digest of the first, so a run that is repeated registers nothing new."""
    train(tmp_path)

    assert digest(tmp_path / "model") == digest(trained.folder)


def test_nothing_stands_against_serving_it(trained: Trained) -> None:
    """The folder is whole, and its environment has what Azure's container needs."""
    found = check(trained.folder)

    assert (found.cannot, found.may_not) == ([], [])


@pytest.mark.parametrize("request_file", [SAMPLE, ROWS], ids=str)
def test_requests_are_what_the_model_asks_for(trained: Trained, request_file: Path) -> None:
    """The requests in endpoints/ have what the model's signature says, where it says anything."""
    model = contract(trained.folder)

    wrong = [why for body in load_requests(ROOT / request_file) for why in misfits(body, model.takes or [])]

    assert wrong == []


def test_expectations_are_of_what_the_model_answers(trained: Trained) -> None:
    """A column that is misspelt there would be found at the first smoke test only."""
    said = of_the_file(ROOT / EXPECTATIONS)

    assert unknown_columns(said, names(contract(trained.folder).gives), str(EXPECTATIONS)) == []


def test_a_gate_leaves_no_folder(tmp_path: Path) -> None:
    """A model that isn't good enough ends train.py with exit code 1, and nothing is written.

    The gate's option is --bound, or named after its metric, as --min-auc or --max-rmse; no model reaches a NaN.
    """
    gates = set(GATE.findall(train(tmp_path, "--help").stdout))
    assert gates, "train.py --help names no option --bound, --min-METRIC or --max-METRIC"

    for gate in gates:
        result = train(tmp_path, gate, "nan")

        assert (result.returncode, (tmp_path / "model").exists()) == (1, False), result.stderr


def test_there_is_a_seed_to_change() -> None:
    """`make demo` and the tests make another model by another SEED."""
    assert len(re.findall(r"^SEED = \d+", TRAIN.read_text(encoding="utf-8"), re.MULTILINE)) == 1
