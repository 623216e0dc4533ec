"""Clients of an endpoint, for demonstrations: they ask all the time and keep count of who answered."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import requests

from scripts.lib.azure.asking import EXPECTATIONS, of_the_file
from scripts.lib.azure.scoring_client import load_requests
from scripts.lib.decisions.predictions import problems
from scripts.lib.decisions.requests import Body
from scripts.lib.decisions.requests import rows as counted

COUNT = 2
PAUSE = 0.15  # seconds between a client's requests: the two cores are for the rollout
DEPLOYMENT = "azureml-model-deployment"  # the header that says who answered
TIMEOUT = 30  # seconds, six times Azure's own for a request: a slow answer is not a lost one


class Clients:
    """Score the rows of a request file over HTTPS, each client one after the other, from `start` to `stop`.

    Every tenth request is `rare`, where there is one. `answers` has the deployment that answered, for each request;
    `problems` a line for each that was not answered well. While there are `trusted` deployments another one's failures
    are no problem: `excused` has its name for each.
    """

    def __init__(self, rows: Path, rare: Body | None = None) -> None:
        self.answers: list[str] = []
        self.problems: list[str] = []
        self.excused: list[str] = []
        self.trusted: Collection[str] = ()
        self.pause = PAUSE
        self._rare = rare
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
            for count, body in enumerate(itertools.cycle(self._bodies[number:] + self._bodies[:number])):
                if self._stopped.wait(self.pause):
                    return
                self._ask(session, url, self._rare if self._rare and count % 10 == 9 else body)

    def _ask(self, session: requests.Session, url: str, body: Body) -> None:
        trusted = self.trusted  # as of now: who has been taken back meanwhile has nothing to answer any more
        try:
            answer = session.post(url, json=body, timeout=TIMEOUT)
            well = answer.ok and DEPLOYMENT in answer.headers
            well = well and not [*problems(answer.json(), counted(body, None), None, self._expected)]
        except requests.RequestException as error:
            self.problems.append(f"no answer: {error}")
            return
        deployment = answer.headers.get(DEPLOYMENT, "")
        if well:
            self.answers.append(deployment)
        elif trusted and deployment and deployment not in trusted:
            self.excused.append(deployment)
        else:
            self.problems.append(f"{answer.status_code}: {answer.text[:200]}")
