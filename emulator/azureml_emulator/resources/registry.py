"""Registered models, data and environments, and what a deployment takes of them. Knows no HTTP."""

import re
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Field

from azureml_emulator.arm.documents import ASSET_NAME, Document, Scope
from azureml_emulator.arm.errors import BadRequest, NotFound
from azureml_emulator.arm.names import LOCATION
from azureml_emulator.arm.sent import Put, Sent, Texts, any_case, validated
from azureml_emulator.arm.store import Store
from azureml_emulator.resources.assets import Assets, Described, Version
from azureml_emulator.resources.datastores import DATASTORE


class Flavor(Sent):
    data: Texts


class ModelVersion(Version):
    model_uri: (
        Annotated[str, AfterValidator(lambda uri: uri.replace("/resourcegroups/", "/resourceGroups/"))] | None
    ) = None
    model_type: str | None = None
    flavors: Annotated[dict[str, Flavor], Field(default_factory=dict)]
    job_name: str | None = None
    stage: str | None = None
    datasets: list[Document] | None = None
    system_metadata: Document | None = None
    default_deployment_template: Document | None = None


class DataContainer(Described):
    data_type: Literal["uri_file", "uri_folder", "mltable"]


class DataVersion(Version):
    data_type: Literal["uri_file", "uri_folder", "mltable"]
    data_uri: str
    referenced_uris: list[str] | None = None


class CodeVersion(Version):
    """The SDK sends the version of its hash as a number."""

    code_uri: str
    properties: Annotated[dict[str, Annotated[str | None, BeforeValidator(str)]], Field(default_factory=dict)]


class EnvironmentVersion(Version):
    image: str | None = None
    build: Document | None = None
    conda_file: str | None = None
    os_type: Annotated[Literal["Linux", "Windows"], any_case("Linux", "Windows")] = "Linux"
    environment_type: str = "UserCreated"
    stage: str | None = None
    inference_config: Document | None = None
    auto_rebuild: Annotated[
        Literal["Disabled", "OnBaseImageUpdate"] | None, any_case("Disabled", "OnBaseImageUpdate")
    ] = None


class Server(Sent):
    server_type: Literal["AzureMLOnline", "AzureMLBatch", "Triton", "Custom"] = "AzureMLOnline"


class Package(Sent):
    target_environment_id: str = ""
    target_environment_name: str = ""
    inferencing_server: Server = Server()


class Models(Assets):
    kind, title, fixed = "models", "Model", ("modelUri",)
    version_body = Put[ModelVersion]
    version_name, version_rule = re.compile(r"[1-9]\d{0,8}", re.ASCII), "whole numbers from 1"

    def _complete(self, scope: Scope, given: Document, kept: Document) -> Document:
        """`stage` stays, too, where nothing is said of it: the SDK leaves it out when it archives. A guess."""
        new = super()._complete(scope, given, kept)
        new["modelType"] = kind = given["modelType"] or kept.get("modelType") or "custom_model"
        new["stage"] = given["stage"] or kept.get("stage")
        new["flavors"] = given["flavors"] or kept.get("flavors") or self._flavors(scope, new["modelUri"], kind)
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


class Data(Assets):
    kind, title, fixed, state = "data", "Data", ("dataUri",), {}
    changed = (
        "A data version with this name and version already exists. If you are trying to create a new data version, use "
        "a different name or version. If you are trying to update an existing data version, the existing asset's data "
        "uri cannot be changed. Only tags, description, and isArchived can be updated."
    )
    container_body, version_body = Put[DataContainer], Put[DataVersion]

    def _of_all(self, given: Document) -> Document:
        return {"dataType": given["dataType"]}


class Environments(Assets):
    kind, title, fixed = "environments", "Environment", ("image", "build", "condaFile")
    version_body = Put[EnvironmentVersion]
    changed = "An environment's version exists; what it is made of cannot change."  # a guess


class Codes(Assets):
    kind, title, fixed = "codes", "Code", ("codeUri",)
    version_body = Put[CodeVersion]

    def of_hash(self, scope: Scope, hash: str) -> list[Document]:
        """The version with that content, whatever its name: a client need not upload it again."""
        known = self._store.get(f"{scope.key}/codehashes/{hash}")
        return [self.version(scope, known["name"], known["version"])] if known else []

    def _keep(self, scope: Scope, name: str, version: str, given: Document) -> tuple[Document, bool]:
        if hash := given["properties"].get("hash_sha256"):
            self._store.put(f"{scope.key}/codehashes/{hash}", {"name": name, "version": version})
        return super()._keep(scope, name, version, given)


class Registry:
    """The assets of every workspace; blobs are where the SDK uploaded them."""

    def __init__(self, store: Store):
        self.models, self.data, self.environments = Models(store), Data(store), Environments(store)
        self.codes = Codes(store)

    def package(self, scope: Scope, name: str, version: str, body: Document) -> Document:
        """Makes the environment that holds a model and its server (the CLI's --with-package)."""
        model = self.models.version(scope, name, version)
        given = validated(Package.model_validate, body)
        target = given.target_environment_id or given.target_environment_name
        environment, _, number = target.partition("/environments/")[2].partition("/versions/")
        environment = environment or target
        if not ASSET_NAME.fullmatch(environment) or not (number or "1").isdigit():
            raise BadRequest(f"The target environment {target!r} is not valid.")
        number = number or self._next(scope, environment)
        properties = {"image": f"packaged/{name}:{version}", "properties": {"azureml.packagedModelId": model["id"]}}
        self.environments.put_version(scope, environment, number, {"properties": properties})
        path = f"environments/{environment}/versions/{number}"
        return {
            "buildState": "Succeeded",
            "targetEnvironmentId": f"azureml://locations/{LOCATION}/workspaces/{scope.guid}/{path}",
            "inferencingServer": given.inferencing_server.model_dump(),
        }

    def deployable(self, scope: Scope, properties: Document) -> Document:
        """The model version that a deployment's `model` or packaged `environmentId` stands for."""
        if environment := properties.get("environmentId"):
            found = self.environments.version(scope, *asset(scope, environment, "environments"))
            reference = found["properties"]["properties"].get("azureml.packagedModelId")
            if reference is None:
                what = "environments aren't emulated but those that packaging a model makes"
                raise BadRequest(f"properties.environmentId: {environment}: {what}.", "NotEmulated")
        else:
            reference = properties.get("model")
        try:
            model = self.models.version(scope, *asset(scope, reference, "models"))
        except NotFound as missing:
            why = missing.more["details"][0]["message"]
            raise BadRequest(f"The deployment refers to a model that is not there: {why}") from None
        if model["properties"]["modelType"] != "mlflow_model":
            raise BadRequest("Without code and environment a deployment needs an MLflow model (type mlflow_model).")
        return model

    def folder(self, model: Document) -> str:
        """Where in the container the model's files are."""
        return blob_folder(model["properties"]["modelUri"])

    def _next(self, scope: Scope, environment: str) -> str:
        try:
            return str(self.environments.container(scope, environment)["properties"]["nextVersion"])
        except NotFound:
            return "1"


def blob_folder(uri: Any) -> str:
    """The folder in the container that `azureml://…/datastores/workspaceblobstore/paths/FOLDER` names."""
    _, found, folder = str(uri).partition(f"/datastores/{DATASTORE}/paths/")
    if not found or not folder.strip("/"):
        what = f"The model path {uri!r} isn't emulated: azureml://…/datastores/{DATASTORE}/paths/… is."
        raise BadRequest(what, "NotEmulated")
    return folder.strip("/")


def asset(scope: Scope, reference: Any, collection: str) -> tuple[str, str]:
    """Name and version in an asset's id. Raises BadRequest for anything else, and for what is in another place."""
    text = str(reference)
    if "/registries/" in text:
        raise BadRequest(f"{text} is in a registry; the local Azure ML has none.", "NotEmulated")
    place, _, rest = text.partition(f"/{collection}/")
    if "/workspaces/" in place and not place.lower().endswith((scope.id.lower(), f"/workspaces/{scope.guid}")):
        raise BadRequest(f"{text} is in another workspace; that isn't emulated.", "NotEmulated")
    name, _, version = rest.partition("/versions/")
    if short := re.fullmatch(r"azureml:([^:/]+):([^:/]+)", text):
        name, version = short.groups()
    if not name or not version:
        raise BadRequest(f"A version of {collection} is needed, not {reference!r}.")
    return name, version
