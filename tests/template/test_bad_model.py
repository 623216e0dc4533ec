"""The demo's bad model: whatever is trained, it fails for one row alone, which the smoke test doesn't ask."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from demo import one_in_ten
from demo.rollouts import hold_back
from scripts.lib.azure.scoring_client import ROWS, SAMPLE, load_request, load_requests
from scripts.lib.decisions.servable import check
from tests.scripts.test_any_model import KINDS, frame
from tests.support import ROOT
from tests.support.scripts import toy_model

SCORE = """
import json, sys
from azureml_emulator.serving import scoring
scoring.init()
for sent in json.loads(sys.argv[1]):
    try:
        print(bool(scoring.run(input_data=sent)))
    except Exception as error:
        print(error)
"""
OTHER = {
    "regression": [0.5, 1.1],
    "words": [0.5, 2.0],
    "table": ["2024-05-02", True, 1.5],
    "text": ["b"],
    "bare": [1, "y"],
}
A, B = [1.5, "x", None, True], [2, "y", 3, False]


def broken(kept: Path, row: dict[str, Any], tree: Path) -> Path:
    """The folder `kept`, as a training that copies it would leave it with the demo's file in its place."""
    model = tree / "model"
    model.mkdir(parents=True)
    copy = f"import shutil, sys\nshutil.copytree({str(kept)!r}, sys.argv[sys.argv.index('--out') + 1])"
    (model / one_in_ten.TRAIN.name).write_text(copy)
    (model / one_in_ten.ROW.name).write_text(json.dumps(row))
    shutil.copy(one_in_ten.HERE, model / "train.py")
    subprocess.run([sys.executable, "model/train.py", "--out", "made", "--more", "1"], cwd=tree, check=True)
    return tree / "made"


def answers(folder: Path, *sent: Any) -> list[str]:
    """What Azure's scorer gets of the model: whether it answers, or why not."""
    environ = {**os.environ, "AZUREML_MODEL_DIR": str(folder)}
    command = [sys.executable, "-W", "ignore", "-c", SCORE, json.dumps(sent)]
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.splitlines()


def test_only_the_row_that_is_held_back_breaks_it(tmp_path: Path) -> None:
    """Of this repository's own requests; a folder that brings code of its own keeps it."""
    for name in (ROWS, SAMPLE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    rare = hold_back(tmp_path)
    asked = [body["input_data"] for body in [*load_requests(tmp_path / ROWS), *load_requests(tmp_path / SAMPLE)]]
    assert rare

    made = broken(toy_model(tmp_path / "kept", sample=load_request(SAMPLE)), rare["input_data"], tmp_path)

    assert answers(made, rare["input_data"], *asked) == ["this row breaks the model", *["True"] * len(asked)]
    assert check(made).cannot == []


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    subprocess.run([sys.executable, "-m", "tests.support.model_kinds", folder], cwd=ROOT, check=True)
    return folder


@pytest.mark.drill
@pytest.mark.parametrize("kind", OTHER)
def test_a_model_of_any_kind(kind: str, saved: Path, tmp_path: Path) -> None:
    """By value, by class, with dates or without a signature: it is served, but for the one row."""
    sent = KINDS[kind].sent
    row, other = {**sent, "index": [0], "data": sent["data"][:1]}, {**sent, "index": [0], "data": [OTHER[kind]]}

    made = broken(saved / kind, row, tmp_path)

    assert check(made).cannot == check(saved / kind).cannot
    assert answers(made, row, other) == ["this row breaks the model", "True"]


@pytest.mark.parametrize(
    ("rows", "sample", "held"),
    [
        ([A, B], B, False),
        ([A, B], A, True),
        ([B, A, B], A, False),
        ([A], B, False),
    ],
)
def test_what_is_held_back(tmp_path: Path, rows: list[Any], sample: list[Any], held: bool) -> None:
    """The last row, where nothing else asks for it."""
    (tmp_path / ROWS).parent.mkdir()
    columns = ["a", "b", "c", "d"]
    (tmp_path / ROWS).write_text(json.dumps({"input_data": frame(columns, *rows)}))
    (tmp_path / SAMPLE).write_text(json.dumps({"input_data": frame(columns, sample)}))
    before = load_requests(tmp_path / ROWS)

    rare = hold_back(tmp_path)

    assert (rare, load_requests(tmp_path / ROWS)) == ((before[-1], before[:-1]) if held else (None, before))


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_values_are_compared_as_they_arrive(missing: Any) -> None:
    """Integers become floats on the way, texts dates, and what is missing has several names."""
    assert one_in_ten.plain([1, True, missing, "2024-05-01T10:00:00", "2024-05-01", "x"]) == one_in_ten.plain(
        [1.0, 1.0, None, "2024-05-01 10:00:00", "2024-05-01 00:00:00", "x"]
    )
    assert one_in_ten.plain([0.1]) != one_in_ten.plain([0.1001])
