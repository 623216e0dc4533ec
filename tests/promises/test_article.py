"""Microsoft's article "Progressive rollout of MLflow models to online endpoints", step by step, by the SDK alone.

https://learn.microsoft.com/azure/machine-learning/how-to-deploy-mlflow-models-online-progressive
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.lib.decisions.contract import contract
from scripts.lib.decisions.expectations import Expected, with_tags
from scripts.lib.decisions.model_folder import mlmodel
from scripts.lib.decisions.predictions import problems
from tests.support import ROOT

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint, Model

ENDPOINT = "article"
MODEL = "article-model"
SAMPLE = ROOT / "endpoints" / "sample-request.json"


@pytest.fixture(scope="module")
def first_model(client: MLClient, model_folder: Path) -> Model:
    return register(client, model_folder)


@pytest.fixture(scope="module")
def endpoint(client: MLClient) -> ManagedOnlineEndpoint:
    from azure.ai.ml.entities import ManagedOnlineEndpoint

    endpoint = ManagedOnlineEndpoint(name=ENDPOINT, description="The article's", auth_mode="key", tags={"model": MODEL})
    return client.online_endpoints.begin_create_or_update(endpoint).result()


@pytest.fixture(scope="module")
def blue(client: MLClient, endpoint: ManagedOnlineEndpoint, first_model: Model) -> ManagedOnlineDeployment:
    blue = create_deployment(client, "default", first_model)
    set_traffic(client, {"default": 100})
    return blue


@pytest.fixture(scope="module")
def second_model(client: MLClient, first_model: Model, model_folder: Path) -> Model:
    return register(client, model_folder)


@pytest.fixture(scope="module")
def green(client: MLClient, blue: ManagedOnlineDeployment, second_model: Model) -> ManagedOnlineDeployment:
    return create_deployment(client, f"xgboost-model-{second_model.version}", second_model)


def test_connect(client: MLClient) -> None:
    """The client reads the workspace it was given."""
    workspace = client.workspaces.get(client.workspace_name)

    assert workspace.name == client.workspace_name
    assert workspace.location


def test_register(first_model: Model, model_folder: Path) -> None:
    """A registered MLflow folder becomes version 1, with the flavors of its MLmodel file."""
    assert first_model.version == "1"
    assert set(first_model.flavors) == set(mlmodel(model_folder)["flavors"])


def test_create_endpoint(endpoint: ManagedOnlineEndpoint) -> None:
    """A new endpoint asks for a key, has an address and no traffic."""
    assert endpoint.auth_mode == "key"
    assert endpoint.scoring_uri.startswith("https://")
    assert endpoint.traffic == {}


def test_deploy_blue(client: MLClient, blue: ManagedOnlineDeployment) -> None:
    """The first deployment gets all the traffic once it is told so."""
    assert blue.provisioning_state == "Succeeded"
    assert client.online_endpoints.get(ENDPOINT).traffic == {"default": 100}


def test_invoke(client: MLClient, blue: ManagedOnlineDeployment, model_folder: Path) -> None:
    """The endpoint answers the sample request as the model's signature and its metadata say."""
    said = contract(model_folder)

    answer = client.online_endpoints.invoke(ENDPOINT, request_file=str(SAMPLE))

    assert [*problems(json.loads(answer), None, said.gives, with_tags(Expected(), said.tags))] == []


def test_look_up_the_latest_version(client: MLClient, second_model: Model) -> None:
    """The newest version is found by the label latest."""
    assert second_model.version == "2"
    assert client.models.get(MODEL, label="latest").version == "2"


def test_deploy_green(client: MLClient, green: ManagedOnlineDeployment) -> None:
    """The second deployment starts without traffic."""
    assert green.name == "xgboost-model-2"
    assert client.online_endpoints.get(ENDPOINT).traffic == {"default": 100, "xgboost-model-2": 0}


def test_invoke_green_by_name(client: MLClient, green: ManagedOnlineDeployment) -> None:
    """A request that names green is answered by green, whatever the split."""
    answer = post(client, {"azureml-model-deployment": green.name})

    assert answer.status_code == 200
    assert answer.headers["azureml-model-deployment"] == green.name


def test_package(client: MLClient, second_model: Model, blue: ManagedOnlineDeployment) -> None:
    """A packaged model is deployed through its environment, without naming the model (--with-package)."""
    from azure.ai.ml.entities import AzureMLOnlineInferencingServer, ManagedOnlineDeployment, ModelPackage

    request = ModelPackage(target_environment=MODEL, inferencing_server=AzureMLOnlineInferencingServer())
    environment = client.models.package(MODEL, second_model.version, request)
    packaged = ManagedOnlineDeployment(
        name="packaged",
        endpoint_name=ENDPOINT,
        environment=environment,
        instance_type="Standard_DS3_v2",
        instance_count=1,
    )
    created = client.online_deployments.begin_create_or_update(packaged).result()

    assert created.model is None
    assert post(client, {"azureml-model-deployment": "packaged"}).status_code == 200


def test_the_rest_of_the_rollout(client: MLClient, green: ManagedOnlineDeployment) -> None:
    """90/10, then 0/100, then blue and at last the endpoint can be deleted."""
    assert set_traffic(client, {"default": 90, green.name: 10}) == {"default": 90, green.name: 10}
    assert set_traffic(client, {"default": 0, green.name: 100}) == {"default": 0, green.name: 100}

    client.online_deployments.begin_delete("default", ENDPOINT).result()
    names = [deployment.name for deployment in client.online_deployments.list(ENDPOINT)]
    answers = {post(client).headers["azureml-model-deployment"] for _ in range(5)}
    client.online_endpoints.begin_delete(ENDPOINT).result()

    assert "default" not in names
    assert answers == {green.name}
    assert ENDPOINT not in [endpoint.name for endpoint in client.online_endpoints.list()]


def register(client: MLClient, folder: Path) -> Model:
    from azure.ai.ml.entities import Model

    return client.models.create_or_update(Model(name=MODEL, path=str(folder), type="mlflow_model"))


def create_deployment(client: MLClient, name: str, model: Model) -> ManagedOnlineDeployment:
    from azure.ai.ml.entities import ManagedOnlineDeployment

    deployment = ManagedOnlineDeployment(
        name=name,
        endpoint_name=ENDPOINT,
        model=f"azureml:{model.name}:{model.version}",
        instance_type="Standard_DS3_v2",
        instance_count=1,
    )
    return client.online_deployments.begin_create_or_update(deployment).result()


def set_traffic(client: MLClient, traffic: dict[str, int]) -> dict[str, int]:
    endpoint: Any = client.online_endpoints.get(ENDPOINT)
    endpoint.traffic = traffic
    client.online_endpoints.begin_create_or_update(endpoint).result()
    present = client.online_endpoints.get(ENDPOINT).traffic
    return {name: present[name] for name in traffic}


def post(client: MLClient, headers: dict[str, str] | None = None) -> requests.Response:
    """A scoring request over plain HTTP: naming a deployment in the SDK would stick to every later call."""
    uri, key = client.online_endpoints.get(ENDPOINT).scoring_uri, client.online_endpoints.get_keys(ENDPOINT).primary_key
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **(headers or {})}
    return requests.post(uri, data=SAMPLE.read_bytes(), headers=headers, timeout=30)
