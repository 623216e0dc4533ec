"""No request is lost while an endpoint changes: real model processes, real HTTPS, changes through the ARM API."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from azureml_emulator import testing
from azureml_emulator.testing import Arm
from tests.support.served import eventually, keys, register, serve

NAME = "lossless-endpoint"
MODEL = "models/lossless/versions/1"
CLIENTS = 4
SETTINGS = {"requestTimeout": "PT60S", "maxConcurrentRequestsPerInstance": CLIENTS}
SAMPLE = json.dumps(testing.SAMPLE).encode()


class Traffic:
    """Clients that never stop asking; `seen` counts what they got: status and deployment, or the exception."""

    def __init__(self, arm: Arm) -> None:
        self.seen: Counter[tuple[int, str]] = Counter()
        self._url, self._ca = f"{arm.base}/endpoints/{NAME}/score", arm.session.verify
        self._key = keys(arm, NAME)["primaryKey"]
        self._over = threading.Event()

    @contextmanager
    def flowing(self) -> Iterator[Traffic]:
        """As long as the block runs."""
        threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def go_on(self, count: int = 12) -> None:
        """Return when that many more requests have been answered."""
        enough = self.seen.total() + count
        eventually(lambda: self.seen.total() >= enough)

    def _ask(self) -> None:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        with requests.Session() as session:
            session.trust_env, session.verify = False, self._ca
            while not self._over.is_set():
                try:
                    answer = session.post(self._url, SAMPLE, headers=headers, timeout=60)
                    self.seen[answer.status_code, answer.headers.get("azureml-model-deployment", "")] += 1
                except requests.RequestException as lost:
                    self.seen[0, type(lost).__name__] += 1


@pytest.fixture(scope="module")
def arm(azure: dict[str, str], model_folder: Path) -> Arm:
    """An endpoint with blue, which has all the traffic, and green."""
    arm = Arm(azure)
    serve(arm, NAME, register(arm, "lossless", model_folder), "blue", "green", requestSettings=SETTINGS)
    return arm


@pytest.mark.drill
def test_no_request_is_lost(arm: Arm) -> None:
    """Weights change, green is scaled up and down and gets new settings, blue is drained and deleted."""
    with Traffic(arm).flowing() as traffic:
        for percent in (10, 50, 90, 30):
            assert arm.endpoint(NAME, traffic={"blue": 100 - percent, "green": percent})["status"] == "Succeeded"
            traffic.go_on()
        for instances, timeout in ((2, "PT60S"), (1, "PT60S"), (1, "PT50S")):
            changed = {"requestSettings": SETTINGS | {"requestTimeout": timeout}}
            assert arm.deployment(NAME, "green", MODEL, instances=instances, **changed)["status"] == "Succeeded"
            traffic.go_on()
        arm.endpoint(NAME, traffic={"green": 100})
        arm.settle(arm("DELETE", f"onlineEndpoints/{NAME}/deployments/blue"))
        traffic.go_on()

    assert traffic.seen.keys() == {(200, "blue"), (200, "green")}
