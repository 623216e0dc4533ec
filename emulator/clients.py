"""Clients of an endpoint, for demonstrations: they ask all the time and keep count of who answered."""

from __future__ import annotations

import csv
import itertools
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import requests

COUNT = 2
PAUSE = 0.15  # seconds between a client's requests: the two cores are for the rollout
DEPLOYMENT = "azureml-model-deployment"  # the header that says who answered
TIMEOUT = 30  # seconds, six times Azure's own for a request: a slow answer is not a lost one


class Clients:
    """Score rows of a data set over HTTPS, each client one row after the other, from `start` to `stop`.

    `answers` has the deployment that answered, for each request; `problems` a line for each that was not answered well.
    """

    def __init__(self, data: Path) -> None:
        self.answers: list[str] = []
        self.problems: list[str] = []
        self._told = 0
        self._rows = read_rows(data)
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
            for row in itertools.cycle(self._rows[number::COUNT]):
                if self._stopped.wait(PAUSE):
                    return
                self._ask(session, url, row)

    def _ask(self, session: requests.Session, url: str, row: dict[str, Any]) -> None:
        body = {"input_data": {"columns": list(row), "index": [0], "data": [list(row.values())]}}
        try:
            answer = session.post(url, json=body, timeout=TIMEOUT)
            well = answer.ok and answer.json() in ([0], [1]) and DEPLOYMENT in answer.headers
        except requests.RequestException as error:
            self.problems.append(f"no answer: {error}")
            return
        if well:
            self.answers.append(answer.headers[DEPLOYMENT])
        else:
            self.problems.append(f"{answer.status_code}: {answer.text[:200]}")


def read_rows(data: Path) -> list[dict[str, Any]]:
    """The rows of heart.csv that lack nothing, as a request has them: without the target."""
    with data.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if all(row.values())]
    for row in rows:
        del row["target"]
    return [{name: value if name == "thal" else float(value) for name, value in row.items()} for row in rows]
