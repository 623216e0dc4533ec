"""Clients that ask an endpoint all the while."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from azureml_emulator.testing import Arm
from tests.support.scripts import SAMPLE


class Answers(Counter[int]):
    """How often each status was answered."""

    @property
    def failed(self) -> int:
        return self.total() - self[200]

    def more(self, number: int, seconds: float = 60) -> Answers:
        """What comes from now on, once there are so many."""
        before, deadline = self.copy(), time.monotonic() + seconds
        while self.total() < before.total() + number:
            assert time.monotonic() < deadline, f"not {number} answers within {seconds:g} s"
            time.sleep(0.01)
        return Answers(self - before)


@contextmanager
def asked(environ: dict[str, str], name: str, *others: Mapping[str, Any]) -> Iterator[Answers]:
    """Two of them, which keep their connections; each sends SAMPLE and the `others` in turn."""
    arm, over, answers = Arm(environ), threading.Event(), Answers()
    uri = arm("GET", f"onlineEndpoints/{name}").json()["properties"]["scoringUri"]
    key = arm("POST", f"onlineEndpoints/{name}/listKeys").json()["primaryKey"]

    def ask() -> None:
        bodies = itertools.cycle([SAMPLE, *others])
        with requests.Session() as session:
            session.verify, session.trust_env = environ["REQUESTS_CA_BUNDLE"], False
            while not over.wait(0.01):
                headers = {"Authorization": f"Bearer {key}"}
                answer = session.post(uri, json=next(bodies), headers=headers, timeout=60)
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
