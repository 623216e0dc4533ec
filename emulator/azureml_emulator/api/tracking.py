"""The routes of MLflow's tracking and artifacts, as its REST API has them (mlflow.org/docs/latest/rest-api.html)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import BadRequest, NotFound
from azureml_emulator.arm.messages import Call, Reply, json_object
from azureml_emulator.arm.sent import validated
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.datastores import ARTIFACTS
from azureml_emulator.resources.tracking import Point, Said, experiment_id

RUNS = "ExperimentRun/dcid."  # below which each run's artifacts are
READ, WRITE = "experiments/runs/read", "experiments/runs/write"


class New(BaseModel):
    experiment_id: str
    run_name: str | None = None
    tags: list[Said] = []


class Update(BaseModel):
    run_id: str
    status: str | None = None
    end_time: int | None = None
    run_name: str | None = None


class Search(BaseModel):
    experiment_ids: list[str] = []
    filter: str | None = None
    order_by: list[str] = []


class Batch(BaseModel):
    run_id: str
    params: list[Said] = []
    tags: list[Said] = []
    metrics: list[Point] = []


def rows(mlflow: str) -> list[tuple[str, str, Any, str]]:
    """`mlflow` is the path above them; last stands the action that each needs."""
    artifacts = f"{mlflow}-artifacts/artifacts"
    return [
        ("POST", f"{mlflow}/experiments/create", create_experiment, WRITE),
        ("GET", f"{mlflow}/experiments/get", experiment, READ),
        ("GET", f"{mlflow}/experiments/get-by-name", experiment_by_name, READ),
        ("POST", f"{mlflow}/runs/create", create_run, WRITE),
        ("POST", f"{mlflow}/runs/update", update_run, WRITE),
        ("GET", f"{mlflow}/runs/get", run, READ),
        ("POST", f"{mlflow}/runs/search", search, READ),
        ("POST", f"{mlflow}/runs/log-batch", log_batch, WRITE),
        ("POST", f"{mlflow}/runs/log-parameter", log_parameter, WRITE),
        ("POST", f"{mlflow}/runs/log-metric", log_metric, WRITE),
        ("POST", f"{mlflow}/runs/set-tag", set_tag, WRITE),
        ("POST", f"{mlflow}/runs/log-model", log_model, WRITE),
        ("GET", f"{mlflow}/metrics/get-history", history, READ),
        ("GET", f"{artifacts}", list_artifacts, "metadata/artifacts/read"),
        ("GET", f"{artifacts}/{{name:.+}}", artifact, "metadata/artifacts/read"),
        ("PUT", f"{artifacts}/{{name:.+}}", put_artifact, "metadata/artifacts/write"),
    ]


def create_experiment(azure: Azure, call: Call) -> Document:
    return {"experiment_id": azure.tracking.experiment(call.scope, _text(call.document, "name"))["experiment_id"]}


def experiment(azure: Azure, call: Call) -> Document:
    return {"experiment": azure.tracking.by_id(call.scope, call.query.get("experiment_id", ""))}


def experiment_by_name(azure: Azure, call: Call) -> Document:
    id = experiment_id(call.scope, call.query.get("experiment_name", ""))
    return {"experiment": azure.tracking.by_id(call.scope, id)}


def create_run(azure: Azure, call: Call) -> Document:
    given = validated(New.model_validate, call.document)
    made = azure.tracking.create(call.scope, given.experiment_id, given.run_name or "")
    azure.tracking.log(call.scope, made["info"]["run_id"], tags=given.tags)
    return {"run": azure.tracking.told(call.scope, made["info"]["run_id"])}


def update_run(azure: Azure, call: Call) -> Document:
    given = validated(Update.model_validate, call.document)
    updated = azure.tracking.update(call.scope, given.run_id, given.status, given.end_time, given.run_name or "")
    return {"run_info": updated}


def run(azure: Azure, call: Call) -> Document:
    return {"run": azure.tracking.told(call.scope, call.query.get("run_id", ""))}


def search(azure: Azure, call: Call) -> Document:
    """All runs of some experiments: filters and orders aren't emulated."""
    given = validated(Search.model_validate, call.document)
    if given.filter or given.order_by:
        raise BadRequest("A filter or an order of runs isn't emulated.", "NotEmulated")
    return {"runs": azure.tracking.runs(call.scope, given.experiment_ids)}


def log_batch(azure: Azure, call: Call) -> Document:
    given = validated(Batch.model_validate, call.document)
    azure.tracking.log(call.scope, given.run_id, given.params, given.tags, given.metrics)
    return {}


def log_parameter(azure: Azure, call: Call) -> Document:
    return log_batch(azure, _of_one(call, "params"))


def log_metric(azure: Azure, call: Call) -> Document:
    return log_batch(azure, _of_one(call, "metrics"))


def set_tag(azure: Azure, call: Call) -> Document:
    return log_batch(azure, _of_one(call, "tags"))


def log_model(azure: Azure, call: Call) -> Document:
    """MLflow 2 notes the models of a run in a tag of it; here the last."""
    model = json.dumps([json_object(_text(call.document, "model_json").encode())])
    tag = Said(key="mlflow.log-model.history", value=model)
    azure.tracking.log(call.scope, _text(call.document, "run_id"), tags=[tag])
    return {}


def _of_one(call: Call, field: str) -> Call:
    """What is logged one by one, as a batch."""
    return replace(call, body=json.dumps({"run_id": call.document.get("run_id"), field: [call.document]}).encode())


def history(azure: Azure, call: Call) -> Document:
    return {
        "metrics": azure.tracking.history(call.scope, call.query.get("run_id", ""), call.query.get("metric_key", ""))
    }


def list_artifacts(azure: Azure, call: Call) -> Document:
    """What lies in a folder: its files, and the folders in it."""
    above = f"{call.query.get('path', '').strip('/')}/"
    blobs = azure.store.blobs(_container(azure, call), above)
    below = [(blob.name[len(above) :], blob.size) for blob in blobs]
    files = [{"path": name, "is_dir": False, "file_size": size} for name, size in below if "/" not in name]
    folders = sorted({name.partition("/")[0] for name, _ in below if "/" in name})
    return {"files": [*files, *({"path": name, "is_dir": True} for name in folders)]}


def artifact(azure: Azure, call: Call) -> Reply:
    blob = azure.store.blob(_container(azure, call), call["name"])
    if blob is None:
        raise NotFound(f"There is no artifact {call['name']}.", "RESOURCE_DOES_NOT_EXIST")
    return Reply(blob.read(), headers={"Content-Length": str(blob.size)})


async def put_artifact(azure: Azure, call: Call) -> Document:
    if not call["name"].startswith(RUNS):
        raise BadRequest(f"Artifacts are put below {RUNS}.", "INVALID_PARAMETER_VALUE")
    await azure.store.put_blob(_container(azure, call), call["name"], call.parts, {})
    return {}


def _container(azure: Azure, call: Call) -> str:
    return azure.datastores.container(call.scope, ARTIFACTS)


def _text(given: Document, field: str) -> str:
    if not isinstance(found := given.get(field), str) or not found:
        raise BadRequest(f"{field} must be a text, not {found!r}.", "INVALID_PARAMETER_VALUE")
    return found
