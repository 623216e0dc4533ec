"""What MLflow's plugin for Azure ML (azureml-mlflow) asks for besides the resource manager: a registry, and uploads.

Names and forms are those of MLflow's REST API (mlflow.org/docs/latest/rest-api.html) and of the plugin's own client.
"""

from __future__ import annotations

import re

from pydantic import BaseModel, Field

from azureml_emulator.api.assets import MOST, whole
from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import BadRequest, NotFound
from azureml_emulator.arm.messages import Call, Reply
from azureml_emulator.arm.sent import validated
from azureml_emulator.resources.assets import Page
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.blobs import ACCOUNT, SUFFIX
from azureml_emulator.resources.datastores import DATASTORE
from azureml_emulator.resources.tracking import Said

ARTIFACTS = "azureml://artifacts/"


class NewModel(BaseModel):
    name: str = Field(min_length=1)
    description: str | None = None
    tags: list[Said] | None = None

    @property
    def described(self) -> Document:
        return {"description": self.description, "tags": {tag.key: str(tag.value) for tag in self.tags or []}}


class NewVersion(NewModel):
    source: str
    run_id: str | None = None


class File(BaseModel):
    path: str = Field(min_length=1)


class Upload(BaseModel):
    paths: list[File] = []


def create_registered_model(azure: Azure, call: Call) -> Reply | Document:
    """A name for versions. One that is there is refused, in MLflow's form."""
    given = validated(NewModel.model_validate, call.document)
    if _container(azure, call, given.name):
        said = f"Registered Model (name={given.name}) already exists."
        return Reply({"error_code": "RESOURCE_ALREADY_EXISTS", "message": said}, 400)
    azure.registry.models.put_container(call.scope, given.name, {"properties": given.described})
    return {"registered_model": _of_all(azure, call, given.name)}


def registered_model(azure: Azure, call: Call) -> Document:
    name = call.query.get("name", "")
    if not _container(azure, call, name):
        raise NotFound(f"Registered Model with name={name} not found.", "RESOURCE_DOES_NOT_EXIST")
    return {"registered_model": _of_all(azure, call, name)}


def create_model_version(azure: Azure, call: Call) -> Document:
    """Registers the folder that the plugin uploaded, as the SDK would one of its own."""
    given = validated(NewVersion.model_validate, call.document)
    if not given.source.startswith(ARTIFACTS):
        raise BadRequest(f"The source {given.source!r} isn't emulated: upload a folder (file://…).", "NotEmulated")
    number = _container(azure, call, given.name).get("nextVersion", "1")
    where = call.scope.id.removeprefix("/").replace("/providers/Microsoft.MachineLearningServices", "")
    properties = {
        "modelUri": f"azureml://{where}/datastores/{DATASTORE}/paths/{given.source.removeprefix(ARTIFACTS)}",
        "modelType": "mlflow_model",
        "jobName": given.run_id,
        **given.described,
    }
    document, _ = azure.registry.models.put_version(call.scope, given.name, number, {"properties": properties})
    return {"model_version": _told(given.name, document)}


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
    paths = [file.path for file in validated(Upload.model_validate, call.document).paths]
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


def _of_all(azure: Azure, call: Call, name: str) -> Document:
    """A model as MLflow has it."""
    latest = azure.registry.models.versions(call.scope, name, Page(top=1))
    return {"latest_versions": [_told(name, found) for found in latest], **_said(name, _container(azure, call, name))}


def _told(name: str, document: Document) -> Document:
    """A version as MLflow has it."""
    properties = document["properties"]
    kept = {"version": document["name"], "source": properties["modelUri"], "run_id": properties["jobName"] or ""}
    return {**_said(name, properties), **kept, "status": "READY"}


def _said(name: str, properties: Document) -> Document:
    tags = [{"key": key, "value": value} for key, value in properties["tags"].items()]
    return {"name": name, "description": properties["description"] or "", "tags": tags}
