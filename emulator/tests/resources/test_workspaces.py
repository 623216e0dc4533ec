"""Two workspaces in one local Azure ML, and several clients at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azureml_emulator.process import running
from azureml_emulator.testing import Arm, endpoint

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

NAMES = [f"endpoint-{number}" for number in range(12)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Arm, Arm]]:
    """Clients of the workspaces staging and live."""
    state: Path = tmp_path_factory.mktemp("workspaces")
    with running(state, "--workspace=staging", "--workspace=live") as variables:
        yield Arm(variables), Arm({**variables, "AZURE_ML_WORKSPACE": "live"})


def test_the_first_is_the_clients(pair: tuple[Arm, Arm]) -> None:
    """The variables lead to the workspace named first; the other one is there too."""
    staging, live = pair

    assert staging.workspace.endswith("/staging")
    assert live("GET", "").json()["name"] == "live"


def test_models_are_apart(pair: tuple[Arm, Arm]) -> None:
    """What is registered in one workspace isn't in the other, and each has blobs of its own."""
    staging, live = pair
    uri = f"azureml:/{staging.workspace}/datastores/workspaceblobstore/paths/folder/model"

    staging("PUT", "models/apart/versions/1", {"properties": {"modelUri": uri, "modelType": "custom_model"}})

    containers = {arm("GET", "datastores/workspaceblobstore").json()["properties"]["containerName"] for arm in pair}
    assert staging("GET", "models/apart").status_code == 200
    assert live("GET", "models/apart").status_code == 404
    assert len(containers) == 2


def test_endpoint_names_are_unique_in_the_region(pair: tuple[Arm, Arm]) -> None:
    """An endpoint's name that the other workspace has is refused; the endpoint isn't seen from there."""
    staging, live = pair
    staging.endpoint("only-one")

    answer = live("PUT", "onlineEndpoints/only-one", endpoint())

    assert answer.status_code == 400
    assert "unique within a region" in answer.json()["error"]["details"][0]["message"]
    assert live("GET", "onlineEndpoints/only-one").status_code == 404


def test_endpoints_do_not_wait_for_each_other(pair: tuple[Arm, Arm]) -> None:
    """Many endpoints of both workspaces are created at once; of two changes to the same one, one gets 409."""
    staging, live = pair

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda name: (staging if name < "endpoint-5" else live).endpoint(name), NAMES))
        twice = list(threads.map(lambda _: staging("PUT", "onlineEndpoints/endpoint-0", endpoint()), range(2)))

    assert {answer["status"] for answer in answers} == {"Succeeded"}
    assert sorted(answer.status_code for answer in twice) == [201, 409]


def test_what_a_workspace_says(pair: tuple[Arm, Arm]) -> None:
    """It has the keys of Azure's; who it is and when it was made is the same each time, and not that of another."""
    (staging, live), path = pair, "?api-version=2024-10-01-preview"

    found = [arm("GET", path).json() for arm in (staging, staging, live)]

    assert found[0] == found[1]
    assert {"etag", "identity", "kind", "sku", "systemData", "tags"} <= found[0].keys()
    ours = {
        "keyVault",
        "applicationInsights",
        "containerRegistry",
        "creationTime",
        "systemDatastoresAuthMode",
        "tenantId",
    }
    assert ours <= found[0]["properties"].keys()
    for name in ("workspaceId", "creationTime", "friendlyName"):
        assert found[0]["properties"][name] != found[2]["properties"][name]


def test_the_default_datastore(azure: dict[str, str], client: MLClient) -> None:
    """It is found among others by being it, as the SDK asks."""
    names = [one["name"] for one in Arm(azure)("GET", "datastores?isDefault=false").json()["value"]]

    assert client.datastores.get_default().name == "workspaceblobstore"
    assert "workspaceartifactstore" in names
    assert "workspaceblobstore" not in names


def test_secrets_by_the_older_version(pair: tuple[Arm, Arm]) -> None:
    """Who asks as people did in 2022 is told a key; the datastore says a key, too, which is told as a signature."""
    path = "datastores/workspaceblobstore"

    old, new = (
        pair[0]("POST", f"{path}/listSecrets?api-version={v}", {}) for v in ("2022-05-01", "2024-10-01-preview")
    )

    assert old.json().keys() == {"secretsType", "key"}
    assert new.json().keys() == {"secretsType", "sasToken"}
    assert pair[0]("GET", path).json()["properties"]["credentials"] == {"credentialsType": "AccountKey"}
