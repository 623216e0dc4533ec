"""A workspace whose storage account allows no shared keys: blobs are opened by tokens and roles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azureml_emulator.arm.names import ROLLOUT
from azureml_emulator.process import running
from azureml_emulator.resources.blobs import ACCOUNT, SUFFIX
from azureml_emulator.resources.roles import IDS, KIND
from azureml_emulator.resources.tokens import STORAGE
from azureml_emulator.testing import Arm, token, toy_model

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

PLACE = f"{ACCOUNT}.blob.{SUFFIX}/azureml-blobstore-local"


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of an emulator that allows no shared keys."""
    state: Path = tmp_path_factory.mktemp("keyless")
    with running(state, "--datastore-auth=identity") as variables:
        yield variables


@pytest.fixture
def connect(keyless: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., MLClient]:
    """The SDK of the owner, or of the identity `rollout`."""

    def connected(client: str = "") -> MLClient:
        from azure.ai.ml import MLClient
        from azure.identity import DefaultAzureCredential

        for name, value in {**keyless, **({"AZURE_CLIENT_ID": client} if client else {})}.items():
            monkeypatch.setenv(name, value)
        names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
        return MLClient(DefaultAzureCredential(), *(keyless[name] for name in names))

    return connected


def register(client: MLClient, name: str, folder: Path) -> None:
    from azure.ai.ml.entities import Model

    client.models.create_or_update(Model(name=name, version="1", path=str(folder), type="mlflow_model"))


def give(arm: Arm, role: str) -> None:
    """A role over the storage account for the identity `rollout`."""
    group = f"{arm.base}{arm.workspace.partition('/providers/')[0]}/providers"
    found = arm("GET", f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities").json()["value"]
    [who] = [one["properties"]["principalId"] for one in found if one["name"] == "rollout"]
    body = {"properties": {"principalId": who, "roleDefinitionId": IDS[role]}}
    answer = arm("PUT", f"{group}/Microsoft.Storage/storageAccounts/{ACCOUNT}/providers/{KIND}/blobs", body)
    assert answer.status_code == 201


def test_the_workspace_says_so(connect: Callable[..., MLClient], keyless: dict[str, str]) -> None:
    """The datastore has no credentials, and no secrets."""
    client = connect()

    assert client.workspaces.get().system_datastores_auth_mode == "identity"
    assert client.datastores.get_default().credentials.type.lower() == "none"
    assert Arm(keyless)("POST", "datastores/workspaceblobstore/listSecrets", {}).status_code == 400


def test_upload_and_download(connect: Callable[..., MLClient], tmp_path: Path) -> None:
    """The SDK takes its own credential for a model's files; what it downloads is what it uploaded."""
    client, folder = connect(), toy_model(tmp_path / "model")

    register(client, "mine", folder)
    client.models.download("mine", "1", download_path=tmp_path / "back")

    assert (tmp_path / "back/mine/model/MLmodel").read_bytes() == (folder / "MLmodel").read_bytes()


def test_the_role_that_it_takes(connect: Callable[..., MLClient], keyless: dict[str, str], tmp_path: Path) -> None:
    """A Data Scientist may not: a reader of blobs reads, and a contributor writes."""
    from azure.ai.ml.exceptions import ValidationException
    from azure.core.exceptions import HttpResponseError

    client, folder, arm = connect(ROLLOUT), toy_model(tmp_path / "model", answer=7), Arm(keyless)

    with pytest.raises(ValidationException, match="Storage Blob Data Contributor"):
        register(client, "theirs", folder)
    give(arm, "Storage Blob Data Reader")
    with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
        register(client, "theirs", folder)
    give(arm, "Storage Blob Data Contributor")
    register(client, "theirs", folder)

    assert client.models.get("theirs", "1").version == "1"


def test_signatures_are_refused(keyless: dict[str, str]) -> None:
    """One that was good before, or none, is refused in the Blob service's words."""
    session = Arm(keyless).session

    answers = [session.get(f"https://{host(keyless)}/{PLACE}{query}", timeout=10) for query in ("", "?se=1&sig=a")]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert [answer.headers["x-ms-error-code"] for answer in answers] == ["KeyBasedAuthenticationNotPermitted"] * 2


@pytest.mark.parametrize("allowed", [True, False])
def test_tokens_are_for_one_service(keyless: dict[str, str], azure: dict[str, str], allowed: bool) -> None:
    """A token for storage opens blobs, with shared keys or without, and nothing else; the manager's opens no blobs."""
    variables = azure if allowed else keyless
    arm, address = Arm(variables), f"https://{host(variables)}/{PLACE}?comp=list"
    for_storage = {"Authorization": f"Bearer {token(variables, resource=f'{STORAGE}/').json()['access_token']}"}
    for_all = {"Authorization": f"Bearer {arm.token}"}

    opened = [arm.session.get(address, headers=headers, timeout=10) for headers in (for_storage, for_all)]

    assert [answer.status_code for answer in opened] == [200, 401]
    assert opened[1].headers["x-ms-error-code"] == "InvalidAuthenticationInfo"
    assert arm("GET", "models", headers=for_storage).status_code == 401


def host(variables: dict[str, str]) -> str:
    return Arm(variables).base.removeprefix("https://")
