"""What the tests of the emulator's resources share: registered models, endpoints that serve, what they answer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import requests

from azureml_emulator.testing import SAMPLE, Arm, blobs


async def once(content: bytes) -> AsyncIterator[bytes]:
    """The content of a blob, in one part."""
    yield content


def eventually(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Returns when it holds; fails when it doesn't in a generous while."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def register(arm: Arm, name: str, folder: Path) -> str:
    """Uploads the folder of an MLflow model and registers it as version 1: answers its path below the workspace."""
    container, place = blobs(arm), f"LocalUpload/{name}/model"
    for path in folder.rglob("*"):
        if path.is_file():
            container.upload_blob(f"{place}/{path.relative_to(folder)}", path.read_bytes())
    uri = f"azureml:/{arm.workspace}/datastores/workspaceblobstore/paths/{place}"
    body = {"properties": {"modelUri": uri, "modelType": "mlflow_model"}}
    assert arm("PUT", f"models/{name}/versions/1", body).status_code == 201
    return f"models/{name}/versions/1"


def serve(arm: Arm, endpoint: str, model: str, *deployments: str, **properties: Any) -> None:
    """An endpoint with healthy deployments of the model; the first one has all the traffic."""
    arm.endpoint(endpoint)
    for name in deployments:
        assert arm.deployment(endpoint, name, model, **properties)["status"] == "Succeeded"
    arm.endpoint(endpoint, traffic={deployments[0]: 100})


def keys(arm: Arm, endpoint: str) -> dict[str, str]:
    found: dict[str, str] = arm("POST", f"onlineEndpoints/{endpoint}/listKeys").json()
    return found


def score(arm: Arm, endpoint: str, key: str = "", body: Any = SAMPLE, **headers: str) -> requests.Response:
    """A scoring request, with the primary key unless another is given."""
    sent = {"Authorization": f"Bearer {key or keys(arm, endpoint)['primaryKey']}", **headers}
    return arm.session.post(f"{arm.base}/endpoints/{endpoint}/score", json=body, headers=sent, timeout=30)
