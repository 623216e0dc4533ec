"""What the local Azure ML allows and refuses for endpoints and deployments."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import requests

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

from azureml_emulator.testing import Arm, deployment, endpoint
from tests.support.served import keys, register, score, serve

MODEL = "models/rules/versions/1"
NAME = "rules-endpoint"


@pytest.fixture(scope="module")
def arm(azure: dict[str, str], model_folder: Path) -> Arm:
    """An endpoint with the healthy deployments blue (all the traffic) and green."""
    arm = Arm(azure)
    serve(arm, NAME, register(arm, "rules", model_folder), "blue", "green")
    return arm


@pytest.fixture
def fresh(arm: Arm) -> Iterator[str]:
    """An endpoint of this test's own."""
    arm.endpoint("fresh-endpoint")
    yield "fresh-endpoint"
    arm.settle(arm("DELETE", "onlineEndpoints/fresh-endpoint"))


@pytest.mark.parametrize(
    "name",
    ["ab", "a" * 33, "1endpoint", "-endpoint", "endpoint-", "two--dashes", "under_score", "dots.in"],
)
def test_endpoint_names(arm: Arm, name: str) -> None:
    """A name that isn't 3 to 32 letters, digits and single dashes, a letter first, is refused."""
    answer = arm("PUT", f"onlineEndpoints/{name}", endpoint())

    assert_refused(answer, "name")
    assert arm("GET", f"onlineEndpoints/{name}").status_code == 404


def test_an_endpoint_stays_where_it_is(arm: Arm, fresh: str) -> None:
    """A tracked resource has one region for ever (Azure/azure-service-operator#784), however that is written."""
    moved = arm("PUT", f"onlineEndpoints/{fresh}", {**endpoint(), "location": "westus"})

    assert (moved.status_code, moved.json()["error"]["code"]) == (409, "InvalidResourceLocation")
    assert arm.settle(arm("PUT", f"onlineEndpoints/{fresh}", {**endpoint(), "location": "Lo cal"}))
    assert arm("GET", f"onlineEndpoints/{fresh}").json()["location"] == "local"


def test_lists_in_parts(arm: Arm, client: MLClient, fresh: str) -> None:
    """As large as asked for, each part leads to the next; the SDK, which asks for no size, finds all."""
    for path, size, names in (
        ("onlineEndpoints", "count", [one.name for one in client.online_endpoints.list()]),
        (f"onlineEndpoints/{NAME}/deployments", "$top", [one.name for one in client.online_deployments.list(NAME)]),
    ):
        found, following = [], f"{path}?{size}=1"
        while following:
            page = arm("GET", following).json()
            found += [one["name"] for one in page["value"]]
            assert len(page["value"]) == 1
            following = page.get("nextLink")
        assert found == names
        assert {fresh, NAME} <= set(names) or names == ["blue", "green"]


@pytest.mark.parametrize("name", ["ab", "a" * 33, "2nd", "two--dashes"])
def test_deployment_names(arm: Arm, name: str) -> None:
    """Deployments are named by the same rule."""
    answer = arm("PUT", f"onlineEndpoints/{NAME}/deployments/{name}", deployment(f"{arm.workspace}/{MODEL}"))

    assert_refused(answer, "name")


@pytest.mark.parametrize(
    ("traffic", "why"),
    [
        ({"blue": 110}, "properties.traffic.blue: Input should be less than or equal to 100"),
        ({"blue": 60, "green": 60}, "0 or 100"),
        ({"blue": 99}, "0 or 100"),
        ({"blue": -10, "green": 50}, "properties.traffic.blue: Input should be greater than or equal to 0"),
        ({"blue": 99.5, "green": 0.5}, "properties.traffic.green: Input should be a valid integer"),
        ({"blue": "100"}, "properties.traffic.blue: Input should be a valid integer"),
        ({"blue": True}, "properties.traffic.blue: Input should be a valid integer"),
        ({"nobody": 100}, "no deployment"),
        (["blue"], "properties.traffic: Input should be a valid dictionary"),
    ],
)
def test_traffic_is_refused(arm: Arm, traffic: Any, why: str) -> None:
    """A split that Azure refuses changes nothing."""
    answer = arm("PUT", f"onlineEndpoints/{NAME}", endpoint(traffic=traffic))

    assert_refused(answer, why)
    assert properties(arm)["traffic"] == {"blue": 100}


@pytest.mark.parametrize(
    ("mirror", "why"),
    [
        ({"green": 51}, "at most 50"),
        ({"blue": 10}, "live and mirrored"),
        ({"blue": 10, "green": 10}, "One deployment"),
        ({"nobody": 10}, "no deployment"),
    ],
)
def test_mirror_is_refused(arm: Arm, mirror: dict[str, int], why: str) -> None:
    """One deployment without live traffic can be mirrored, with at most 50 %."""
    answer = arm("PUT", f"onlineEndpoints/{NAME}", endpoint(traffic={"blue": 100}, mirrorTraffic=mirror))

    assert_refused(answer, why)
    assert properties(arm)["mirrorTraffic"] == {}


def test_upper_case_is_lowered(arm: Arm, fresh: str) -> None:
    """Upper-case names of deployments become lower-case, in a split too."""
    arm.deployment(fresh, "Default", MODEL)
    arm.endpoint(fresh, traffic={"DEFAULT": 100})

    assert arm("GET", f"onlineEndpoints/{fresh}/deployments/default").json()["name"] == "default"
    assert properties(arm, fresh)["traffic"] == {"default": 100}


def test_new_deployment_gets_no_traffic(arm: Arm, fresh: str) -> None:
    """Creating a deployment leaves the traffic empty, and such an endpoint answers 404."""
    arm.deployment(fresh, "default", MODEL)

    assert properties(arm, fresh)["traffic"] == {}
    assert score(arm, fresh).status_code == 404


def test_defaults_are_filled_in(arm: Arm) -> None:
    """A no-code deployment comes back with what Azure fills in."""
    found = arm("GET", f"onlineEndpoints/{NAME}/deployments/blue").json()

    assert found["sku"] == {"name": "Default", "tier": "Standard", "capacity": 1}
    assert found["properties"]["requestSettings"]["requestTimeout"] == "PT5S"
    assert found["properties"]["livenessProbe"]["failureThreshold"] == 30
    assert found["properties"]["scaleSettings"] == {"scaleType": "Default"}


def test_conflict_while_an_operation_runs(arm: Arm, fresh: str) -> None:
    """A second change to an endpoint is answered 409 until the first has ended; another endpoint isn't held up."""
    first = arm("PUT", f"onlineEndpoints/{fresh}/deployments/default", deployment(f"{arm.workspace}/{MODEL}"))
    second = arm("PUT", f"onlineEndpoints/{fresh}", endpoint())
    elsewhere = arm("PUT", f"onlineEndpoints/{NAME}", endpoint(traffic={"blue": 100}))

    assert second.status_code == 409
    assert "Updating provisioning state" in second.json()["error"]["message"]
    assert arm.settle(elsewhere)["status"] == "Succeeded"
    assert arm.settle(first)["status"] == "Succeeded"


def test_an_update_answers_what_will_be(arm: Arm, fresh: str) -> None:
    """The answer to a PUT is a projection; a GET shows what is in force, and the truth once the operation has ended."""
    arm.settle(arm("PUT", f"onlineEndpoints/{fresh}", endpoint() | {"identity": {"type": "SystemAssigned"}}))
    arm.deployment(fresh, "default", MODEL)

    answer = arm("PUT", f"onlineEndpoints/{fresh}", endpoint(description="new", traffic={"default": 100}))
    early = arm("GET", f"onlineEndpoints/{fresh}").json()
    arm.settle(answer)

    told = answer.json()
    assert (answer.status_code, told["properties"]["provisioningState"]) == (201, "Creating")
    assert (told["properties"]["traffic"], told["properties"]["scoringUri"]) == ({"default": 100}, None)
    assert (list(told["systemData"]), {"location", "identity"} & set(told)) == (["lastModifiedAt"], set())
    assert (early["properties"]["provisioningState"], early["properties"]["traffic"]) == ("Updating", {})
    assert {"location", "identity"} <= set(early) and early["properties"]["scoringUri"]
    assert (properties(arm, fresh)["description"], properties(arm, fresh)["traffic"]) == ("new", {"default": 100})


def test_a_deployment_answers_what_will_be(arm: Arm, fresh: str) -> None:
    """The answer to what creates one tells its size, that to an update doesn't; a GET goes on to."""
    path = f"onlineEndpoints/{fresh}/deployments/default"
    made = arm("PUT", path, deployment(f"{arm.workspace}/{MODEL}"))
    arm.settle(made)
    changed = arm("PUT", path, deployment(f"{arm.workspace}/{MODEL}", description="new"))
    early = arm("GET", path).json()
    arm.settle(changed)

    told = [answer.json()["properties"] for answer in (made, changed)]
    assert [one["instanceType"] for one in told] == ["Standard_DS3_v2", None]
    assert [one["provisioningState"] for one in told] == ["Creating", "Creating"]
    assert list(changed.json()["systemData"]) == ["lastModifiedAt"]
    assert (early["properties"]["provisioningState"], early["properties"]["description"]) == ("Updating", None)
    assert early["properties"]["instanceType"] == "Standard_DS3_v2"
    assert early["properties"]["requestSettings"]["maxQueueWait"] == "PT0S"
    assert {"dataCollector", "modelMountPath"} <= set(early["properties"])


def test_what_the_service_owns(arm: Arm, client: MLClient, fresh: str) -> None:
    """Its ids and its properties are there, and survive what the SDK and others send in their place."""
    path = f"onlineEndpoints/{fresh}"
    arm.settle(arm("PUT", path, endpoint() | {"identity": {"type": "SystemAssigned"}}))
    before = arm("GET", path).json()
    read = client.online_endpoints.get(fresh)
    read.properties |= {"azureml.onlineendpointid": "nonsense", "ours": "kept"}
    client.online_endpoints.begin_create_or_update(read).result()
    after = arm("GET", path).json()
    arm.settle(arm("PUT", path, endpoint() | {"identity": {"type": "SystemAssigned"}}))
    bare = arm("GET", path).json()

    assert UUID(before["identity"]["principalId"]) and UUID(before["identity"]["tenantId"])
    assert before["identity"] == after["identity"] == bare["identity"]
    owned = [found["properties"]["properties"] for found in (before, after, bare)]
    assert {one["azureml.onlineendpointid"] for one in owned} == {before["id"].lower()}
    assert len({one["AzureAsyncOperationUri"] for one in owned}) == 3
    assert owned[1]["ours"] == "kept"


def test_swagger_is_where_the_endpoint_says(arm: Arm) -> None:
    """For whoever has a key."""
    uri = properties(arm, NAME)["swaggerUri"]
    key = {"Authorization": f"Bearer {keys(arm, NAME)['primaryKey']}"}

    answer, closed = arm.session.get(f"{uri}?version=3", headers=key, timeout=30), arm.session.get(uri, timeout=30)

    assert "/score" in answer.json()["paths"]
    assert closed.status_code == 401


def test_live_deployment_stays(arm: Arm) -> None:
    """A deployment with traffic is not deleted."""
    answer = arm("DELETE", f"onlineEndpoints/{NAME}/deployments/blue")

    assert_refused(answer, "set it to 0")
    assert score(arm, NAME).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        (
            "GET",
            "onlineEndpoints/nobody",
            "onlineEndpoints/nobody' under resource group 'local' was not found",
        ),
        (
            "POST",
            "onlineEndpoints/nobody/listKeys",
            "onlineEndpoints/nobody' under resource group 'local' was not found",
        ),
        ("GET", f"onlineEndpoints/{NAME}/deployments/nobody", f"{NAME}/deployments/nobody' under resource group"),
        ("GET", "onlineEndpoints/nobody/deployments", "Parent resource 'local/nobody' not found."),
        ("GET", "onlineEndpoints/nobody/deployments/any", "Parent resource 'local/nobody' not found."),
    ],
)
def test_the_resource_manager_knows_what_is_not_there(arm: Arm, method: str, path: str, says: str) -> None:
    """It answers itself, in its own short form: code and message."""
    answer = arm(method, path)

    error = answer.json()["error"]
    assert (answer.status_code, set(error), says in error["message"]) == (404, {"code", "message"}, True)


def test_delete_is_idempotent(arm: Arm) -> None:
    """Deleting what isn't there is answered 204."""
    assert arm("DELETE", f"onlineEndpoints/{NAME}/deployments/nobody").status_code == 204
    assert arm("DELETE", "onlineEndpoints/nobody").status_code == 204


def test_deleting_an_endpoint_deletes_its_deployments(arm: Arm) -> None:
    """An endpoint can be deleted while a deployment has all its traffic."""
    serve(arm, "doomed", MODEL, "default")

    arm.settle(arm("DELETE", "onlineEndpoints/doomed"))

    assert arm("GET", "onlineEndpoints/doomed").status_code == 404
    assert arm("GET", "onlineEndpoints/doomed/deployments").status_code == 404


def test_scale(arm: Arm, fresh: str) -> None:
    """A changed instance count is what the deployment reports, after Scaling, and it goes on answering."""
    serve(arm, fresh, MODEL, "default")

    path = f"onlineEndpoints/{fresh}/deployments/default"
    started = arm("PUT", path, deployment(f"{arm.workspace}/{MODEL}", instances=2))
    meanwhile = properties(arm, f"{fresh}/deployments/default")["provisioningState"]
    arm.settle(started)
    changed = arm("PUT", path, deployment(f"{arm.workspace}/{MODEL}", instances=2, environmentVariables={"A": "b"}))
    updating = properties(arm, f"{fresh}/deployments/default")["provisioningState"]
    arm.settle(changed)

    assert (meanwhile, updating) == ("Scaling", "Updating")
    assert properties(arm, f"{fresh}/deployments/default")["provisioningState"] == "Succeeded"
    assert arm("GET", f"onlineEndpoints/{fresh}/deployments/default").json()["sku"]["capacity"] == 2
    assert score(arm, fresh).status_code == 200


def test_failed_provisioning(arm: Arm, model_folder: Path, tmp_path: Path, fresh: str) -> None:
    """A model that can't be loaded ends as Failed; the container's log says why."""
    broken = Path(shutil.copytree(model_folder, tmp_path / "broken"))
    (broken / "model.pkl").write_bytes(b"no pickle")

    status = arm.deployment(fresh, "default", register(arm, "broken", broken))
    log = arm("POST", f"onlineEndpoints/{fresh}/deployments/default/getLogs", {"tail": 200}).json()["content"]

    assert (status["status"], status["error"]["code"]) == ("Failed", "ResourceNotReady")
    assert properties(arm, f"{fresh}/deployments/default")["provisioningState"] == "Failed"
    assert "UnpicklingError" in log


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"instances": 51}, "sku.capacity: Input should be less than or equal to 50, not 51"),
        ({"instances": 0}, "sku.capacity: Input should be greater than or equal to 1"),
        ({"instances": "1"}, "sku.capacity: Input should be a valid integer"),
        ({"instanceType": "Standard_Nothing"}, "not supported"),
        ({"instanceType": None}, "properties.instanceType: Field required"),
        (
            {"requestSettings": {"requestTimeout": "PT181S"}},
            "requestTimeout: Input should be less than or equal to 180",
        ),
        ({"requestSettings": {"requestTimeout": "5"}}, "requestTimeout: Input should be an ISO 8601 duration"),
        (
            {"requestSettings": {"maxConcurrentRequestsPerInstance": 0}},
            "PerInstance: Input should be greater than or equal to 1",
        ),
        ({"livenessProbe": {"period": "soon"}}, "livenessProbe.period: Input should be an ISO 8601 duration"),
        ({"livenessProbe": {"period": "PT0S"}}, "livenessProbe.period: Input should be greater than 0"),
        ({"readinessProbe": {"failureThreshold": 0}}, "failureThreshold: Input should be greater than or equal to 1"),
        ({"model": "/models/rules/versions/99"}, "not there"),
        ({"model": None}, "A version of models is needed"),
        ({"endpointComputeType": "Batch"}, "properties.endpointComputeType: Input should be 'Managed'"),
    ],
)
def test_deployment_is_refused(arm: Arm, changes: dict[str, Any], why: str) -> None:
    """What Azure's limits exclude isn't started."""
    body = deployment(f"{arm.workspace}/{MODEL}", **changes)

    answer = arm("PUT", f"onlineEndpoints/{NAME}/deployments/extra", body)

    assert_refused(answer, why)
    assert arm("GET", f"onlineEndpoints/{NAME}/deployments/extra").status_code == 404


def test_keys_regenerated(arm: Arm, fresh: str) -> None:
    """A regenerated key stops working at once, the other goes on."""
    serve(arm, fresh, MODEL, "default")
    old = keys(arm, fresh)

    arm.settle(arm("POST", f"onlineEndpoints/{fresh}/regenerateKeys", {"keyType": "Primary"}))

    assert score(arm, fresh, key=old["primaryKey"]).status_code == 401
    assert score(arm, fresh, key=old["secondaryKey"]).status_code == 200
    assert score(arm, fresh, key=keys(arm, fresh)["primaryKey"]).status_code == 200


def test_token_endpoint(arm: Arm) -> None:
    """An aml_token endpoint gives tokens, has no keys, and accepts only its own tokens."""
    arm.endpoint("token-endpoint", authMode="AMLToken")
    arm.deployment("token-endpoint", "default", MODEL)
    arm.endpoint("token-endpoint", authMode="AMLToken", traffic={"default": 100})

    answer = arm("POST", "onlineEndpoints/token-endpoint/token").json()
    token, now = answer["accessToken"], time.time()

    hours = [(answer[end] - now) / 3600 for end in ("expiryTimeUtc", "refreshAfterTimeUtc")]
    assert hours == [pytest.approx(24, abs=0.1), pytest.approx(12, abs=0.1)]
    assert score(arm, "token-endpoint", key=token).status_code == 200
    assert score(arm, "token-endpoint", key=arm.token).status_code == 401
    assert arm("POST", "onlineEndpoints/token-endpoint/listKeys").status_code == 400
    arm.settle(arm("DELETE", "onlineEndpoints/token-endpoint"))


def test_wrong_key(arm: Arm) -> None:
    """A wrong key is answered 401."""
    assert score(arm, NAME, key="wrong").status_code == 401


def properties(arm: Arm, name: str = NAME) -> dict[str, Any]:
    found: dict[str, Any] = arm("GET", f"onlineEndpoints/{name}").json()["properties"]
    return found


def assert_refused(answer: requests.Response, why: str) -> None:
    assert answer.status_code == 400, answer.text
    assert why in answer.json()["error"]["message"]
