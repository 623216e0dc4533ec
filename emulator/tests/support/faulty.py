"""The endpoint that the tests of faults share: healthy deployments blue and green of a puppet."""

from __future__ import annotations

from typing import Any

from azureml_emulator.testing import Arm

NAME = "faults-endpoint"
PATH = f"onlineEndpoints/{NAME}"
BLUE, GREEN = f"{PATH}/deployments/blue", f"{PATH}/deployments/green"
MODEL = "models/faults/versions/1"
SETTINGS = {"requestTimeout": "PT1S", "maxConcurrentRequestsPerInstance": 1}


def traffic(arm: Arm) -> dict[str, int]:
    found: dict[str, int] = arm("GET", PATH).json()["properties"]["traffic"]
    return found


def state(arm: Arm, path: str) -> str:
    """What a resource reads as its provisioning state."""
    return str(arm("GET", path).json()["properties"]["provisioningState"])


def listed(arm: Arm, path: str) -> list[Any]:
    """The names in a list."""
    return [item["name"] for item in arm("GET", path).json()["value"]]
