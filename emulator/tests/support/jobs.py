"""What tests of jobs share: a cluster, bodies of command jobs, and waiting for one."""

from __future__ import annotations

from typing import Any

from azureml_emulator.testing import Arm
from tests.support.served import eventually

ENDED = ("Completed", "Failed", "Canceled")
IMAGE = "python:3.11"


def cluster(arm: Arm, name: str, nodes: int = 2, **more: Any) -> str:
    """A cluster of so many nodes, and an environment of the same name; answers the cluster's id."""
    answer = arm("PUT", f"computes/{name}", nodes_of(nodes) | more)
    assert answer.status_code in (200, 201), answer.text
    arm("PUT", f"environments/{name}/versions/1", {"properties": {"image": IMAGE}})
    return str(answer.json()["id"])


def nodes_of(number: int = 2) -> dict[str, Any]:
    """The body of a cluster of so many nodes."""
    nodes = {"vmSize": "Standard_DS3_v2", "scaleSettings": {"minNodeCount": 0, "maxNodeCount": number}}
    return {"location": "local", "properties": {"computeType": "AmlCompute", "properties": nodes}}


def body(compute: str, command: str, **properties: Any) -> dict[str, Any]:
    """A command job on a cluster that `cluster` made."""
    environment = f"{compute.replace('/computes/', '/environments/')}/versions/1"
    kept = {"jobType": "Command", "command": command, "computeId": compute, "environmentId": environment}
    return {"properties": kept | properties}


def submit(arm: Arm, compute: str, name: str, command: str, **properties: Any) -> None:
    answer = arm("PUT", f"jobs/{name}", body(compute, command, **properties))
    assert answer.status_code == 201, answer.text


def status(arm: Arm, name: str) -> str:
    return str(arm("GET", f"jobs/{name}").json()["properties"]["status"])


def ended(arm: Arm, name: str) -> str:
    """How a job ended, once it has."""
    eventually(lambda: status(arm, name) in ENDED)
    return status(arm, name)


def details(arm: Arm, name: str) -> dict[str, Any]:
    found: dict[str, Any] = arm("GET", f"{arm.base}/history/v1.0{arm.workspace}/runs/{name}/details").json()
    return found


def log(arm: Arm, name: str) -> str:
    """What a job has printed so far."""
    address = details(arm, name)["logFiles"].get("user_logs/std_log.txt")
    return arm.session.get(address).text if address else ""


def failure(arm: Arm, name: str) -> str:
    """Why it failed."""
    return str(details(arm, name)["error"]["error"]["message"])
