"""What is stored is what was sent: every field that the SDK's entities have comes back, or is refused by name.

The fields are those of the entities' own signatures: one that a later SDK adds fails here until it is looked at.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azureml_emulator.arm.sent import Identity, Sent
from azureml_emulator.resources import defaults, endpoints, roles, watching
from azureml_emulator.testing import Arm, alert
from tests.support.models import puppet_model
from tests.support.served import register

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

NAME = "stored"
ENDPOINT = f"onlineEndpoints/{NAME}"
DESTINATIONS = (
    *("workspaceId", "storageAccountId", "serviceBusRuleId", "eventHubAuthorizationRuleId", "eventHubName"),
    *("marketplacePartnerId", "logAnalyticsDestinationType"),
)
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/serving"
#: What names the thing, and what only the service says.
OTHERS = {"self", "kwargs", "name", "version", "endpoint_name", "utc_time_created"}
SAID = {"description": "kept", "tags": {"a": "b"}, "properties": {"c": "d"}}


@pytest.fixture(scope="module")
def arm(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arm]:
    arm = Arm(azure)
    register(arm, NAME, puppet_model(tmp_path_factory.mktemp("stored") / "model"))
    arm.endpoint(NAME)
    yield arm
    arm.settle(arm("DELETE", f"onlineEndpoints/{NAME}"))


def fields(entity: Any) -> set[str]:
    return set(inspect.signature(entity.__init__).parameters) - OTHERS


def plain(value: Any) -> Any:
    """An entity's value as texts, numbers, lists and mappings, without what was never said, and without case: Azure
    has its own of enumerations and paths.
    """
    if isinstance(value, str):
        return str(getattr(value, "value", value)).lower()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return {name: plain(item) for name, item in vars(value).items() if item is not None and name[0] != "_"}
    return value


def kept(given: Any, found: Any, sent: dict[str, Any]) -> None:
    """Each value that was sent is what is found; the service may add to mappings."""
    for name in sent:
        was, now = plain(getattr(given, name)), plain(getattr(found, name))
        assert (name, of(was, now)) == (name, was)


def of(was: Any, now: Any) -> Any:
    """What is found, without what mappings have more."""
    if isinstance(was, dict) and isinstance(now, dict):
        return {key: of(was[key], value) for key, value in now.items() if key in was}
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return [of(*pair) for pair in zip(was, now, strict=True)]
    return now


def test_endpoint(arm: Arm, client: MLClient) -> None:
    """Every field of a managed endpoint."""
    from azure.ai.ml.entities import IdentityConfiguration, ManagedIdentityConfiguration, ManagedOnlineEndpoint

    who = ManagedIdentityConfiguration(resource_id=IDENTITY)
    arm.deployment(NAME, "blue", f"models/{NAME}/versions/1")
    arm.deployment(NAME, "green", f"models/{NAME}/versions/1")
    sent: dict[str, Any] = SAID | {
        "auth_mode": "aml_token",
        "location": "local",
        "kind": "Managed",
        "public_network_access": "disabled",
        "traffic": {"blue": 100},
        "mirror_traffic": {"green": 10},
        "identity": IdentityConfiguration(type="user_assigned", user_assigned_identities=[who]),
    }
    assert sent.keys() == fields(ManagedOnlineEndpoint)
    given = ManagedOnlineEndpoint(name=NAME, **sent)

    client.online_endpoints.begin_create_or_update(given).result()

    kept(given, client.online_endpoints.get(NAME), sent)
    arm.endpoint(NAME)
    for name in ("blue", "green"):
        arm.settle(arm("DELETE", f"onlineEndpoints/{NAME}/deployments/{name}"))


def test_deployment(arm: Arm, client: MLClient) -> None:
    """Every field of a managed deployment, of its settings and its collector's, but those that are refused below."""
    from azure.ai.ml import entities

    probe = {"failure_threshold": 3, "success_threshold": 2, "timeout": 4, "period": 5, "initial_delay": 6}
    settings = {"max_concurrent_requests_per_instance": 2, "request_timeout_ms": 4000, "max_queue_wait_ms": 3000}
    place: dict[str, Any] = {"name": f"{NAME}-collected", "version": "2"}
    place["path"] = "azureml://datastores/workspaceblobstore/paths/a"
    data = {"enabled": "true", "data": entities.DataAsset(**place), "client_id": "a"}
    logging = {"capture_headers": ["x-a"]}
    collector: dict[str, Any] = {
        "collections": {"model_inputs": entities.DeploymentCollection(**data)},
        "rolling_rate": "day",
        "sampling_rate": 0.5,
        "request_logging": entities.RequestLogging(**logging),
    }
    sent: dict[str, Any] = SAID | {
        "model": f"{arm.workspace}/models/{NAME}/versions/1",
        "app_insights_enabled": True,
        "scale_settings": entities.DefaultScaleSettings(),
        "request_settings": entities.OnlineRequestSettings(**settings),
        "liveness_probe": entities.ProbeSettings(**probe),
        "readiness_probe": entities.ProbeSettings(**{**probe, "period": 7}),
        "environment_variables": {"GREETING": "hello"},
        "instance_type": "Standard_F4s_v2",
        "instance_count": 2,
        "egress_public_network_access": "disabled",
        "data_collector": entities.DataCollector(**collector),
    }
    for entity, said in (
        (entities.OnlineRequestSettings, settings),
        (entities.ProbeSettings, probe),
        (entities.DeploymentCollection, data),
        (entities.RequestLogging, logging),
        (entities.DataCollector, collector),
    ):
        assert said.keys() == fields(entity)
    refused = {"code_configuration", "code_path", "scoring_script", "environment"}
    assert sent.keys() | refused == fields(entities.ManagedOnlineDeployment)
    given = entities.ManagedOnlineDeployment(name="default", endpoint_name=NAME, **sent)

    client.online_deployments.begin_create_or_update(given).result()

    found = client.online_deployments.get("default", NAME)
    collected = sent.pop("data_collector").collections["model_inputs"].data  # the SDK registers it, and sends its id
    kept(given, found, sent)
    collection = {"enabled": "true", "data": plain(collected), "client_id": "a", "sampling_rate": 0.5}
    assert plain(found.data_collector) == {
        "collections": {"model_inputs": collection},
        "rolling_rate": "day",
        "sampling_rate": 0.5,
        "request_logging": logging,
    }
    assert str(client.data.get(place["name"], "2").path).endswith("/paths/a")


def test_model(arm: Arm, client: MLClient) -> None:
    """Every field of a model's version, but deployment templates, which only registries have."""
    from azure.ai.ml.entities import Model

    place = f"azureml:/{arm.workspace.replace('/providers/Microsoft.MachineLearningServices', '')}"
    sent: dict[str, Any] = SAID | {
        "type": "triton_model",
        "path": f"{place}/datastores/workspaceblobstore/paths/folder",
        "flavors": {"onnx": {"version": "1"}},
        "stage": "Production",
    }
    templates = {"default_deployment_template", "allowed_deployment_templates"}
    assert sent.keys() | templates == fields(Model)
    given = Model(name=f"{NAME}-model", version="4", **sent)

    client.models.create_or_update(given)

    kept(given, client.models.get(f"{NAME}-model", "4"), sent)


@pytest.mark.parametrize("how", ["image", "build"])
def test_environment(arm: Arm, client: MLClient, tmp_path: Path, how: str) -> None:
    """Every field of an environment, by an image or what builds one."""
    from azure.ai.ml.entities import BuildContext, Environment

    (tmp_path / "Dockerfile").write_text("FROM python:3.11")
    both: dict[str, Any] = {
        "image": {"image": "python:3.11", "conda_file": {"name": "a", "dependencies": ["python=3.11"]}},
        "build": {"build": BuildContext(path=str(tmp_path), dockerfile_path="Dockerfile")},
    }
    assert {*SAID, *both["image"], *both["build"], "datastore"} == fields(Environment)
    given = Environment(name=f"{NAME}-{how}", version="4", **SAID, **both[how])

    client.environments.create_or_update(given)

    kept(given, client.environments.get(f"{NAME}-{how}", "4"), SAID | both[how])


def test_cluster(client: MLClient) -> None:
    """Every field of a compute cluster; what opens its machines is told nobody."""
    from azure.ai.ml import entities

    sent: dict[str, Any] = {
        "description": "kept",
        "tags": {"a": "b"},
        "size": "STANDARD_F4S_V2",
        "min_instances": 1,
        "max_instances": 3,
        "idle_time_before_scale_down": 300,
        "tier": "low_priority",
        "ssh_public_access_enabled": True,
        "enable_node_public_ip": False,
        "identity": entities.IdentityConfiguration(type="system_assigned"),
    }
    secret = {"ssh_settings": entities.AmlComputeSshSettings(admin_username="a", admin_password=NAME)}
    refused = {"network_settings"}
    assert sent.keys() | secret | refused == fields(entities.AmlCompute)
    given = entities.AmlCompute(name=f"{NAME}-cluster", **sent, **secret)

    client.compute.begin_create_or_update(given).result()

    kept(given, client.compute.get(f"{NAME}-cluster"), sent)


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        (
            watching.ALERTS,
            alert(
                "a",
                description="b",
                actions=[{"actionGroupId": "c"}],
                autoMitigate=False,
                targetResourceType="d",
                targetResourceRegion="e",
            ),
        ),
        (
            watching.SETTINGS,
            {
                "properties": {
                    "logs": [{"categoryGroup": "a", "enabled": True, "retentionPolicy": {"enabled": True, "days": 1}}],
                    "metrics": [{"category": "AllMetrics", "enabled": True}],
                    **{name: name for name in DESTINATIONS},
                }
            },
        ),
    ],
)
def test_what_watches(arm: Arm, kind: str, sent: dict[str, Any]) -> None:
    """Every field of Microsoft.Insights' metricAlerts 2018-03-01 and diagnosticSettings 2021-05-01-preview."""
    above = arm.workspace.partition("/providers/")[0] if kind == watching.ALERTS else f"{arm.workspace}/{ENDPOINT}"
    place = f"{arm.base}{above}/providers/{kind}"

    arm("PUT", f"{place}/{NAME}", sent)

    found = [one for one in arm("GET", place).json()["value"] if one["name"] == NAME]
    arm("DELETE", f"{place}/{NAME}")
    assert [one["properties"] for one in found] == [sent["properties"]]


def test_role_assignments(arm: Arm) -> None:
    """Every field; with a condition, which would make a right smaller, there is none at all."""
    place = f"{arm.workspace}/providers/{roles.KIND}"
    role = "/".join(
        [*arm.workspace.split("/")[:3], "providers/Microsoft.Authorization/roleDefinitions", roles.IDS["Reader"]]
    )
    sent = {"principalId": NAME, "roleDefinitionId": role, "principalType": "User", "description": "a"}
    limited = {"properties": {**sent, "condition": "a", "conditionVersion": "2.0"}}

    refused = arm("PUT", f"{arm.base}{place}/limited", limited)
    made = arm("PUT", f"{arm.base}{place}/whole", {"properties": sent})

    found = arm("GET", f"{arm.base}{place}?$filter=assignedTo('{NAME}')").json()["value"]
    arm("DELETE", f"{arm.base}{place}/whole")
    assert (refused.status_code, "a condition isn't emulated" in refused.text, made.status_code) == (400, True, 201)
    assert [{name: one["properties"][name] for name in sent} for one in found] == [sent]


def test_data(arm: Arm, client: MLClient) -> None:
    """Every field of a data asset."""
    from azure.ai.ml.entities import Data

    sent: dict[str, Any] = SAID | {"path": "azureml://datastores/workspaceblobstore/paths/folder", "type": "uri_folder"}
    assert sent.keys() == fields(Data)
    given = Data(name=f"{NAME}-data", version="4", **sent)

    client.data.create_or_update(given)

    kept(given, client.data.get(f"{NAME}-data", "4"), sent)


@pytest.mark.parametrize(
    ("theirs", "ours", "service"),
    [
        ("OnlineEndpointProperties", endpoints.Properties, {"provisioningState", "scoringUri", "swaggerUri"}),
        ("ManagedOnlineDeployment", defaults.Properties, {"provisioningState"}),
        ("OnlineRequestSettings", defaults.RequestSettings, set()),
        ("ProbeSettings", defaults.ProbeSettings, set()),
        ("DataCollector", defaults.DataCollector, set()),
        ("Collection", defaults.Collection, set()),
        ("DefaultScaleSettings", defaults.ScaleSettings, set()),
        ("ManagedServiceIdentity", Identity, {"principalId", "tenantId"}),
    ],
)
def test_fields_of_the_wire(theirs: str, ours: type[Sent], service: set[str]) -> None:
    """Each that the SDK's REST models have is taken or refused, but for those that only the service says."""
    from azure.ai.ml._restclient.arm_ml_service import models
    from azure.ai.ml._restclient.arm_ml_service._utils.model_base import _deserialize

    described = {field._rest_name for field in _deserialize(getattr(models, theirs), {})._attr_to_rest_field.values()}

    assert described - service - {field.alias for field in ours.model_fields.values()} == set()


@pytest.mark.parametrize("kind", ["models", "data", "environments"])
def test_fields_that_the_sdk_does_not_have(arm: Arm, kind: str) -> None:
    """What another client says of an asset is kept as it came."""
    more = {
        "models": {"modelUri": "azureml://x/datastores/workspaceblobstore/paths/a", "datasets": [{"id": "a"}]},
        "data": {"dataType": "mltable", "dataUri": "azureml://a", "referencedUris": ["a", "b"]},
        "environments": {"image": "a", "inferenceConfig": {"livenessRoute": {"path": "/", "port": 1}}},
    }[kind]

    arm("PUT", f"{kind}/{NAME}-more/versions/1", {"properties": more})

    found = arm("GET", f"{kind}/{NAME}-more/versions/1").json()["properties"]
    assert {name: found[name] for name in more} == more


def test_what_is_refused_is_named(arm: Arm, client: MLClient, tmp_path: Path) -> None:
    """Scoring code, environments, assets of registries: each in a sentence that the SDK passes on."""
    from azure.ai.ml import entities
    from azure.core.exceptions import HttpResponseError

    (tmp_path / "score.py").write_text("def init(): pass")
    arm("PUT", f"environments/{NAME}-own/versions/1", {"properties": {"image": "a"}})
    model = {"model": f"azureml:{NAME}:1"}
    code = entities.CodeConfiguration(code=str(tmp_path), scoring_script="score.py")
    refused: list[tuple[str, dict[str, Any]]] = [
        ("scoring code isn't emulated", {"code_configuration": code}),
        ("scoring code isn't emulated", {"code_path": str(tmp_path), "scoring_script": "score.py"}),
        ("environments aren't emulated", {"environment": f"azureml:{NAME}-own:1"}),
        ("is in a registry", {"environment": "azureml://registries/azureml/environments/mlflow/versions/1"}),
        ("is in a registry", {"model": "azureml://registries/azureml/models/gpt2/versions/1"}),
    ]
    for why, sent in refused:
        given = entities.ManagedOnlineDeployment(
            name="refused", endpoint_name=NAME, instance_type="Standard_F4s_v2", instance_count=1, **(model | sent)
        )
        with pytest.raises(HttpResponseError, match=why):
            client.online_deployments.begin_create_or_update(given).result()
    assert arm("GET", f"onlineEndpoints/{NAME}/deployments/refused").status_code == 404
    network = entities.NetworkSettings(vnet_name="a", subnet="b")
    with pytest.raises(HttpResponseError, match="a virtual network isn't emulated"):
        client.compute.begin_create_or_update(entities.AmlCompute(name="refused", network_settings=network)).result()
