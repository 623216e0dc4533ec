"""Plain HTTP against the local Azure ML, for what the SDK would not send."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

SUBSCRIPTION = "/subscriptions/{AZURE_SUBSCRIPTION_ID}"
WORKSPACE = SUBSCRIPTION + (
    "/resourceGroups/{AZURE_RESOURCE_GROUP}/providers/Microsoft.MachineLearningServices/workspaces/{AZURE_ML_WORKSPACE}"
)

RESOURCE = "https://management.local/"


class Arm:
    """Calls below the workspace with a bearer token. `variables` are those that lead to the emulator."""

    def __init__(self, variables: dict[str, str]):
        self.base = variables["IDENTITY_ENDPOINT"].removesuffix("/msi/token")
        self.workspace = WORKSPACE.format(**variables)
        self.session = requests.Session()
        self.session.verify = variables["REQUESTS_CA_BUNDLE"]
        self.session.trust_env = False
        self.token = token(variables).json()["access_token"]

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


def blobs(arm: Arm) -> ContainerClient:
    """The workspace's blobs, through Azure's own client; what is more than 1000 bytes goes in blocks."""
    from azure.storage.blob import ContainerClient

    datastore = arm("GET", "datastores/workspaceblobstore").json()["properties"]
    secret = arm("POST", "datastores/workspaceblobstore/listSecrets", {}).json()["sasToken"]
    address = f"https://{datastore['accountName']}.blob.{datastore['endpoint']}/{datastore['containerName']}"
    return ContainerClient.from_container_url(address + secret, max_single_put_size=1000, max_block_size=1000)


def token(variables: dict[str, str], header: str | None = None, resource: str = RESOURCE) -> requests.Response:
    """What a managed identity asks for."""
    return requests.get(
        variables["IDENTITY_ENDPOINT"],
        params={"api-version": "2019-08-01", "resource": resource},
        headers={"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"] if header is None else header},
        verify=variables["REQUESTS_CA_BUNDLE"],
        timeout=10,
    )


def endpoint(**properties: Any) -> dict[str, Any]:
    return {"location": "local", "properties": {"authMode": "Key", **properties}}


def deployment(model: str, /, instances: int = 1, **properties: Any) -> dict[str, Any]:
    kept = {"endpointComputeType": "Managed", "model": model, "instanceType": "Standard_DS3_v2", **properties}
    return {"location": "local", "sku": {"name": "Default", "capacity": instances}, "properties": kept}
