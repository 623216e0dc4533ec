"""What MLflow's plugin for Azure ML (azureml-mlflow) asks for besides the resource manager: a registry, and uploads.

Names and forms are those of MLflow's REST API (mlflow.org/docs/latest/rest-api.html) and of the plugin's own client.
"""

from __future__ import annotations

import re

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import BadRequest, NotFound
from azureml_emulator.arm.messages import Call, Reply
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.blobs import ACCOUNT, SUFFIX
from azureml_emulator.resources.registry import DATASTORE

ARTIFACTS = "azureml://artifacts/"


def create_registered_model(azure: Azure, call: Call) -> Reply | Document:
    """A name for versions; it is kept with the first of them. One that has some is refused, in MLflow's form."""
    name = _text(call.document, "name")
    if _versions(azure, call, name):
        said = f"Registered Model (name={name}) already exists."
        return Reply({"error_code": "RESOURCE_ALREADY_EXISTS", "message": said}, 400)
    return {"registered_model": {"name": name}}


def registered_model(azure: Azure, call: Call) -> Document:
    found = _versions(azure, call, call.query.get("name", ""))
    if not found:
        raise NotFound(f"Registered Model with name={call.query.get('name')} not found.", "RESOURCE_DOES_NOT_EXIST")
    return {"registered_model": {"name": found[0]["name"], "latest_versions": found[:1]}}


def create_model_version(azure: Azure, call: Call) -> Document:
    """Registers the folder that the plugin uploaded, as the SDK would one of its own."""
    name, source = _text(call.document, "name"), _text(call.document, "source")
    if not source.startswith(ARTIFACTS):
        raise BadRequest(f"The source {source!r} isn't emulated: upload a folder (file://…).", "NotEmulated")
    number = len(_versions(azure, call, name, "All")) + 1
    where = call.scope.id.removeprefix("/").replace("/providers/Microsoft.MachineLearningServices", "")
    properties = {
        "modelUri": f"azureml://{where}/datastores/{DATASTORE}/paths/{source.removeprefix(ARTIFACTS)}",
        "modelType": "mlflow_model",
        "tags": {tag["key"]: tag["value"] for tag in call.document.get("tags") or []},
    }
    document, _ = azure.registry.put_version(call.scope, name, str(number), {"properties": properties})
    return {"model_version": _told(name, document)}


def model_version(azure: Azure, call: Call) -> Document:
    name, number = call.query.get("name", ""), call.query.get("version", "")
    return {"model_version": _told(name, azure.registry.version(call.scope, name, number))}


def search_model_versions(azure: Azure, call: Call) -> Document:
    """By name alone, as the plugin asks."""
    asked = re.fullmatch(r"\s*name\s*=\s*'(.+)'\s*", call.query.get("filter", ""))
    if not asked:
        raise BadRequest(f"The filter {call.query.get('filter')!r} isn't emulated: name='…' is.", "NotEmulated")
    return {"model_versions": _versions(azure, call, asked[1])}


def uploads(azure: Azure, call: Call) -> Document:
    """Where each file of a folder is to be put, with a signature."""
    folder, signature = f"{call['origin']}/{call['folder']}", azure.blobs.sas(call.scope.container)
    store = f"{call.base}/{ACCOUNT}.blob.{SUFFIX}/{call.scope.container}"
    paths = [_text(path, "path") for path in call.document.get("paths") or []]
    place = {"origin": call["origin"], "container": call["folder"]}
    return {
        "artifacts": {path: {**place, "path": path} for path in paths},
        "artifactContentInformation": {
            path: {**place, "path": path, "contentUri": f"{store}/{folder}/{path}?{signature}"} for path in paths
        },
    }


def _versions(azure: Azure, call: Call, name: str, view: str = "ActiveOnly") -> list[Document]:
    """Newest first; none where there is no such model."""
    try:
        return [_told(name, found) for found in azure.registry.versions(call.scope, name, view)]
    except NotFound:
        return []


def _told(name: str, document: Document) -> Document:
    """A version as MLflow has it."""
    properties = document["properties"]
    tags = [{"key": key, "value": value} for key, value in properties["tags"].items()]
    return {
        "name": name,
        "version": document["name"],
        "source": properties["modelUri"],
        "status": "READY",
        "tags": tags,
    }


def _text(body: Document, name: str) -> str:
    if not isinstance(found := body.get(name), str) or not found:
        raise BadRequest(f"{name} must be a text, not {found!r}.")
    return found
