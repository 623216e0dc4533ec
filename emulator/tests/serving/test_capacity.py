"""What a deployment's instances take at once, over HTTPS."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from azureml_emulator.testing import Arm
from tests.support.models import order, puppet_model
from tests.support.served import keys, register, serve

CLIENTS = 8


@pytest.mark.parametrize(("instances", "answered"), [(1, 2), (3, 6)])
def test_capacity_grows_with_the_instances(
    azure: dict[str, str], tmp_path: Path, instances: int, answered: int
) -> None:
    """Of those that ask at once, twice as many as the instances take together are answered, the others get 429."""
    arm, name = Arm(azure), f"capacity-{instances}"
    model = register(arm, name, puppet_model(tmp_path / "model"))
    settings = {"requestTimeout": "PT60S", "maxConcurrentRequestsPerInstance": 1}
    serve(arm, name, model, "default", instances=instances, requestSettings=settings)
    headers = {"Authorization": f"Bearer {keys(arm, name)['primaryKey']}"}

    def ask(_number: int) -> int:
        address, body = f"{arm.base}/endpoints/{name}/score", json.loads(order("sleep 3"))
        return requests.post(address, json=body, headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(CLIENTS) as clients:
        statuses = Counter(clients.map(ask, range(CLIENTS)))

    assert statuses == {200: answered, 429: CLIENTS - answered}
    arm.settle(arm("DELETE", f"onlineEndpoints/{name}"))
