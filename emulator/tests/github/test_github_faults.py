"""Faults of the local GitHub: that each meets the calls that it names, so many times, and nothing else."""

from __future__ import annotations

import pytest
import requests

from azureml_emulator.github.faults import ANSWERS, missed
from azureml_emulator.github.server import LocalGitHub

VARIABLES = "/repos/local/rollout/actions/variables"


def ask(github: LocalGitHub, method: str = "GET", path: str = "", **options: object) -> requests.Response:
    """A call below the repository."""
    headers = {"Authorization": f"Bearer {github.token}"}
    address = f"{github.url}/repos/local/rollout{path}"
    return requests.request(method, address, headers=headers, timeout=10, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ANSWERS)
def test_so_many_times(github: LocalGitHub, name: str) -> None:
    """The calls that match get GitHub's words so many times, others and later ones their own answer."""
    github.add("refuse", method="GET", path="*/actions/variables", like=name, times=2, skip=1)

    answers = [ask(github, path="/actions/variables") for _ in range(4)]
    other = ask(github)

    assert [answer.status_code for answer in answers] == [200, ANSWERS[name]["status"], ANSWERS[name]["status"], 200]
    assert answers[1].json()["message"] == ANSWERS[name]["message"]
    assert other.status_code == 200
    assert len(github.calls) == 5


def test_when_to_ask_again(github: LocalGitHub) -> None:
    """Retry-After and GitHub's own headers are sent."""
    github.add("refuse", like="RateLimit", retry_after=7)

    answer = ask(github)

    assert (answer.headers["Retry-After"], answer.headers["x-ratelimit-remaining"]) == ("7", "0")


@pytest.mark.parametrize(("when", "there"), [("before", False), ("after", True)])
def test_dropped(github: LocalGitHub, when: str, there: bool) -> None:
    """The connection is closed without an answer, before or after the effect."""
    github.add("drop", method="POST", when=when)

    with pytest.raises(requests.ConnectionError):
        ask(github, "POST", "/actions/variables", json={"name": "A", "value": "b"})

    assert ("A" in github.variables) == there
    assert ask(github).status_code == 200


def test_one_that_met_nothing() -> None:
    """It is told, so that a test whose fault met nothing fails."""
    with LocalGitHub() as github:
        github.add("refuse", path="/nowhere")
        github.add("refuse", path="*")
        ask(github)

    assert [fault["path"] for fault in missed(github.faults)] == ["/nowhere"]
