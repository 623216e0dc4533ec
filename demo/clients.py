"""Clients of an endpoint, for demonstrations: they ask all the time and keep count of who answered."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import requests

from scripts.lib.azure.asking import EXPECTATIONS, of_the_file
from scripts.lib.azure.scoring_client import load_requests
from scripts.lib.decisions.predictions import problems
from scripts.lib.decisions.requests import rows as counted

COUNT = 2
PAUSE = 0.15  # seconds between a client's requests: the two cores are for the rollout
DEPLOYMENT = "azureml-model-deployment"  # the header that says who answered
TIMEOUT = 30  # seconds, six times Azure's own for a request: a slow answer is not a lost one


class Clients:
    """Score the rows of a request file over HTTPS, each client one after the other, from `start` to `stop`.

    `answers` has the deployment that answered, for each request; `problems` a line for each that was not answered well.
    """

    def __init__(self, rows: Path) -> None:
        self.answers: list[str] = []
        self.problems: list[str] = []
        self._told = 0
        self._bodies = load_requests(rows)
        self._expected = of_the_file(rows.with_name(EXPECTATIONS.name))
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def started(self) -> bool:
        return bool(self._threads)

    def start(self, url: str, key: str) -> None:
        self._threads = [threading.Thread(target=self._ask_on, args=(url, key, number)) for number in range(COUNT)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def news(self) -> Counter[str]:
        """How many requests each deployment has answered since the last call."""
        news = self.answers[self._told :]
        self._told += len(news)
        return Counter(news)

    def _ask_on(self, url: str, key: str, number: int) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {key}"
            for body in itertools.cycle(self._bodies[number:] + self._bodies[:number]):
                if self._stopped.wait(PAUSE):
                    return
                self._ask(session, url, body)

    def _ask(self, session: requests.Session, url: str, body: dict[str, Any]) -> None:
        try:
            answer = session.post(url, json=body, timeout=TIMEOUT)
            well = answer.ok and DEPLOYMENT in answer.headers
            well = well and not [*problems(answer.json(), counted(body, None), None, self._expected)]
        except requests.RequestException as error:
            self.problems.append(f"no answer: {error}")
            return
        if well:
            self.answers.append(answer.headers[DEPLOYMENT])
        else:
            self.problems.append(f"{answer.status_code}: {answer.text[:200]}")
