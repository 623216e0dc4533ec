"""Models, versions and blobs of the local Azure ML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azureml_emulator.testing import Arm, blobs

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.storage.blob import ContainerClient


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def container(arm: Arm) -> ContainerClient:
    return blobs(arm)


def test_unknown_model(arm: Arm) -> None:
    """An unknown model is answered with 404 in Azure's words."""
    answer = arm("GET", "models/nobody/versions")

    error = answer.json()["error"]
    added = {one["type"]: one["info"]["value"] for one in error["additionalInfo"]}
    assert (answer.status_code, error["code"]) == (404, "UserError")
    assert error["message"] == "The specified resource was not found."
    assert error["details"] == [
        {
            "code": "ModelNotFound",
            "message": "Model container with name: nobody not found.",
            "details": [],
            "additionalInfo": [],
        }
    ]
    assert list(added) == ["ComponentName", "Correlation", "Environment", "Location", "Time", "InnerError"]
    assert added["InnerError"] == {"code": "NotFoundError", "innerError": None}


def test_unknown_datastore(arm: Arm) -> None:
    """Another datastore than the default one is missing as other things are; so are its secrets."""
    for answer in (arm("GET", "datastores/other"), arm("POST", "datastores/other/listSecrets")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "UserError")
        assert answer.json()["error"]["message"] == "Could not find datastore: other."


def test_a_changed_path(client: MLClient, arm: Arm, model_folder: Path) -> None:
    """A version keeps its path, which Azure spells its own way; the SDK gets the words that it looks for."""
    from azure.core.exceptions import HttpResponseError

    made = register(client, "kept", model_folder)
    document = arm("GET", f"models/kept/versions/{made.version}").json()
    uri = document["properties"]["modelUri"]
    made.path = uri.replace("/paths/", "/paths/other/")

    with pytest.raises(HttpResponseError, match=r"^\(UserError\) Asset paths cannot be updated\.") as refusal:
        client.models.create_or_update(made)

    assert "/resourceGroups/" in uri
    assert refusal.value.status_code == 409
    as_sent = {"modelUri": uri.replace("resourceGroups", "resourcegroups"), "modelType": "mlflow_model"}
    assert arm("PUT", f"models/kept/versions/{made.version}", {"properties": as_sent}).status_code == 200


def test_versions_newest_first(arm: Arm, client: MLClient, model_folder: Path) -> None:
    """Versions come newest first, in pages that lead on to each other; as numbers, so 10 comes after 9."""
    for version in range(8, 11):
        register(client, "ten-versions", model_folder, version=str(version))

    page = arm("GET", "models/ten-versions/versions?$orderBy=createdtime desc&$top=2").json()
    rest = arm("GET", page["nextLink"]).json()

    assert [item["name"] for item in page["value"] + rest["value"]] == ["10", "9", "8"]
    assert arm("GET", "models/ten-versions").json()["properties"]["nextVersion"] == "11"


def test_latest_is_the_highest(arm: Arm) -> None:
    """Whatever was registered last."""
    for version in ("10", "9"):
        uri = f"azureml:/{arm.workspace}/datastores/workspaceblobstore/paths/folder/model"
        body = {"properties": {"modelUri": uri, "modelType": "custom_model"}}
        assert arm("PUT", f"models/backwards/versions/{version}", body).status_code == 201

    properties = arm("GET", "models/backwards").json()["properties"]
    assert (properties["latestVersion"], properties["nextVersion"]) == ("10", "11")


def test_packages_are_numbered(arm: Arm, client: MLClient, model_folder: Path) -> None:
    """An environment without a version in its name gets the next one."""
    register(client, "packed", model_folder)

    answers = [arm("POST", "models/packed/versions/1/package", {"targetEnvironmentName": "pack"}) for _ in range(2)]

    assert [answer.json()["targetEnvironmentId"][-11:] for answer in answers] == ["/versions/1", "/versions/2"]


@pytest.mark.parametrize("version", ["latest", "0", "1.0", "01", "-1"])
def test_version_is_a_number(arm: Arm, version: str) -> None:
    """A version that is no whole number from 1 is refused."""
    answer = arm("PUT", f"models/odd/versions/{version}", {"properties": {}})

    assert answer.status_code == 400
    assert "whole numbers" in answer.json()["error"]["message"]


def test_folder_without_mlmodel(client: MLClient, tmp_path: Path) -> None:
    """A folder without MLmodel file is not registered as an MLflow model."""
    from azure.core.exceptions import HttpResponseError

    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "model.pkl").write_text("nothing")

    with pytest.raises(HttpResponseError, match="no MLmodel file"):
        register(client, "hollow", tmp_path / "empty")

    assert "hollow" not in [model.name for model in client.models.list()]


def test_archive_and_restore(client: MLClient, model_folder: Path) -> None:
    """An archived version is left out of the list until it is restored."""
    register(client, "archived", model_folder)

    client.models.archive("archived", "1")
    hidden = [model.version for model in client.models.list("archived")]
    client.models.restore("archived", "1")

    assert hidden == []
    assert [model.version for model in client.models.list("archived")] == ["1"]


def test_download(client: MLClient, model_folder: Path, tmp_path: Path) -> None:
    """What is downloaded is what was registered."""
    register(client, "returned", model_folder)

    client.models.download("returned", "1", download_path=tmp_path)

    assert contents(tmp_path / "returned" / model_folder.name) == contents(model_folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_given_flavors_stay(arm: Arm) -> None:
    """The flavors that a client names are kept, also when it changes something else."""
    path, flavors = "models/flavoured/versions/1", {"sklearn": {"data": {"code": "c"}}, "onnx": {"data": {}}}
    uri = "azureml://x/datastores/workspaceblobstore/paths/flavoured"
    arm("PUT", path, {"properties": {"modelUri": uri, "flavors": {**flavors, "onnx": {}}}})

    changed = arm("PUT", path, {"properties": {"tags": {"a": "b"}}}).json()["properties"]

    assert changed["flavors"] == flavors
    assert (changed["modelUri"], changed["modelType"]) == (uri, "custom_model")


def test_tags_can_change(client: MLClient, model_folder: Path) -> None:
    """The tags of a registered version can be changed later."""
    model = register(client, "tagged", model_folder)
    model.tags["reviewed"] = "yes"

    client.models.create_or_update(model)

    assert client.models.get("tagged", "1").tags == {"reviewed": "yes"}


def test_large_blob(container: ContainerClient) -> None:
    """A blob sent in blocks comes back whole and in ranges."""
    content = bytes(range(256)) * 20

    container.upload_blob("large/blob", content)

    assert container.download_blob("large/blob").readall() == content
    assert container.download_blob("large/blob", offset=1000, length=24).readall() == content[1000:1024]


def test_list_blobs_by_folder(container: ContainerClient) -> None:
    """With a delimiter, a folder is listed once."""
    for name in ("walked/a/1", "walked/a/2", "walked/b"):
        container.upload_blob(name, b"x")

    assert [item.name for item in container.walk_blobs("walked/")] == ["walked/a/", "walked/b"]
    assert [item.name for item in container.list_blobs(name_starts_with="walked/a")] == ["walked/a/1", "walked/a/2"]


def test_wrong_signature(arm: Arm, container: ContainerClient) -> None:
    """A blob is not given to who has no valid signature."""
    container.upload_blob("secret", b"x")
    address, _, secret = container.url.partition("?")

    answers = [arm.session.get(f"{address}/secret{query}") for query in ("", "?sig=0", f"?{secret[:-2]}")]

    assert [answer.status_code for answer in answers] == [403, 403, 403]


def register(client: MLClient, name: str, folder: Path, **options: Any) -> Any:
    from azure.ai.ml.entities import Model

    return client.models.create_or_update(Model(name=name, path=str(folder), type="mlflow_model", **options))
