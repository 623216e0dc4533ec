"""The routes of jobs: the resource manager's, with clusters and code, and those of the services behind the workspace
that the SDK asks for a job's state, its log and where its outputs are.
"""

from __future__ import annotations

import uuid
from typing import Any

from azureml_emulator.api.assets import listed, page_of
from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.arm.messages import Call, Reply
from azureml_emulator.arm.sent import Sent, validated
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.blobs import ACCOUNT, SUFFIX
from azureml_emulator.resources.job_files import LOG
from azureml_emulator.resources.jobs import Written

#: How run history names the types of models; those of data are as everywhere.
HISTORY_TYPES = {"mlflow_model": "MLFlowModel", "custom_model": "CustomModel", "triton_model": "TritonModel"}
READ, WRITE = "experiments/runs/read", "experiments/runs/write"


class Asked(Sent):
    """The ids of assets whose address is asked for."""

    values: list[str]


def rows(workspace: str) -> list[tuple[str, str, Any]]:
    """`workspace` is the path above them."""
    return [
        ("GET", f"{workspace}/jobs", jobs),
        ("GET", f"{workspace}/jobs/{{job}}", job),
        ("PUT", f"{workspace}/jobs/{{job}}", put_job),
        ("POST", f"{workspace}/jobs/{{job}}/cancel", cancel_job),
        ("GET", f"{workspace}/computes", computes),
        ("GET", f"{workspace}/computes/{{compute}}", compute),
        ("PUT", f"{workspace}/computes/{{compute}}", put_compute),
        ("GET", f"{workspace}/codes/{{name}}/versions", codes),
        ("GET", f"{workspace}/codes/{{name}}/versions/{{version}}", code),
        ("PUT", f"{workspace}/codes/{{name}}/versions/{{version}}", put_code),
        ("POST", f"{workspace}/codes/{{name}}/versions/{{version}}/startPendingUpload", start_upload),
    ]


def history(workspace: str) -> list[tuple[str, str, Any, str]]:
    """Run history and the two that resolve outputs: with the action that each needs."""
    runs = f"/history/v1.0{workspace}"
    return [
        ("GET", f"{runs}/runs/{{job}}/details", details, READ),
        ("POST", f"{runs}/rundata", run_data, READ),
        ("PATCH", f"{runs}/experiments/{{experiment}}/runs/{{job}}", patch_run, WRITE),
        ("POST", f"/data/v1.0{workspace}/dataversion/batchGetResolvedUris", resolved_data, "data/versions/read"),
        (
            "POST",
            f"/modelregistry/v1.0{workspace}/models/batchGetResolvedUris",
            resolved_models,
            "models/versions/read",
        ),
    ]


def discovery(azure: Azure, call: Call) -> Document:
    """Where the services behind a workspace are; the SDK reads `api`."""
    services = ("api", "experimentation", "history", "modelmanagement", "catalog", "pipelines")
    return dict.fromkeys(services, call.base) | {"studio": "https://ml.azure.com"}


def jobs(azure: Azure, call: Call) -> Document:
    page = page_of(call)
    return listed(azure, call, page, azure.jobs.page(call.scope, page))


def job(azure: Azure, call: Call) -> Document:
    return azure.jobs.get(call.scope, call["job"])


def put_job(azure: Azure, call: Call) -> Reply:
    return Reply.to_put(*azure.jobs.put(call.scope, call["job"], call.document))


def cancel_job(azure: Azure, call: Call) -> Reply:
    azure.jobs.cancel(call.scope, call["job"])
    return Reply()


def computes(azure: Azure, call: Call) -> Document:
    return {"value": azure.listed(azure.computes.all(call.scope))}


def compute(azure: Azure, call: Call) -> Document:
    return azure.computes.get(call.scope, call["compute"])


def put_compute(azure: Azure, call: Call) -> Reply:
    return Reply.to_put(*azure.computes.put(call.scope, call["compute"], call.document))


def codes(azure: Azure, call: Call) -> Document:
    """By the hash of the content alone, as the SDK asks, which makes up a name each time."""
    if not call.query.get("hash"):
        raise BadRequest("A list of code without a hash isn't emulated.", "NotEmulated")
    return {"value": azure.registry.codes.of_hash(call.scope, call.query["hash"])}


def code(azure: Azure, call: Call) -> Document:
    return azure.registry.codes.version(call.scope, call["name"], call["version"])


def put_code(azure: Azure, call: Call) -> Reply:
    return Reply.to_put(*azure.registry.codes.put_version(call.scope, call["name"], call["version"], call.document))


def start_upload(azure: Azure, call: Call) -> Document:
    """A container of its own for each upload, and what opens it."""
    container = str(uuid.uuid4())
    address = f"{call.base}/{ACCOUNT}.blob.{SUFFIX}/{container}"
    blob = {
        "blobUri": address,
        "storageAccountArmId": f"{call.scope.group}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}",
        "credential": {"credentialType": "SAS", "sasUri": f"{address}?{azure.blobs.sas(container)}"},
    }
    return {
        "pendingUploadId": str(uuid.uuid4()),
        "pendingUploadType": "TemporaryBlobReference",
        "blobReferenceForConsumption": blob,
    }


async def details(azure: Azure, call: Call) -> Document:
    """As the SDK streams a job: its status, and the addresses of its logs."""
    await azure.jobs.keep_log(call.scope, call["job"])
    found = azure.jobs.get(call.scope, call["job"])
    properties, run = found["properties"], azure.jobs.run(call.scope, call["job"])
    place = azure.jobs.files.artifacts(call.scope, call["job"])
    name = f"{place.path}/{LOG}"
    address = f"{call.base}/{ACCOUNT}.blob.{SUFFIX}/{place.container}/{name}?{azure.blobs.sas(place.container)}"
    error = run.get("error")
    told = (
        {"error": {"messageParameters": {}, "details": [], **error}, "componentName": "CommonRuntime"}
        if error
        else None
    )
    return {
        "runId": call["job"],
        "target": properties["computeId"].rpartition("/")[2],
        "status": properties["status"],
        "startTimeUtc": run.get("started"),
        "endTimeUtc": run.get("ended"),
        "error": told,
        "warnings": [],
        "tags": properties["tags"],
        "properties": properties["properties"],
        "logFiles": {LOG: address} if azure.store.blob(place.container, name) else {},
    }


def run_data(azure: Azure, call: Call) -> Document:
    """Of a run what its outputs are."""
    name = str(call.document.get("runId"))
    found = azure.jobs.outputs(call.scope, name)
    outputs = {one.name: {"assetId": one.asset, "type": HISTORY_TYPES.get(one.kind, one.kind)} for one in found}
    return {"runMetadata": {"runId": name, "outputs": outputs}}


def patch_run(azure: Azure, call: Call) -> Document:
    azure.jobs.patch(call.scope, call["job"], call.document)
    return {"runId": call["job"]}


def resolved_data(azure: Azure, call: Call) -> Document:
    found = _resolved(azure, call)
    return {"values": {one.asset: {"uri": one.uri, "type": one.kind} for one in found}}


def resolved_models(azure: Azure, call: Call) -> Document:
    found = _resolved(azure, call)
    return {"values": {one.asset: {"path": one.uri, "type": one.kind} for one in found}}


def _resolved(azure: Azure, call: Call) -> list[Written]:
    given = validated(Asked.model_validate, call.document)
    return [azure.jobs.output(call.scope, id) for id in given.values]
