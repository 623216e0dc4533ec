"""The limits of an endpoint that tests of a single part don't reach."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import requests

from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.process import running
from azureml_emulator.resources.azure import Azure, Options
from azureml_emulator.testing import deployment, endpoint
from tests.support.models import in_loop

NAME = "full-endpoint"


@in_loop
async def test_twenty_deployments(tmp_path: Path) -> None:
    """The next one is refused, also when those that are there have failed."""
    azure = Azure(tmp_path, "https://127.0.0.1", Options(operation_seconds=0))
    [scope] = azure.scopes
    _, operation = azure.endpoints.put(scope, NAME, endpoint())
    while azure.operations.get(operation)["status"] == "Updating":
        await asyncio.sleep(0)
    for number in range(20):
        azure.store.put(f"{scope.key}/onlineEndpoints/{NAME}/deployments/old-{number:02}", failed(f"old-{number:02}"))

    with pytest.raises(BadRequest, match="has 20 deployments"):
        azure.deployments.put(scope, NAME, "one-more", deployment("models/any/versions/1"))

    await azure.close()


def failed(name: str) -> dict[str, Any]:
    """A deployment that is there, but has no process."""
    return deployment("models/any/versions/1", provisioningState="Failed") | {"name": name, "id": name}


def test_payload(tmp_path: Path) -> None:
    """--max-payload is how many bytes a scoring request may have; one more is too large."""
    with running(tmp_path, "--max-payload=1000") as variables:
        url = variables["IDENTITY_ENDPOINT"].replace("/msi/token", "/endpoints/none/score")

        answers = [
            requests.post(url, b"x" * size, verify=variables["REQUESTS_CA_BUNDLE"], timeout=20) for size in (1000, 1001)
        ]

    assert [answer.status_code for answer in answers] == [404, 413]
