"""What a job logs with MLflow, and what of it can be read back; MLflow's own client is the judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from azureml_emulator.testing import Arm
from tests.support.jobs import cluster, ended, log, submit

LOGS = """
import mlflow
from mlflow.pyfunc.model import PythonModel

mlflow.log_param("depth", 3)
mlflow.log_params({"rounds": 10, "rate": 0.1})
for step in range(3):
    mlflow.log_metric("auc", 0.5 + step / 10, step=step)
mlflow.log_metrics({"brier": 0.2, "lines": 303})
mlflow.set_tag("data", "rows:3")
mlflow.log_text("a report", "reports/report.txt")
run = mlflow.get_run(mlflow.active_run().info.run_id)
assert mlflow.artifacts.load_text(run.info.artifact_uri + "/reports/report.txt") == "a report"
print(run.info.run_name, run.data.metrics)
"""


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def run(arm: Arm) -> dict[str, Any]:
    """The run of a job that logged, as MLflow has it."""
    code = {"codeUri": f"{arm.base}/localstorage.blob.core.local/logs"}
    upload(arm, "logs", "logs.py", LOGS)
    assert arm("PUT", "codes/logs/versions/1", {"properties": code}).status_code == 201
    more = {"codeId": f"{arm.workspace}/codes/logs/versions/1", "experimentName": "tracked"}
    submit(arm, cluster(arm, "tracking"), "logging", "python logs.py", **more)
    assert ended(arm, "logging") == "Completed", log(arm, "logging")
    found: dict[str, Any] = mlflow(arm, "GET", "runs/get?run_id=logging").json()["run"]
    return found


def upload(arm: Arm, container: str, name: str, text: str) -> None:
    """Puts a blob where a datastore's signature leads."""
    store = {"datastoreType": "AzureBlob", "accountName": "localstorage", "containerName": container}
    keyed = {"properties": {**store, "credentials": {"credentialsType": "AccountKey"}}}
    assert arm("PUT", f"datastores/{container}", keyed).status_code == 201
    secret = arm("POST", f"datastores/{container}/listSecrets", {}).json()["sasToken"]
    address = f"{arm.base}/localstorage.blob.core.local/{container}/{name}{secret}"
    arm.session.put(address, data=text, headers={"x-ms-blob-type": "BlockBlob"}).raise_for_status()


def mlflow(arm: Arm, method: str, path: str, body: Any = None) -> requests.Response:
    return arm(method, f"{arm.base}/mlflow/v2.0{arm.workspace}/api/2.0/mlflow/{path}", body)


def test_parameters_metrics_and_tags(run: dict[str, Any]) -> None:
    """Each is there; of a metric the last value."""
    data = {kind: {one["key"]: one["value"] for one in run["data"][kind]} for kind in ("params", "metrics", "tags")}

    assert data["params"] == {"depth": "3", "rounds": "10", "rate": "0.1"}
    assert data["metrics"] == {"auc": pytest.approx(0.7), "brier": 0.2, "lines": 303}
    assert data["tags"]["data"] == "rows:3"
    assert [run["info"][field] for field in ("run_id", "run_name", "status")] == ["logging", "logging", "FINISHED"]


def test_a_metric_step_by_step(arm: Arm, run: dict[str, Any]) -> None:
    """All values of a metric are kept."""
    points = mlflow(arm, "GET", "metrics/get-history?run_id=logging&metric_key=auc").json()["metrics"]

    assert [(point["step"], round(point["value"], 1)) for point in points] == [(0, 0.5), (1, 0.6), (2, 0.7)]


def test_its_experiment(arm: Arm, run: dict[str, Any]) -> None:
    """The run stands in the job's experiment, which is found by its name."""
    experiment = mlflow(arm, "GET", "experiments/get-by-name?experiment_name=tracked").json()["experiment"]
    found = mlflow(arm, "POST", "runs/search", {"experiment_ids": [experiment["experiment_id"]]}).json()["runs"]

    assert [one["info"]["run_id"] for one in found] == ["logging"]


def test_artifacts(arm: Arm, run: dict[str, Any], client: Any, tmp_path: Path) -> None:
    """What was logged as a file is among what the SDK downloads of a job."""
    client.jobs.download("logging", download_path=tmp_path)

    assert (tmp_path / "artifacts" / "reports" / "report.txt").read_text() == "a report"


def test_a_run_without_a_job(arm: Arm) -> None:
    """Whoever may track makes experiments and runs, too; a parameter has one value."""
    id = mlflow(arm, "POST", "experiments/create", {"name": "by hand"}).json()["experiment_id"]
    run = mlflow(arm, "POST", "runs/create", {"experiment_id": id, "tags": [{"key": "a", "value": "b"}]}).json()["run"]
    about = {"run_id": run["info"]["run_id"]}

    answers = [
        mlflow(arm, "POST", "runs/log-parameter", {**about, "key": "p", "value": value}) for value in ("1", "1", "2")
    ]
    ended = mlflow(arm, "POST", "runs/update", {**about, "status": "FAILED", "end_time": 5}).json()["run_info"]

    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert (ended["status"], ended["end_time"]) == ("FAILED", 5)
    assert run["data"]["tags"] == [{"key": "a", "value": "b"}]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "runs/get?run_id=none", None, 404),
        ("GET", "experiments/get?experiment_id=none", None, 404),
        ("POST", "runs/create", {"experiment_id": "none"}, 404),
        ("POST", "runs/create", {}, 400),
        ("POST", "runs/search", {"experiment_ids": [], "filter": "metrics.auc > 0"}, 400),
    ],
)
def test_what_cannot_be_had(arm: Arm, method: str, path: str, body: Any, status: int) -> None:
    """Something that isn't there, or isn't emulated, says so."""
    answer = mlflow(arm, method, path, body)

    assert (answer.status_code, bool(json.loads(answer.text)["error"]["message"])) == (status, True)
