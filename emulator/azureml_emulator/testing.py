"""For tests against the local Azure ML: plain HTTP for what the SDK would not send, and toy models."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

SUBSCRIPTION = "/subscriptions/{AZURE_SUBSCRIPTION_ID}"
WORKSPACE = SUBSCRIPTION + (
    "/resourceGroups/{AZURE_RESOURCE_GROUP}/providers/Microsoft.MachineLearningServices/workspaces/{AZURE_ML_WORKSPACE}"
)

RESOURCE = "https://management.local/"

TOY = """
import time

class Toy:
    def predict(self, model_input, params=None):
        return [{answer!r}] * len(model_input)

def _load_pyfunc(path):
    time.sleep({seconds})
    if {broken}:
        raise RuntimeError("the toy is broken")
    return Toy()
"""
SAMPLE: dict[str, Any] = {"input_data": {"columns": ["size", "colour"], "index": [0], "data": [[1.5, "red"]]}}
METADATA = {"auc": 0.9, "data_sha256": "abc", "labels": [0, 1]}


def toy_model(
    folder: Path,
    answer: Any = 1,
    seconds: float = 0,
    broken: bool = False,
    signature: bool = True,
    metadata: Mapping[str, Any] = METADATA,
    sample: Mapping[str, Any] = SAMPLE,
    outputs: list[dict[str, Any]] | None = None,
) -> Path:
    """An MLflow model for requests like `sample` that always predicts `answer`, after loading for so many seconds.

    Written by hand, since importing MLflow takes seconds.
    """
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "toy.py").write_text(TOY.format(answer=answer, seconds=seconds, broken=broken))
    answers = {} if outputs is None else {"outputs": json.dumps(outputs)}
    description = {
        "flavors": {"python_function": {"loader_module": "toy", "code": "code"}},
        "metadata": dict(metadata),
        **({"signature": {"inputs": json.dumps(columns(sample)), **answers}} if signature else {}),
    }
    (folder / "MLmodel").write_text(json.dumps(description))  # which is YAML
    return folder


def columns(sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The signature that a request in split form fits."""
    frame = sample["input_data"]
    return [
        {"name": name, "type": "string" if isinstance(value, str) else "double", "required": True}
        for name, value in zip(frame["columns"], frame["data"][0], strict=True)
    ]


class Arm:
    """Calls below the workspace with a bearer token: the owner's, or that of the identity with a client id.

    `variables` are those that lead to the emulator.
    """

    def __init__(self, variables: dict[str, str], client: str = ""):
        self.variables = variables
        self.base = variables["IDENTITY_ENDPOINT"].removesuffix("/msi/token")
        self.workspace = WORKSPACE.format(**variables)
        self.session = requests.Session()
        self.session.verify = variables["REQUESTS_CA_BUNDLE"]
        self.session.trust_env = False
        self.token = token(variables, client=client).json()["access_token"]

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """`path` is below the workspace, or an absolute address."""
        address = path if path.startswith("https://") else f"{self.base}{self.workspace}/{path}"
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        return self.session.request(method, address, json=body, headers=headers, timeout=60, **options)

    def settle(self, answer: requests.Response) -> dict[str, Any]:
        """The status of the operation that an answer started, once it ended."""
        assert answer.status_code in (200, 201, 202), answer.text
        while True:
            status: dict[str, Any] = self("GET", answer.headers["Azure-AsyncOperation"]).json()
            if status["status"] in ("Succeeded", "Failed", "Canceled"):
                return status
            time.sleep(0.05)

    def endpoint(self, name: str, **properties: Any) -> dict[str, Any]:
        """Puts an endpoint and waits for it."""
        return self.settle(self("PUT", f"onlineEndpoints/{name}", endpoint(**properties)))

    def deployment(self, endpoint: str, name: str, model: str, **properties: Any) -> dict[str, Any]:
        """Puts a deployment and waits for it."""
        path = f"onlineEndpoints/{endpoint}/deployments/{name}"
        return self.settle(self("PUT", path, deployment(f"{self.workspace}/{model}", **properties)))


def blobs(arm: Arm, store: str = "workspaceblobstore") -> ContainerClient:
    """A datastore's blobs, through Azure's own client; what is more than 1000 bytes goes in blocks."""
    from azure.storage.blob import ContainerClient

    datastore = arm("GET", f"datastores/{store}").json()["properties"]
    secret = arm("POST", f"datastores/{store}/listSecrets", {}).json()["sasToken"]
    address = f"https://{datastore['accountName']}.blob.{datastore['endpoint']}/{datastore['containerName']}"
    return ContainerClient.from_container_url(
        address + secret, max_single_put_size=1000, max_block_size=1000, connection_verify=arm.session.verify
    )


def token(
    variables: dict[str, str], header: str | None = None, resource: str = RESOURCE, client: str = ""
) -> requests.Response:
    """What a managed identity asks for."""
    return requests.get(
        variables["IDENTITY_ENDPOINT"],
        params={"api-version": "2019-08-01", "resource": resource, **({"client_id": client} if client else {})},
        headers={"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"] if header is None else header},
        verify=variables["REQUESTS_CA_BUNDLE"],
        timeout=10,
    )


def endpoint(**properties: Any) -> dict[str, Any]:
    return {"location": "local", "properties": {"authMode": "Key", **properties}}


def deployment(model: str, /, instances: int = 1, **properties: Any) -> dict[str, Any]:
    kept = {"endpointComputeType": "Managed", "model": model, "instanceType": "Standard_DS3_v2", **properties}
    return {"location": "local", "sku": {"name": "Default", "capacity": instances}, "properties": kept}


def alert(scope: str, metric: str = "RequestsPerMinute", **properties: Any) -> dict[str, Any]:
    """On one metric of the resource with that id."""
    kind = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"
    criterion = {"name": "cond0", "metricName": metric, "operator": "GreaterThan", "threshold": 1}
    kept = {"enabled": True, "severity": 1, "evaluationFrequency": "PT1M", "windowSize": "PT5M", **properties}
    return {
        "location": "global",
        "properties": {"scopes": [scope], "criteria": {"odata.type": kind, "allOf": [criterion]}, **kept},
    }


def traffic_log(workspace: str, **log: Any) -> dict[str, Any]:
    """A setting that sends an endpoint's traffic log to the Log Analytics workspace with that id."""
    logs = [{"category": "AmlOnlineEndpointTrafficLog", "enabled": True, **log}]
    return {"properties": {"workspaceId": workspace, "logs": logs}}
