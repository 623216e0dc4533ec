"""The MLflow model folder that `python model/train.py` writes, and how Azure's no-code scoring reads it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests
import yaml
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from uv import find_uv_bin

from benchmarks.model import as_azure
from tests.support import ROOT

SAMPLE = ROOT / "endpoints" / "sample-request.json"
SMOKE = ROOT / "endpoints" / "smoke-requests.json"
STAMPS = r"(?m)^(model_uuid|utc_time_created): .*\n"
Score = Callable[[dict[str, Any]], list[int]]


def train(work: Path, hash_seed: str) -> subprocess.CompletedProcess[str]:
    """Train in a process of its own that writes below `work`."""
    environment = {
        **os.environ,
        "GITHUB_OUTPUT": str(work / "output"),
        "GITHUB_STEP_SUMMARY": str(work / "summary"),
        "PYTHONHASHSEED": hash_seed,
    }
    command = [
        sys.executable,
        ROOT / "model" / "train.py",
        "--data",
        ROOT / "model" / "heart.csv",
        "--out",
        work / "model",
    ]
    return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which training ran once: model, output, summary, and its stdout in metrics.json."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "metrics.json").write_text(train(folder, hash_seed="1").stdout)
    return folder


@pytest.fixture(scope="module")
def metrics(work: Path) -> dict[str, Any]:
    return dict(json.loads((work / "metrics.json").read_text()))


@pytest.fixture(scope="module")
def mlmodel(work: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((work / "model" / "MLmodel").read_text()))


@pytest.fixture(scope="module")
def score(work: Path) -> Score:
    """What Azure's scoring script does: cast as the saved input example says, let MLflow check and predict."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow 2.x warns of itself when it is imported
        from mlflow.pyfunc import load_model

    example = pd.read_json(work / "model" / "input_example.json", orient="split", dtype=False)
    caster = PandasParameterType(example, enforce_shape=False, orient="split")
    model = load_model(str(work / "model"))
    return lambda request: model.predict(caster.deserialize_input(request["input_data"])).tolist()


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def test_metrics_are_the_only_stdout(metrics: dict[str, Any]) -> None:
    """stdout is one JSON object: three metrics, and the same of logistic regression on the same folds."""
    assert list(metrics) == ["auc", "accuracy", "brier", "logistic_regression"]
    assert list(metrics["logistic_regression"]) == ["auc", "accuracy", "brier"]


def test_model_is_good(metrics: dict[str, Any]) -> None:
    """The model that ships reaches an AUC of 0.90 out of fold, and no baseline shames it."""
    assert metrics["auc"] >= 0.90
    assert metrics["accuracy"] >= 0.80
    assert metrics["brier"] <= 0.13
    assert metrics["auc"] >= metrics["logistic_regression"]["auc"] - 0.015


def test_workflow_gets_outputs_and_summary(work: Path, metrics: dict[str, Any]) -> None:
    """In a workflow the metrics are the step's outputs and a table in its summary."""
    outputs = dict(line.split("=") for line in (work / "output").read_text().splitlines())
    summary = (work / "summary").read_text()

    assert outputs == {name: str(metrics[name]) for name in ("auc", "accuracy", "brier")}
    assert f"| XGBoost | {metrics['auc']} | {metrics['accuracy']} | {metrics['brier']} |\n" in summary
    assert f"| logistic regression | {metrics['logistic_regression']['auc']} |" in summary


def test_same_seed_gives_the_same_model(work: Path, tmp_path: Path) -> None:
    """A second training writes the same bytes, but for MLflow's two stamps in MLmodel."""
    train(tmp_path, hash_seed="2")

    first = {file.name: file.read_bytes() for file in (work / "model").iterdir()}
    second = {file.name: file.read_bytes() for file in (tmp_path / "model").iterdir()}
    stamped = [re.sub(STAMPS, "", files.pop("MLmodel").decode()) for files in (first, second)]
    assert first == second
    assert stamped[0] == stamped[1]


def test_metadata_travels_with_the_model(mlmodel: dict[str, Any], metrics: dict[str, Any]) -> None:
    """MLmodel carries what registering and smoke testing need: metrics, the data's hash and the labels."""
    metadata = mlmodel["metadata"]

    assert {name: metadata[name] for name in ("auc", "accuracy", "brier")} == {
        name: metrics[name] for name in ("auc", "accuracy", "brier")
    }
    assert re.fullmatch("[0-9a-f]{64}", metadata["data_sha256"])
    assert metadata["labels"] == [0, 1]


def test_signature_is_double_and_required(mlmodel: dict[str, Any]) -> None:
    """Twelve required doubles and thal, a required string, go in; a long comes out."""
    inputs = json.loads(mlmodel["signature"]["inputs"])

    assert [column["name"] for column in inputs] == read(SAMPLE)["input_data"]["columns"]
    assert [column["type"] for column in inputs] == ["double"] * 12 + ["string"]
    assert all(column["required"] for column in inputs)
    assert [column["type"] for column in json.loads(mlmodel["signature"]["outputs"])] == ["long"]


def test_example_is_float_and_complete(work: Path) -> None:
    """Azure casts requests to the example's types: its numbers are written as floats, and its text is there."""
    (row,) = read(work / "model" / "input_example.json")["data"]

    assert [type(value) for value in row] == [float] * 12 + [str]


def test_requirements_are_pinned(work: Path) -> None:
    """Every requirement has one version: MLflow 2, XGBoost for CPUs, and what a custom environment needs at Azure."""
    lines = (work / "model" / "requirements.txt").read_text().splitlines()
    pins = dict(line.split(";")[0].split("==") for line in lines)

    assert set(pins) == {
        *("mlflow", "scikit-learn", "pandas", "numpy", "cloudpickle", "xgboost-cpu", "xgboost"),
        *("azureml-inference-server-http", "azureml-ai-monitoring"),
    }
    assert pins["mlflow"].startswith("2.")
    assert f'xgboost-cpu=={pins["xgboost"]}; sys_platform != "darwin"' in lines
    assert f'xgboost=={pins["xgboost-cpu"]}; sys_platform == "darwin"' in lines


def test_requirements_match_the_emulator(work: Path) -> None:
    """The inference server pinned for Azure is the one the lock has for the emulator."""
    lock = (ROOT / "requirements.txt").read_text()
    lines = (work / "model" / "requirements.txt").read_text().splitlines()

    (pin,) = [line for line in lines if line.startswith("azureml-inference-server-http")]
    assert f"\n{pin} " in lock


def test_sample_is_the_articles_row(score: Score) -> None:
    """The sample request is answered with one label; its patient is healthy in the data."""
    sample = read(SAMPLE)

    assert sample["input_data"]["data"] == [[48, 0, 3, 130, 275, 0, 0, 139, 0, 0.2, 1, 0, "normal"]]
    assert score(sample) == [0]


def test_smoke_requests_are_answered(score: Score) -> None:
    """All rows of the smoke requests, nulls included, are answered with 0 or 1, and both occur."""
    smoke = read(SMOKE)

    answers = score(smoke)

    assert [type(answer) for answer in answers] == [int] * len(smoke["input_data"]["data"])
    assert set(answers) == {0, 1}


def test_smoke_requests_are_real_rows() -> None:
    """The smoke requests are patients of heart.csv, with every thal, a missing thal and a missing ca among them."""
    split = read(SMOKE)["input_data"]
    table = pd.read_csv(ROOT / "model" / "heart.csv").drop(columns="target").astype(object)
    patients = [tuple(row) for row in table.where(table.notna(), None).to_numpy()]

    assert list(table) == split["columns"]
    assert split["index"] == list(range(len(split["data"])))
    assert {tuple(row) for row in split["data"]} <= set(patients)
    assert {row[-1] for row in split["data"]} == {"normal", "fixed", "reversible", None}
    assert any(row[-2] is None for row in split["data"])


@pytest.mark.parametrize("text", ["reversable", "", "NORMAL"])
def test_an_unknown_thal_is_a_missing_one(score: Score, text: str) -> None:
    """A text that training never saw is answered as if nobody had written any."""
    smoke, missing = read(SMOKE), read(SMOKE)
    for request, value in ((smoke, text), (missing, None)):
        request["input_data"]["data"] = [[*row[:-1], value] for row in request["input_data"]["data"]]

    assert score(smoke) == score(missing)


@pytest.mark.parametrize("column", range(13))
def test_a_missing_value_is_answered(score: Score, column: int) -> None:
    """Any value may be missing, also when it is the whole column of a request."""
    request = read(SAMPLE)
    request["input_data"]["data"][0][column] = None

    assert score(request) in ([0], [1])


def test_all_values_missing_is_answered(score: Score) -> None:
    """Even a patient of whom nothing is known is answered."""
    request = read(SAMPLE)
    request["input_data"]["data"] = [[None] * 13]

    assert score(request) in ([0], [1])


def turned(request: dict[str, Any]) -> dict[str, Any]:
    """The same request, its columns from right to left."""
    split = request["input_data"]
    data = [row[::-1] for row in split["data"]]
    return {"input_data": {"columns": split["columns"][::-1], "index": split["index"], "data": data}}


def test_columns_may_come_in_any_order(score: Score) -> None:
    """Columns are found by name."""
    smoke = read(SMOKE)

    assert score(turned(smoke)) == score(smoke)


def test_columns_may_come_in_any_order_over_http(work: Path, score: Score) -> None:
    """The same holds of what serves the model."""
    smoke = read(SMOKE)

    with as_azure(work / "model") as (port, path, _):
        answer = requests.post(f"http://127.0.0.1:{port}{path}", json=turned(smoke), timeout=100)

    assert answer.json() == score(smoke)


@pytest.fixture(scope="module")
def pipeline(work: Path) -> Any:
    """What is inside the folder, without MLflow's schema before it."""
    from mlflow.sklearn import load_model

    return load_model(str(work / "model"))


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    return pd.read_csv(ROOT / "model" / "heart.csv").drop(columns="target")


def test_the_pipeline_finds_columns_by_name(pipeline: Any, patients: pd.DataFrame) -> None:
    """Also where no schema sorts them, the answers are the same; more columns than the 13 do no harm."""
    other = patients[patients.columns[::-1]].assign(weight=80)

    assert (pipeline.predict_proba(other) == pipeline.predict_proba(patients)).all()


@pytest.mark.parametrize("column", ["age", "ca", "thal"])
def test_the_pipeline_refuses_a_missing_column(pipeline: Any, patients: pd.DataFrame, column: str) -> None:
    """Without a column there is an error, and no answer as if all its values were missing."""
    with pytest.raises((KeyError, ValueError), match=r"thal|no such column"):
        pipeline.predict(patients.drop(columns=column))


def test_the_pickle_holds_no_code(work: Path) -> None:
    """All functions are a library's and pickled by their names: no bytecode, which only one Python understands."""
    assert b"_make_function" not in (work / "model" / "model.pkl").read_bytes()


@pytest.mark.drill
def test_the_pipeline_is_worth_it() -> None:
    """It is as much faster as docs/BENCHMARKS.md says, and its AUC is not lower than that of the obvious one."""
    command = [sys.executable, "-m", "benchmarks.model"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout


def test_a_missing_column_is_refused(score: Score) -> None:
    """A request without a column is an error, not a patient with a missing value."""
    from mlflow.exceptions import MlflowException

    split = read(SAMPLE)["input_data"]
    split = {**split, "columns": split["columns"][:-1], "data": [split["data"][0][:-1]]}

    with pytest.raises(MlflowException, match="missing inputs"):
        score({"input_data": split})


def test_text_in_a_number_is_refused(score: Score) -> None:
    """Text where a number belongs is an error."""
    request = read(SAMPLE)
    request["input_data"]["data"][0][0] = "old"

    with pytest.raises(ValueError, match="could not convert"):
        score(request)


PREDICT = """
import json, sys
import pandas
from mlflow.pyfunc import load_model
split = json.load(open(sys.argv[2]))["input_data"]
frame = pandas.DataFrame(split["data"], columns=split["columns"])
frame = frame.astype({name: float for name in split["columns"][:-1]})
print(json.dumps(load_model(sys.argv[1]).predict(frame).tolist()))
"""


@pytest.mark.drill
def test_folder_is_served_from_its_own_requirements(
    work: Path, score: Score, tmp_path: Path, outside: dict[str, str]
) -> None:
    """In an environment with nothing but the folder's requirements, the model gives the same answers."""
    uv, python = find_uv_bin(), tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", python, "-r", work / "model" / "requirements.txt"]
    subprocess.run([*install, "-c", ROOT / "requirements.txt"], check=True, env=outside)

    predict = [python, "-c", PREDICT, work / "model", SMOKE]
    result = subprocess.run(predict, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert json.loads(result.stdout) == score(read(SMOKE))
