"""What files that others wrote say, as the SDK sends it: kept, taken in any spelling, or named as not emulated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azureml_emulator.arm.names import ROLLOUT
from azureml_emulator.resources import skus
from azureml_emulator.testing import Arm, deployment, endpoint
from tests.support.models import order, puppet_model
from tests.support.served import register, score

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

NAME = "others"
PATH = f"onlineEndpoints/{NAME}"
DEPLOYMENT = f"{PATH}/deployments/default"
MODEL = "models/others/versions/1"
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/serving"


@pytest.fixture(scope="module")
def arm(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arm]:
    arm = Arm(azure)
    register(arm, "others", puppet_model(tmp_path_factory.mktemp("others") / "model"))
    arm.endpoint(NAME)
    yield arm
    arm.settle(arm("DELETE", PATH))


def read(arm: Arm, path: str) -> dict[str, Any]:
    found: dict[str, Any] = arm("GET", path).json()
    return found


def test_enumerations_in_any_case(arm: Arm) -> None:
    """ARM takes them as they come, and gives them back as they are described."""
    arm.settle(arm("PUT", PATH, endpoint(publicNetworkAccess="disabled", authMode="key")))
    sent = {"egressPublicNetworkAccess": "DISABLED", "endpointComputeType": "managed"}
    body = deployment(f"{arm.workspace}/{MODEL}", **sent, scaleSettings={"scaleType": "default"})
    arm.settle(arm("PUT", DEPLOYMENT, body | {"sku": {"name": "default", "tier": "standard"}}))

    found = read(arm, PATH)["properties"]
    assert (found["publicNetworkAccess"], found["authMode"]) == ("Disabled", "Key")
    made = read(arm, DEPLOYMENT)
    assert made["properties"]["egressPublicNetworkAccess"] == "Disabled"
    assert made["properties"]["endpointComputeType"] == "Managed"
    assert made["properties"]["scaleSettings"] == {"scaleType": "Default"}
    assert made["sku"] == {"name": "Default", "tier": "Standard", "capacity": 1}


def test_sizes_in_any_case(arm: Arm) -> None:
    """So are instance types."""
    outcome = arm.deployment(NAME, "default", MODEL, instanceType="STANDARD_NC4AS_T4_V3")

    assert outcome["status"] == "Succeeded"
    assert read(arm, DEPLOYMENT)["properties"]["instanceType"] == "Standard_NC4as_T4_v3"


@pytest.mark.parametrize(
    "name",
    [
        *skus.CORES,
        *("Standard_F4s_v2", "Standard_E4s_v3", "Standard_NC6s_v3", "Standard_NC24ads_A100_v4", "Standard_ND40rs_v2"),
        *("Standard_NC40ads_H100_v5", "Standard_L8s_v3", "Standard_D2as_v4", "Standard_NC6"),
    ],
)
def test_a_size_has_one_spelling(name: str) -> None:
    """It is that of Azure's list."""
    assert {skus.spelt(sent) for sent in (name, name.upper(), name.lower())} == {name}


def test_environment_variables_reach_the_model(arm: Arm) -> None:
    """The model finds them, and those of the platform are not replaced by them."""
    given = {"GREETING": "hello", "AZUREML_MODEL_DIR": "/nowhere"}
    arm.deployment(NAME, "default", MODEL, environmentVariables=given)
    arm.endpoint(NAME, traffic={"default": 100})

    answer = score(arm, NAME, body=json.loads(order("show GREETING")))
    place = score(arm, NAME, body=json.loads(order("show AZUREML_MODEL_DIR")))
    arm.endpoint(NAME, traffic={})

    assert answer.json() == ["hello"]
    assert Path(place.json()[0]).name.startswith("model-")


def test_user_assigned_identities_are_kept(arm: Arm, client: MLClient) -> None:
    """An endpoint's ids come back, also after the SDK has read and written it; of an identity that is here, its own."""
    group = arm.workspace.partition("/providers/")[0]
    known = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/rollout"
    body = endpoint() | {"identity": {"type": "userassigned", "userAssignedIdentities": {IDENTITY: {}, known: {}}}}

    arm.settle(arm("PUT", PATH, body))
    client.online_endpoints.begin_create_or_update(client.online_endpoints.get(NAME)).result()

    assert read(arm, PATH)["identity"]["type"] == "UserAssigned"
    ids = read(arm, PATH)["identity"]["userAssignedIdentities"]
    assert list(ids) == [IDENTITY, known]
    assert all(set(one) == {"clientId", "principalId"} for one in ids.values())
    assert ids[known]["clientId"] == ROLLOUT


def test_two_kinds_of_identity_at_once(arm: Arm) -> None:
    """With or without the space that Microsoft's own files have between them."""
    both = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
    arm.settle(arm("PUT", PATH, endpoint() | {"identity": both}))

    found = read(arm, PATH)["identity"]
    assert found["type"] == "SystemAssigned,UserAssigned"
    assert {"principalId", "tenantId", "userAssignedIdentities"} <= set(found)


def test_data_collector(arm: Arm, client: MLClient) -> None:
    """The SDK registers where it collects to, twice, too, and the deployment says so."""
    from azure.ai.ml.entities import DataCollector, DeploymentCollection, ManagedOnlineDeployment

    for _ in range(2):
        collections = {name: DeploymentCollection(enabled="true") for name in ("model_inputs", "model_outputs")}
        wanted = ManagedOnlineDeployment(
            name="default",
            endpoint_name=NAME,
            model="azureml:others:1",
            instance_type="Standard_DS3_v2",
            instance_count=1,
            data_collector=DataCollector(collections=collections),
        )
        client.online_deployments.begin_create_or_update(wanted).result()

    found = read(arm, DEPLOYMENT)["properties"]["dataCollector"]["collections"]
    assert set(found) == {"model_inputs", "model_outputs"}
    assert read(arm, f"data/{NAME}-default-model_inputs/versions/1")["properties"]["dataType"] == "uri_folder"


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        (PATH, endpoint(compute="azureml:cluster"), "properties.compute: Kubernetes isn't emulated"),
        (
            DEPLOYMENT,
            deployment(MODEL, codeConfiguration={"codeId": "c", "scoringScript": "s.py"}),
            "properties.codeConfiguration: scoring code isn't emulated",
        ),
        (
            DEPLOYMENT,
            deployment(MODEL, endpointComputeType="kubernetes"),
            "properties.endpointComputeType: Kubernetes isn't emulated",
        ),
        (
            DEPLOYMENT,
            deployment(MODEL, scaleSettings={"scaleType": "targetUtilization", "maxInstances": 3}),
            "properties.scaleSettings.scaleType: TargetUtilization isn't emulated",
        ),
        (DEPLOYMENT, deployment(MODEL, instances=1.5), "sku.capacity: Input should be a valid integer, not 1.5"),  # type: ignore[arg-type]
        (DEPLOYMENT, deployment(MODEL, instances=0), "sku.capacity: Input should be greater than or equal to 1, not 0"),
        (DEPLOYMENT, deployment("azureml://registries/azureml/models/m/versions/1"), "is in a registry"),
        (
            DEPLOYMENT,
            deployment("/subscriptions/s/resourceGroups/g/providers/P/workspaces/w/models/others/versions/1"),
            "is in another workspace",
        ),
        (
            DEPLOYMENT,
            deployment(MODEL, environmentId="azureml://registries/azureml/environments/mlflow/versions/1"),
            "is in a registry",
        ),
    ],
)
def test_what_is_not_emulated_is_named(arm: Arm, path: str, body: dict[str, Any], why: str) -> None:
    """It is refused in a sentence, not dropped."""
    answer = arm("PUT", path, body)

    assert (answer.status_code, why in answer.json()["error"]["message"]) == (400, True)
