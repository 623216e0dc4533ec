"""What Log Analytics tells of an endpoint's requests, as the SDK reads it, and to whom."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from azureml_emulator.arm.names import LOGS, ROLLOUT
from azureml_emulator.faults.client import Faults
from azureml_emulator.resources import traffic_log
from azureml_emulator.resources.roles import IDS
from azureml_emulator.resources.tokens import LOGS_PATH
from azureml_emulator.testing import Arm, token
from tests.support.watched import logs, send, wait


def counted(answer: Any) -> dict[tuple[str, ...], float]:
    """The requests by deployment and statuses."""
    found: dict[tuple[str, ...], float] = {}
    for row in answer.tables[0].rows:
        if row["what"] == "requests":
            key = (row["DeploymentName"], row["status"], row["model"])
            found[key] = found.get(key, 0) + row["value"]
    return found


def test_the_log_counts_each_request(fast: Arm) -> None:
    """Four minutes after its minute each request is in it, by deployment and statuses; percentiles are of all."""
    send(fast, "blue")
    wait(6)
    before = counted(logs(fast))
    send(fast, "blue", 5)
    [bad, _] = send(fast, "green", 2, {"input_data": "no table"})
    wait(6)

    answer = logs(fast)

    more = {key: value - before.get(key, 0) for key, value in counted(answer).items()}
    refused = bad.headers["ms-azureml-model-error-statuscode"]
    assert {key: value for key, value in more.items() if value} == {
        ("blue", "200", "200"): 5, ("green", "424", refused): 2,
    }  # fmt: skip
    newest = max(row["minute"] for row in answer.tables[0].rows)
    shares = {row["what"]: row["value"] for row in answer.tables[0].rows if row["minute"] == newest}
    assert 0 < shares["P50"] <= shares["P90"] <= shares["P95"] <= shares["P99"]


def test_the_log_is_of_one_endpoint_and_workspace(fast: Arm) -> None:
    """Rows of an endpoint of that name in another workspace aren't told, nor of one whose name begins alike."""
    send(fast, "blue")
    wait(6)

    assert counted(logs(fast))
    assert not counted(logs(fast, workspace=f"{fast.workspace}2/"))
    assert not counted(logs(fast, endpoint="watch"))
    assert not counted(logs(fast, one="blu", other="x"))


def test_other_queries_are_not_emulated(fast: Arm) -> None:
    """They are refused in a sentence that names them."""
    from azure.core.exceptions import HttpResponseError

    with pytest.raises(HttpResponseError, match=r"this one isn't emulated: AzureActivity \| count"):
        logs(fast, "AzureActivity | count")


def test_a_log_without_rows_is_no_table(fast: Arm, faulty: Faults) -> None:
    """Before its first row, as Azure says it; then a fault may hide a deployment, or answer in part."""
    from azure.core.exceptions import HttpResponseError

    send(fast, "blue")
    send(fast, "green")
    wait(6)
    late = faulty.add("lag", path="*/query", minutes=100_000)["id"]
    with pytest.raises(HttpResponseError, match="SEM0100"):
        logs(fast)
    faulty.clear(late)
    hidden = faulty.add("hide", method="POST", path="*/query", name="green", times=0)["id"]

    assert {key[0] for key in counted(logs(fast))} == {"blue"}
    faulty.clear(hidden)
    faulty.add("part")
    assert logs(fast).partial_error.code == "PartialError"
    assert {key[0] for key in counted(logs(fast))} == {"blue", "green"}


def test_reading_the_log_takes_a_right_and_a_token_of_its_own(fast: Arm) -> None:
    """A role on the Azure ML workspace isn't one on the log's; a token of the resource manager's opens nothing."""
    group, _, _ = fast.workspace.rpartition("/providers/")
    made = fast("PUT", f"{fast.base}{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader", {})
    client, principal = (made.json()["properties"][name] for name in ("clientId", "principalId"))

    def give(role: str, over: str) -> None:
        who = {"principalId": principal, "roleDefinitionId": IDS[role]}
        path = f"{fast.base}{over}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        assert fast("PUT", path, {"properties": who}).status_code == 201

    def ask(client: str, audience: str = f"{fast.base}{LOGS_PATH}") -> tuple[int, str]:
        shown = token(fast.variables, resource=audience, client=client).json()["access_token"]
        headers = {"Authorization": f"Bearer {shown}"}
        address = f"{fast.base}{LOGS_PATH}/v1/workspaces/{LOGS}/query"
        answer = fast.session.post(address, json={"query": "x"}, headers=headers, timeout=30)
        return answer.status_code, answer.json()["error"]["code"]

    give("Monitoring Reader", fast.workspace)
    assert ask(client) == (403, "InsufficientAccessError")
    give("Log Analytics Reader", traffic_log.ID)
    assert ask(client) == ask(ROLLOUT) == (400, "BadArgumentError")
    assert ask(client, fast.base) == (401, "InvalidAuthenticationToken")
