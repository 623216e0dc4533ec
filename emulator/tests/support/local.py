"""Azure's rules and model processes in the test's own loop, without HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from multidict import CIMultiDict

from azureml_emulator import testing
from azureml_emulator.arm.documents import Document, in_state
from azureml_emulator.resources import defaults
from azureml_emulator.resources.azure import Azure, Options
from azureml_emulator.serving.pool import Answer
from tests.support.models import order, puppet_model, until
from tests.support.served import once

ENDPOINT = "local-endpoint"
MODEL = "/models/puppet/versions/1"


class Local:
    """One workspace with one endpoint; deployments are of a puppet."""

    def __init__(self, azure: Azure) -> None:
        self.azure, self.scope = azure, azure.scopes[0]

    async def upload(self, model: Path) -> None:
        """Register the folder as version 1 of the model `puppet`."""
        for path in model.rglob("*"):
            if path.is_file():
                name = f"puppet/{path.relative_to(model)}"
                await self.azure.store.put_blob(self.scope.container, name, once(path.read_bytes()), {})
        uri = "azureml://x/datastores/workspaceblobstore/paths/puppet"
        body = {"properties": {"modelUri": uri, "modelType": "mlflow_model"}}
        self.azure.registry.models.put_version(self.scope, "puppet", "1", body)

    async def end(self, operation: str) -> Document:
        """What became of an operation."""
        await until(lambda: self.azure.operations.get(operation)["status"] != "Updating")
        return self.azure.operations.get(operation)

    async def endpoint(self, **properties: Any) -> Document:
        """Put the endpoint."""
        _, operation = self.azure.endpoints.put(self.scope, ENDPOINT, testing.endpoint(**properties))
        return await self.end(operation)

    async def deployment(self, name: str, **properties: Any) -> Document:
        """Put a deployment."""
        body = testing.deployment(MODEL, **properties)
        _, operation = self.azure.deployments.put(self.scope, ENDPOINT, name, body)
        return await self.end(operation)

    def place(self, name: str, state: str = "Failed") -> None:
        """Let a deployment be there that has no process, as after a failure, or before it is brought back."""
        given = defaults.Deployment.model_validate(testing.deployment(MODEL))
        document = given.envelope() | {"name": name, "id": name, "properties": defaults.properties(given.properties)}
        key = f"{self.scope.key}/onlineEndpoints/{ENDPOINT}/deployments/{name}"
        self.azure.store.put(key, in_state(document, state))

    def state(self, deployment: str = "") -> str:
        """The provisioning state of the endpoint, or of a deployment."""
        if deployment:
            found = self.azure.deployments.get(self.scope, ENDPOINT, deployment)
        else:
            found = self.azure.endpoints.get(self.scope, ENDPOINT)
        return str(found["properties"]["provisioningState"])

    async def score(self, text: str = "show HOME") -> Answer:
        """What the endpoint answers."""
        key = (self.azure.store.get(f"keys/{ENDPOINT}") or {}).get("primaryKey")
        headers = CIMultiDict({"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
        return await self.azure.router.score(ENDPOINT, headers, order(text))

    def files(self, name: str) -> list[Path]:
        """The copies of the model that a deployment has on the disk."""
        return [*self.azure.deployments.log_file(ENDPOINT, name).parent.glob("model-*")]


@asynccontextmanager
async def local(folder: Path, **options: Any) -> AsyncIterator[Local]:
    """An Azure on that folder, new or as it was left. Its operations take no longer than they need."""
    azure = Azure(folder, "https://127.0.0.1", Options(**{"operation_seconds": 0, "clock": 0.02} | options))
    await azure.open()
    made = Local(azure)
    try:
        if not azure.endpoints.all(made.scope):
            await made.upload(puppet_model(folder / "puppet"))
            await made.endpoint()
        yield made
    finally:
        await azure.close()
