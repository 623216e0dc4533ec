"""Faults of what is seen: lists that lag, what isn't there after it was made, states that change by themselves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm, endpoint
from tests.support.faulty import BLUE, GREEN, MODEL, NAME, PATH, SETTINGS, listed, state
from tests.support.served import eventually

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

DEPLOYMENTS = f"{PATH}/deployments"


def test_a_list_lags(arm: Arm, faults: Faults) -> None:
    """So many lists lack what is named, and nothing else; a GET finds it all the time, and other lists don't count."""
    faults.add("hide", path=f"*{DEPLOYMENTS}", name="blue", times=2)

    seen = []
    for _ in range(3):
        listed(arm, "onlineEndpoints")
        seen.append((listed(arm, DEPLOYMENTS), arm("GET", BLUE).status_code))

    assert seen == [(["green"], 200), (["green"], 200), (["blue", "green"], 200)]


def test_lists_lag_for_a_time(arm: Arm, faults: Faults) -> None:
    """With seconds, every list lacks it until they are over."""
    faults.add("hide", path=f"*{DEPLOYMENTS}", name="green", seconds=1)

    began = time.monotonic()
    first, second = listed(arm, DEPLOYMENTS), listed(arm, DEPLOYMENTS)
    eventually(lambda: "green" in listed(arm, DEPLOYMENTS))

    assert (first, second) == (["blue"], ["blue"])
    assert time.monotonic() - began >= 1


def test_two_are_hidden(arm: Arm, faults: Faults) -> None:
    """Each fault hides its own, in one list."""
    faults.add("hide", name="blue")
    faults.add("hide", name="green")

    assert [listed(arm, DEPLOYMENTS), listed(arm, DEPLOYMENTS)] == [[], ["blue", "green"]]


def test_a_hidden_endpoint(arm: Arm, client: MLClient, faults: Faults) -> None:
    """The SDK's list of endpoints lacks one."""
    faults.add("hide", name=NAME)

    before = {found.name for found in client.online_endpoints.list()}
    after = {found.name for found in client.online_endpoints.list()}

    assert after - before == {NAME}


def test_a_hidden_version(arm: Arm, client: MLClient, faults: Faults) -> None:
    """While the newest version isn't listed, the one before it is the latest."""
    newest = arm("GET", MODEL).json()
    arm("PUT", MODEL.replace("/1", "/2"), {"properties": newest["properties"]})
    faults.add("hide", path="*/models/faults/versions", name="2")

    first = client.models.get("faults", label="latest").version
    second = client.models.get("faults", label="latest").version

    assert (first, second) == ("1", "2")


def test_not_found_after_success(arm: Arm, client: MLClient, faults: Faults) -> None:
    """A deployment that was made, and is healthy, is 404 once: the SDK takes that for the operation's failure."""
    from azure.core.exceptions import HttpResponseError

    faults.add("vanish", path="*/deployments/vanishing")

    with pytest.raises(HttpResponseError, match="The specified resource was not found") as failure:
        client.online_deployments.begin_create_or_update(sdk_deployment("vanishing")).result()

    assert failure.value.status_code == 404
    assert client.online_deployments.get("vanishing", NAME).provisioning_state == "Succeeded"
    arm.settle(arm("DELETE", f"{DEPLOYMENTS}/vanishing"))


def test_not_found_for_a_time(arm: Arm, faults: Faults) -> None:
    """With seconds it is 404 for so long, however often it is asked for; what another PUT wrote is there."""
    faults.add("vanish", path=f"*{GREEN}", seconds=1)

    arm.deployment(NAME, "green", MODEL, requestSettings=SETTINGS)
    missing = [arm("GET", GREEN).status_code for _ in range(3)]
    other = arm("GET", BLUE).status_code
    eventually(lambda: arm("GET", GREEN).status_code == 200)

    assert (missing, other) == ([404] * 3, 200)


def test_a_failed_write_vanishes_not(arm: Arm, faults: Faults) -> None:
    """What was not written is read as it was."""
    faults.add("fail", path=f"*{PATH}")
    faults.add("vanish", path=f"*{PATH}")

    arm.endpoint(NAME, traffic={"green": 100})

    assert arm("GET", PATH).status_code == 200


@pytest.mark.parametrize(("deployment", "path"), [("green", GREEN), ("", PATH)])
def test_a_state_that_changes_by_itself(arm: Arm, faults: Faults, deployment: str, path: str) -> None:
    """Right before the call that matches it reads another state, in GETs and lists, until somebody writes it."""
    arm.endpoint(NAME, traffic={"blue": 100})
    arm.deployment(NAME, "green", MODEL, requestSettings=SETTINGS)
    faults.add("turn", endpoint=NAME, deployment=deployment, state="Failed", path=f"*{path}", skip=1)

    states = [state(arm, path) for _ in range(3)]
    [in_list] = [
        item["properties"]["provisioningState"]
        for item in arm("GET", path.rpartition("/")[0]).json()["value"]
        if item["name"] == path.rpartition("/")[2]
    ]
    arm.endpoint(NAME, traffic={"blue": 100})
    arm.deployment(NAME, "green", MODEL, requestSettings=SETTINGS)

    assert states == ["Succeeded", "Failed", "Failed"]
    assert in_list == "Failed"
    assert state(arm, path) == "Succeeded"


def test_an_endpoint_whose_creation_failed(arm: Arm, faults: Faults) -> None:
    """It is there as Failed, with the time of its creation, and a PUT of the same name makes it good."""
    path = "onlineEndpoints/half-made"
    faults.add("fail", method="PUT", path=f"*{path}", like="SubscriptionNotRegistered")

    outcome = arm.settle(arm("PUT", path, endpoint()))
    failed = arm("GET", path).json()
    again = arm.endpoint("half-made")
    made = arm("GET", path).json()

    assert (outcome["status"], outcome["error"]["code"]) == ("Failed", "SubscriptionNotRegistered")
    assert failed["properties"]["provisioningState"] == "Failed"
    assert (again["status"], made["properties"]["provisioningState"]) == ("Succeeded", "Succeeded")
    assert failed["systemData"]["createdAt"] == made["systemData"]["createdAt"]
    assert arm("POST", f"{path}/listKeys").json()["primaryKey"]


def sdk_deployment(name: str):  # type: ignore[no-untyped-def]  # imported late, as everywhere
    from azure.ai.ml.entities import ManagedOnlineDeployment

    return ManagedOnlineDeployment(
        name=name, endpoint_name=NAME, model="azureml:faults:1", instance_type="Standard_DS3_v2", instance_count=1
    )
