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
from scripts.lib.decisions.model_tags import tags
from scripts.lib.decisions.predictions import names
from scripts.lib.decisions.request_fit import misfits
from tests.support import ROOT

HOMES = [home for home in (ROOT, ROOT / "tests" / "template" / "breast_cancer") if (home / "model/train.py").exists()]
GATE = re.compile(r"--((?:min|max)(?=-)|bound\b)[\w-]*")  # an option: what a metric must reach, or not exceed
IMPOSSIBLE = {"min": ["1", "1e9"], "max": ["0", "-1e9"], "bound": ["1e9", "-1e9"]}  # one of them lets no model pass


def train(home: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a train.py as the workflow does, its outputs in `folder`/output."""
    command = [sys.executable, home / "model" / "train.py", "--out", folder / "model", *options]
    folder.mkdir(exist_ok=True)
    environ = {**os.environ, "GITHUB_OUTPUT": str(folder / "output")}
    return subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, check=False)


class Trained:
    """What one run of a train.py left."""

    def __init__(self, home: Path, folder: Path):
        self.home, self.folder = home, folder / "model"
        printed: dict[str, Any] = json.loads(train(home, folder).stdout)
        self.metrics = {name: value for name, value in printed.items() if type(value) in (int, float)}
        (folder / "output").touch()
        self.outputs = dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())


@pytest.fixture(scope="module", params=HOMES, ids=lambda home: home.name)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(request.param, tmp_path_factory.mktemp("trained"))


def test_metrics_are_printed_and_set_as_outputs(trained: Trained) -> None:
    """Standard output is a JSON object with the metrics, if any; in a workflow they are the step's outputs."""
    assert trained.outputs == {name: str(value) for name, value in trained.metrics.items()}


def test_mlmodel_tells_what_reviewers_need(trained: Trained) -> None:
    """The file MLmodel has the metrics as metadata, and the data's hash; nothing there that can't be a tag."""
    said = tags(trained.folder)

    assert {name: float(said[name]) for name in trained.metrics} == trained.metrics
    assert re.fullmatch("[0-9a-f]{64}", said.get("data_sha256", "0" * 64))


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

    The gate's option is `--min-METRIC`, `--max-METRIC` or `--bound`.
    """
    gates = {found[0]: IMPOSSIBLE[found[1]] for found in GATE.finditer(train(home, tmp_path, "--help").stdout)}
    if not gates:
        pytest.skip("train.py has no option --min-METRIC, --max-METRIC or --bound")

    for option, values in gates.items():
        closed = next((value for value in values if train(home, tmp_path / value, option, value).returncode == 1), None)

        assert closed, f"{option} lets every model pass"
        assert not (tmp_path / closed / "model").exists()


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_there_is_a_seed_to_change(home: Path) -> None:
    """`make demo` and the tests make another model by another SEED."""
    code = (home / "model" / "train.py").read_text(encoding="utf-8")

    assert len(re.findall(r"^SEED = \d+", code, re.MULTILINE)) == 1
