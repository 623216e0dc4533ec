"""Whatever a client asks for that isn't emulated says so in a sentence that names it, with the status that Azure has
for what it doesn't know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from azureml_emulator.testing import Arm, endpoint

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

ML = "Microsoft.MachineLearningServices"
GROUP = "{subscription}/resourceGroups/local/providers"


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        (lambda client: list(client.schedules.list()), "schedules/read"),
        (lambda client: list(client.components.list()), "components/read"),
        (lambda client: list(client.batch_endpoints.list()), "batchEndpoints/read"),
        (lambda client: client.batch_deployments.get("any", "any"), "batchEndpoints/deployments/read"),
        (lambda client: list(client.compute.list_nodes("any")), "computes/listNodes/action"),
        (lambda client: list(client.connections.list()), "connections/read"),
        (lambda client: list(client.feature_sets.list()), "featuresets/read"),
        (lambda client: list(client.registries.list()), f"{ML}/registries/read"),
        (lambda client: list(client.workspaces.list()), f"{ML}/workspaces/read"),
        (lambda client: client.workspaces.get_keys("local"), "workspaces/listKeys/action"),
        (lambda client: list(client.serverless_endpoints.list()), "serverlessEndpoints/read"),
        (lambda client: client.datastores.delete("any"), "datastores/"),
    ],
)
def test_operations_of_the_sdk(client: MLClient, ask: Callable[[MLClient], Any], named: str) -> None:
    """The SDK passes the sentence on."""
    from azure.core.exceptions import HttpResponseError

    with pytest.raises(HttpResponseError) as refused:
        ask(client)

    assert named in str(refused.value)
    assert "isn't emulated" in str(refused.value)
    assert refused.value.status_code in (404, 405)


@pytest.mark.parametrize(
    ("method", "path", "status", "named"),
    [
        ("DELETE", "{workspace}/jobs/a", 405, "DELETE of"),
        ("DELETE", "{workspace}/computes/a", 405, "DELETE of"),
        ("POST", "{workspace}/onlineEndpoints/a/dance", 404, "onlineEndpoints/dance/action"),
        ("GET", "{workspace}/onlineEndpoints/a/deployments/b/skus", 404, "onlineEndpoints/deployments/skus/read"),
        ("PATCH", "{workspace}/onlineEndpoints/a/deployments/b", 405, "PATCH of"),
        ("DELETE", "{workspace}/models/a/versions/1", 405, "DELETE of"),
        ("PATCH", "{workspace}", 405, "PATCH of"),
        ("GET", "{workspace}/codes", 404, f"{ML}/workspaces/codes/read"),
        ("GET", f"{GROUP}/{ML}/registries/azureml/models/a", 404, f"{ML}/registries/models/read"),
        ("GET", f"{GROUP}/Microsoft.Storage/storageAccounts/a", 404, "Microsoft.Storage/storageAccounts/read"),
        ("POST", f"{GROUP}/Microsoft.Storage/storageAccounts/a/listKeys", 404, "storageAccounts/listKeys/action"),
        ("PUT", f"{GROUP}/Microsoft.Insights/autoscalesettings/a", 404, "Microsoft.Insights/autoscalesettings/write"),
        ("GET", "{subscription}", 404, "GET /subscriptions/"),
        ("POST", "/mlflow/v2.0{workspace}/api/2.0/mlflow/runs/delete", 404, "runs/delete"),
        ("GET", "/history/v1.0{workspace}/runs/a/children", 404, "GET /history/v1.0"),
    ],
)
def test_calls(arm: Arm, method: str, path: str, status: int, named: str) -> None:
    """What isn't there is 404, another method of what is 405; the sentence names the action, or method and path."""
    place = path.format(workspace=arm.workspace, subscription=arm.workspace.partition("/resourceGroups/")[0])

    answer = arm(method, f"{arm.base}{place}", {} if method in ("PUT", "POST", "PATCH") else None)

    error = answer.json()["error"]
    assert answer.status_code == status
    assert named in error["message"]
    assert "isn't emulated" in error["message"]


@pytest.mark.parametrize(
    ("theirs", "ours", "code"),
    [
        ("workspaces/local", "workspaces/other", "ResourceNotFound"),
        ("resourceGroups/local", "resourceGroups/other", "ResourceGroupNotFound"),
        ("subscriptions/0", "subscriptions/1", "SubscriptionNotFound"),
    ],
)
def test_places(arm: Arm, theirs: str, ours: str, code: str) -> None:
    """What is missing first is what Azure names: the subscription, its group, or the workspace in that."""
    there = f"{arm.base}{arm.workspace.replace(theirs, ours)}"

    answers = [arm("GET", there), arm("PUT", f"{there}/onlineEndpoints/any-endpoint", endpoint())]

    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [(404, code)] * 2


@pytest.mark.parametrize("path", ["onlineEndpoints?name=a", "onlineEndpoints?tags=a", "datastores?names=a"])
def test_filters(arm: Arm, path: str) -> None:
    """A list isn't answered as if nobody had asked for a part of it."""
    answer = arm("GET", path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "NotEmulated")


def test_api_versions(arm: Arm) -> None:
    """One that can't be one is answered as Azure does, where a resource type isn't known in it."""
    answers = [arm("GET", f"models?api-version={version}") for version in ("dummy", "2024-10-01", "2024-10-01-preview")]

    assert [answer.status_code for answer in answers] == [404, 200, 200]
    assert answers[0].json()["error"]["code"] == "InvalidResourceType"
    assert "'workspaces/models' could not be found in the namespace" in answers[0].json()["error"]["message"]
