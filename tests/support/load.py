"""Clients that ask an endpoint all the while."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from azureml_emulator.testing import Arm
from tests.support.scripts import SAMPLE


@contextmanager
def asked(environ: dict[str, str], name: str) -> Iterator[Counter[int]]:
    """Two of them; gives how often each status was answered."""
    arm, over, answers = Arm(environ), threading.Event(), Counter[int]()
    uri = arm("GET", f"onlineEndpoints/{name}").json()["properties"]["scoringUri"]
    key = arm("POST", f"onlineEndpoints/{name}/listKeys").json()["primaryKey"]

    def ask() -> None:
        with requests.Session() as session:
            session.verify, session.trust_env = environ["REQUESTS_CA_BUNDLE"], False
            while not over.wait(0.01):
                answer = session.post(uri, json=SAMPLE, headers={"Authorization": f"Bearer {key}"}, timeout=60)
                answers[answer.status_code] += 1

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()
