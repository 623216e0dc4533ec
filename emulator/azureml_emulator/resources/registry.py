"""Registered models, their versions, and the environments that packaging makes of them. Knows no HTTP."""

import re
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from azureml_emulator.arm.documents import ASSET_NAME, Document, Scope, resource
from azureml_emulator.arm.errors import BadRequest, Conflict, NotFound
from azureml_emulator.arm.names import LOCATION
from azureml_emulator.arm.sent import Put, Sent, Texts, validated
from azureml_emulator.arm.store import Store

DATASTORE = "workspaceblobstore"
VERSION = re.compile(r"[1-9]\d{0,8}", re.ASCII)


class Flavor(Sent):
    data: Texts


class Properties(Sent):
    model_uri: str | None = None
    model_type: str | None = None
    flavors: Annotated[dict[str, Flavor], Field(default_factory=dict)]
    description: str | None = None
    tags: Texts
    properties: Texts
    is_archived: bool = False
    is_anonymous: bool = False


class DataProperties(Sent):
    data_type: Literal["uri_file", "uri_folder", "mltable"]
    data_uri: str
    description: str | None = None
    tags: Texts
    properties: Texts
    is_archived: bool = False
    is_anonymous: bool = False


class Server(Sent):
    server_type: Literal["AzureMLOnline", "AzureMLBatch", "Triton", "Custom"] = "AzureMLOnline"


class Package(Sent):
    target_environment_id: str = ""
    target_environment_name: str = ""
    inferencing_server: Server = Server()


class Registry:
    """Model containers and versions of every workspace; blobs are where the SDK uploaded them."""

    def __init__(self, store: Store):
        self._store = store

    def model(self, scope: Scope, name: str) -> Document:
        versions = self._numbers(scope, name)
        if not versions:
            missing = {"code": "ModelNotFound", "message": f"Model container with name: {name} not found."}
            raise NotFound("The specified resource was not found.", details=[missing])
        latest = max(versions)
        properties = {"latestVersion": str(latest), "nextVersion": str(latest + 1), "isArchived": False, "tags": {}}
        return resource(scope, "models", f"models/{name}", {**properties, "properties": {}, "description": None})

    def models(self, scope: Scope) -> list[Document]:
        return [self.model(scope, item["name"]) for item in self._store.children(f"{scope.key}/models")]

    def versions(self, scope: Scope, name: str, view: str = "ActiveOnly") -> list[Document]:
        """Newest first. `view` is listViewType: ActiveOnly, ArchivedOnly or All."""
        self.model(scope, name)
        everything = reversed(self._store.children(f"{scope.key}/models/{name}/versions"))
        wanted = {"ActiveOnly": (False,), "ArchivedOnly": (True,), "All": (False, True)}.get(view)
        if wanted is None:
            raise BadRequest(f"listViewType {view!r} is none of ActiveOnly, ArchivedOnly, All.")
        return [item for item in everything if bool(item["properties"].get("isArchived")) in wanted]

    def version(self, scope: Scope, name: str, version: str) -> Document:
        found = self._store.get(f"{scope.key}/models/{name}/versions/{version}")
        if found is None:
            raise NotFound(f"Model with name: {name} and version: {version} not found.")
        return found

    def put_version(self, scope: Scope, name: str, version: str, body: Document) -> tuple[Document, bool]:
        """Registers a version, or changes the tags, description and archiving of one; says whether it is new."""
        if not ASSET_NAME.fullmatch(name):
            raise BadRequest(f"The model name {name!r} is not valid.")
        if not VERSION.fullmatch(version):
            raise BadRequest(f"The model version {version!r} is not valid: versions are whole numbers from 1.")
        path = f"models/{name}/versions/{version}"
        old = self._store.get(f"{scope.key}/{path}")
        given = validated(Put[Properties].model_validate, body).properties
        if old and given.model_uri and spelt(given.model_uri) != old["properties"]["modelUri"]:
            raise Conflict("Asset paths cannot be updated.")  # azure-ai-ml looks for these words; the status is a guess
        document = resource(scope, "models/versions", path, self._properties(scope, given, old), old)
        with self._store.transaction():
            self._store.put(f"{scope.key}/models/{name}", {"name": name})
            self._store.put(f"{scope.key}/{path}", document)
        return document, old is None

    def package(self, scope: Scope, name: str, version: str, body: Document) -> Document:
        """Makes the environment that holds a model and its server (the CLI's --with-package)."""
        model = self.version(scope, name, version)
        given = validated(Package.model_validate, body)
        target = given.target_environment_id or given.target_environment_name
        environment, _, number = target.partition("/environments/")[2].partition("/versions/")
        environment = environment or target
        if not ASSET_NAME.fullmatch(environment) or not (number or "1").isdigit():
            raise BadRequest(f"The target environment {target!r} is not valid.")
        known = len(self._store.children(f"{scope.key}/environments/{environment}/versions"))
        path = f"environments/{environment}/versions/{number or known + 1}"
        properties = {
            "image": f"packaged/{name}:{version}",
            "environmentType": "UserCreated",
            "osType": "Linux",
            "properties": {"azureml.packagedModelId": model["id"]},
            "tags": {},
        }
        document = resource(scope, "environments/versions", path, properties)
        self._store.put(f"{scope.key}/{path}", document)
        return {
            "buildState": "Succeeded",
            "targetEnvironmentId": f"azureml://locations/{LOCATION}/workspaces/{scope.workspace}/{path}",
            "inferencingServer": given.inferencing_server.model_dump(),
        }

    def data(self, scope: Scope, name: str, version: str) -> Document:
        found = self._store.get(f"{scope.key}/data/{name}/versions/{version}")
        if found is None:
            raise NotFound(f"Data container with name: {name} and version: {version} not found.")
        return found

    def put_data(self, scope: Scope, name: str, version: str, body: Document) -> tuple[Document, bool]:
        """Where a data collector writes to. Answers the document, and whether it is new."""
        path = f"data/{name}/versions/{version}"
        old = self._store.get(f"{scope.key}/{path}")
        given = validated(Put[DataProperties].model_validate, body).properties
        document = resource(scope, "data/versions", path, given.model_dump(), old)
        self._store.put(f"{scope.key}/{path}", document)
        return document, old is None

    def environment(self, scope: Scope, name: str, version: str) -> Document:
        found = self._store.get(f"{scope.key}/environments/{name}/versions/{version}")
        if found is None:
            raise NotFound(f"Environment with name: {name} and version: {version} not found.")
        return found

    def deployable(self, scope: Scope, properties: Document) -> Document:
        """The model version that a deployment's `model` or packaged `environmentId` stands for."""
        if environment_id := properties.get("environmentId"):
            name, version = _asset(environment_id, "environments")
            packaged = self.environment(scope, name, version)
            reference = packaged["properties"]["properties"]["azureml.packagedModelId"]
        else:
            reference = properties.get("model")
        name, version = _asset(reference, "models")
        if reference.lower().startswith("/subscriptions/") and not reference.lower().startswith(f"{scope.id}/".lower()):
            raise BadRequest(f"{reference} is in another workspace; that isn't emulated.", "NotEmulated")
        try:
            model = self.version(scope, name, version)
        except NotFound as missing:
            raise BadRequest(f"The deployment refers to a model that is not there: {missing}") from None
        if model["properties"]["modelType"] != "mlflow_model":
            raise BadRequest("Without code and environment a deployment needs an MLflow model (type mlflow_model).")
        return model

    def folder(self, model: Document) -> str:
        """Where in the container the model's files are."""
        return blob_folder(model["properties"]["modelUri"])

    def _numbers(self, scope: Scope, name: str) -> list[int]:
        return [int(item["name"]) for item in self._store.children(f"{scope.key}/models/{name}/versions")]

    def _properties(self, scope: Scope, given: Properties, old: Document | None) -> Document:
        kept = old["properties"] if old else {}
        new = given.model_dump() | {"provisioningState": "Succeeded"}
        new["modelUri"] = uri = spelt(given.model_uri) if given.model_uri else kept.get("modelUri")
        new["modelType"] = kind = given.model_type or kept.get("modelType") or "custom_model"
        new["flavors"] = new["flavors"] or kept.get("flavors") or self._flavors(scope, uri, kind)
        return new

    def _flavors(self, scope: Scope, uri: Any, kind: str) -> Document:
        """The flavors in the MLmodel file. Raises BadRequest when an MLflow model has no such file."""
        folder = blob_folder(uri)
        if kind != "mlflow_model":
            return {}
        mlmodel = self._store.blob(scope.container, f"{folder}/MLmodel")
        if mlmodel is None:
            # A guess: Azure refuses such a model, where and in which words isn't documented.
            raise BadRequest(f"The folder {folder} holds no MLmodel file: it is not an MLflow model.")
        try:
            flavors = yaml.safe_load(mlmodel.path.read_text(encoding="utf-8"))["flavors"]
            return {
                str(flavor): {"data": {str(key): str(value) for key, value in data.items()}}
                for flavor, data in flavors.items()
            }
        except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise BadRequest(f"The MLmodel file in {folder} cannot be read.") from None


def spelt(uri: str) -> str:
    """A model's path as Azure gives it back: the SDK sends `resourcegroups`."""
    return re.sub("/resourcegroups/", "/resourceGroups/", uri, count=1, flags=re.IGNORECASE)


def blob_folder(uri: Any) -> str:
    """The folder in the container that `azureml://…/datastores/workspaceblobstore/paths/FOLDER` names."""
    _, found, folder = str(uri).partition(f"/datastores/{DATASTORE}/paths/")
    if not found or not folder.strip("/"):
        raise BadRequest(f"The model path {uri!r} is not in the datastore {DATASTORE}.")
    return folder.strip("/")


def _asset(reference: Any, collection: str) -> tuple[str, str]:
    """Name and version in an asset's ARM id. Raises BadRequest for anything else."""
    if "://registries/" in str(reference) or "/registries/" in str(reference):
        raise BadRequest(f"{reference} is in a registry; the local Azure ML has none.", "NotEmulated")
    name, _, version = str(reference).partition(f"/{collection}/")[2].partition("/versions/")
    if not name or not version:
        raise BadRequest(f"The deployment needs a version of {collection}, not {reference!r}.")
    return name, version
