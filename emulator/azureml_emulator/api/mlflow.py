"""What MLflow's plugin for Azure ML (azureml-mlflow) asks for besides the resource manager: a registry, and uploads.

Names and forms are those of MLflow's REST API (mlflow.org/docs/latest/rest-api.html) and of the plugin's own client.
"""

from __future__ import annotations

import re

from azureml_emulator.api.assets import MOST, whole
from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import BadRequest, NotFound
from azureml_emulator.arm.messages import Call, Reply
from azureml_emulator.resources.assets import Page
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.blobs import ACCOUNT, SUFFIX
from azureml_emulator.resources.datastores import DATASTORE

ARTIFACTS = "azureml://artifacts/"


def create_registered_model(azure: Azure, call: Call) -> Reply | Document:
    """A name for versions; it is kept with the first of them. One that has some is refused, in MLflow's form."""
    name = _text(call.document, "name")
    if _container(azure, call, name):
        said = f"Registered Model (name={name}) already exists."
        return Reply({"error_code": "RESOURCE_ALREADY_EXISTS", "message": said}, 400)
    return {"registered_model": {"name": name}}


def registered_model(azure: Azure, call: Call) -> Document:
    name = call.query.get("name", "")
    if not _container(azure, call, name):
        raise NotFound(f"Registered Model with name={name} not found.", "RESOURCE_DOES_NOT_EXIST")
    latest = azure.registry.models.versions(call.scope, name, Page(top=1))
    return {"registered_model": {"name": name, "latest_versions": [_told(name, found) for found in latest]}}


def create_model_version(azure: Azure, call: Call) -> Document:
    """Registers the folder that the plugin uploaded, as the SDK would one of its own."""
    name, source = _text(call.document, "name"), _text(call.document, "source")
    if not source.startswith(ARTIFACTS):
        raise BadRequest(f"The source {source!r} isn't emulated: upload a folder (file://…).", "NotEmulated")
    number = _container(azure, call, name).get("nextVersion", "1")
    where = call.scope.id.removeprefix("/").replace("/providers/Microsoft.MachineLearningServices", "")
    properties = {
        "modelUri": f"azureml://{where}/datastores/{DATASTORE}/paths/{source.removeprefix(ARTIFACTS)}",
        "modelType": "mlflow_model",
        "tags": {tag["key"]: tag["value"] for tag in call.document.get("tags") or []},
    }
    document, _ = azure.registry.models.put_version(call.scope, name, number, {"properties": properties})
    return {"model_version": _told(name, document)}


def model_version(azure: Azure, call: Call) -> Document:
    name, number = call.query.get("name", ""), call.query.get("version", "")
    return {"model_version": _told(name, azure.registry.models.version(call.scope, name, number))}


def search_model_versions(azure: Azure, call: Call) -> Document:
    """By name alone, as the plugin asks; newest first, in pages."""
    asked = re.fullmatch(r"\s*name\s*=\s*'(.+)'\s*", call.query.get("filter", ""))
    if not asked:
        raise BadRequest(f"The filter {call.query.get('filter')!r} isn't emulated: name='…' is.", "NotEmulated")
    skip = whole(call, "page_token", 0)
    top = min(whole(call, "max_results", MOST), MOST)
    found = []
    if _container(azure, call, asked[1]):
        found = azure.registry.models.versions(call.scope, asked[1], Page(skip=skip, top=top + 1))
    told = {"model_versions": [_told(asked[1], version) for version in found[:top]]}
    return told | ({"next_page_token": str(skip + top)} if len(found) > top else {})


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


def _container(azure: Azure, call: Call, name: str) -> Document:
    """What is known of a model; nothing where there is none."""
    try:
        return dict(azure.registry.models.container(call.scope, name)["properties"])
    except NotFound:
        return {}


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
