"""Azure's own words: that the SDK and plain HTTP get them as Azure would say them, with the names of the call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from azureml_emulator.faults.arm_answers import ANSWERS
from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm, blobs
from tests.support.faulty import GREEN, NAME, PATH, traffic

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer(arm: Arm, faults: Faults, name: str) -> None:
    """Each has its status, its code in body and header, and no name left open."""
    faults.add("refuse", like=name)

    answer = arm("DELETE", GREEN)

    assert answer.status_code == ANSWERS[name]["status"]
    assert answer.headers["x-ms-error-code"] == answer.json()["error"]["code"] == ANSWERS[name].get("code", name)
    assert answer.headers.get("Retry-After") == ("1" if answer.status_code == 429 else None)
    assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)
    assert not [word for word in ("workspaces", "path", "name", "action", "verb") if f"{{{word}}}" in answer.text]


@pytest.mark.parametrize(
    ("name", "method", "says"),
    [
        ("ParentResourceNotFound", "GET", "Parent resource 'local' not found."),
        ("ScopeLocked", "DELETE", f"{GREEN}' cannot perform delete operation because following scope(s) are locked"),
        ("ScopeLocked", "PUT", "cannot perform write operation"),
        ("AuthorizationFailed", "PUT", "'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/wri"),
        ("AuthorizationFailed", "GET", "onlineEndpoints/deployments/read' over scope '/subscriptions/"),
        ("RequestDisallowedByPolicy", "PUT", "Resource 'green' was disallowed by policy"),
    ],
)
def test_names_of_the_call(arm: Arm, faults: Faults, name: str, method: str, says: str) -> None:
    """The words name what the call was about."""
    faults.add("refuse", like=name)

    assert says in arm(method, GREEN).json()["error"]["message"]


def test_the_sdk_reads_the_deepest(client: MLClient, arm: Arm, faults: Faults) -> None:
    """What is meant stands in the details, where the SDK finds it, too."""
    from azure.core.exceptions import HttpResponseError

    faults.add("refuse", path=f"*{PATH}", like="OutOfQuota")

    with pytest.raises(HttpResponseError, match=r"Not enough quota available for Standard_F4s_v2") as refusal:
        client.online_endpoints.get(NAME)

    assert refusal.value.error and refusal.value.error.code == "BadRequest"
    assert refusal.value.error.details[0].code == "InferencingClientCreateDeploymentFailed"


def test_given_fields_win(arm: Arm, faults: Faults) -> None:
    """What is given replaces what Azure would say; details and inner errors can be given as texts."""
    faults.add("refuse", like="ScopeLocked", status=403, message="No.", details="A: b: c", innererror="Outer/Inner")

    answer = arm("GET", PATH)

    assert (answer.status_code, answer.json()["error"]) == (
        403,
        {
            "code": "ScopeLocked",
            "message": "No.",
            "details": [{"code": "A", "message": "b: c"}],
            "innererror": {"code": "Outer", "innererror": {"code": "Inner"}},
        },
    )


@pytest.mark.parametrize("name", ["KeyBasedAuthenticationNotPermitted", "AuthenticationFailed", "AuthorizationFailure"])
def test_blobs_answer_in_xml(arm: Arm, faults: Faults, name: str) -> None:
    """The Blob service's client finds the code, in XML and in a header."""
    from azure.core.exceptions import HttpResponseError

    container = blobs(arm)
    faults.add("refuse", path="*.blob.*", like=name)

    with pytest.raises(HttpResponseError) as refusal:
        container.upload_blob("refused/a.txt", b"a")

    assert (refusal.value.status_code, refusal.value.error_code) == (403, name)  # type: ignore[attr-defined]
    body = ElementTree.fromstring(refusal.value.response.text())  # type: ignore[union-attr]  # noqa: S314 (our own)
    assert body.findtext("Code") == name
    assert ANSWERS[name]["message"] in body.findtext("Message", "")


# Operations


def failing(arm: Arm, faults: Faults, **fields: Any) -> dict[str, Any]:
    """What becomes of an update that gives green all the traffic, where blue had it."""
    arm.endpoint(NAME, traffic={"blue": 100})
    faults.add("fail", method="PUT", path=f"*{PATH}", **fields)
    return arm.endpoint(NAME, traffic={"green": 100})


def test_canceled(arm: Arm, faults: Faults) -> None:
    """An operation that ends with OperationCanceled is Canceled, so is the endpoint, and nothing was changed."""
    outcome = failing(arm, faults, code="OperationCanceled")

    read = arm("GET", PATH).json()["properties"]
    again = arm.endpoint(NAME, traffic={"green": 100})

    assert (outcome["status"], outcome["error"]["code"]) == ("Canceled", "OperationCanceled")
    assert (read["provisioningState"], read["traffic"]) == ("Canceled", {"blue": 100})
    assert (again["status"], traffic(arm)) == ("Succeeded", {"green": 100})


def test_the_sdk_and_canceled(arm: Arm, client: MLClient, faults: Faults) -> None:
    """The SDK raises what it raises for Failed, with the code."""
    from azure.core.exceptions import HttpResponseError

    faults.add("fail", method="PUT", like="OperationCanceled")

    with pytest.raises(HttpResponseError, match="OperationCanceled"):
        client.online_endpoints.begin_create_or_update(client.online_endpoints.get(NAME)).result()

    arm.endpoint(NAME, traffic={"blue": 100})


def test_failed_after_all_went_well(arm: Arm, faults: Faults) -> None:
    """The operation says Failed, but what it was to do is done."""
    outcome = failing(arm, faults, when="after", code="InternalServerError")

    assert outcome["status"] == "Failed"
    assert arm("GET", PATH).json()["properties"]["provisioningState"] == "Succeeded"
    assert traffic(arm) == {"green": 100}
    arm.endpoint(NAME, traffic={"blue": 100})


def test_an_operation_fails_in_azures_words(arm: Arm, faults: Faults) -> None:
    """The operation's error has the details, as a refusal's has."""
    outcome = failing(arm, faults, like="OutOfQuota")

    assert "Not enough quota" in outcome["error"]["details"][0]["message"]


def test_the_command_takes_words(azure: dict[str, str], arm: Arm, faults: Faults) -> None:
    """`--like` is an option of the command."""
    from click.testing import CliRunner

    from azureml_emulator.__main__ import main

    state = azure["REQUESTS_CA_BUNDLE"].rpartition("/")[0]
    added = CliRunner().invoke(main, ["fault", "--state", state, "add", "refuse", "--like", "ScopeLocked"])

    assert json.loads(added.stdout)["status"] == 409
    assert arm("GET", PATH).status_code == 409
