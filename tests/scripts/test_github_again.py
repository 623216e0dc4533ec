"""GitHub's short troubles are waited for, lasting ones and refusals aren't: which, how long, and by which verbs."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from azureml_emulator.github.server import LocalGitHub
from scripts.lib.github import again
from scripts.lib.github.api import CannotTell, GitHub

WORDS = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
RIGHTS = "Resource not accessible by integration"
OUT = {"x-ratelimit-remaining": "0"}


@pytest.fixture
def impatient() -> None:
    """Here the times are the real ones."""


def answer(status: int, text: str = "", **headers: str) -> Any:
    return SimpleNamespace(status_code=status, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize(
    ("response", "tries", "seconds"),
    [
        (None, 0, 1),
        (None, 3, 8),
        (answer(500), 0, 1),
        (answer(502), 2, 4),
        (answer(503, retry_after="7"), 0, 7),
        (answer(503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), 1, 2),
        (answer(429), 0, 60),
        (answer(429), 7, 128),
        (answer(429, retry_after="1"), 0, 1),
        (answer(429, retry_after="0"), 0, 1),
        (answer(403, WORDS), 0, 60),
        (answer(403, WORDS, retry_after="30"), 5, 30),
        (answer(403, "You have triggered an abuse detection mechanism.", retry_after="30"), 0, 30),
        (answer(403, "API rate limit exceeded", x_ratelimit_remaining="0"), 0, 60),
        (answer(403, RIGHTS), 0, None),
        (answer(403, RIGHTS, x_ratelimit_remaining="4999", x_ratelimit_reset="9999999999"), 0, None),
        (answer(401), 0, None),
        (answer(404), 0, None),
        (answer(422, WORDS), 0, None),
        (answer(499), 0, None),
        (answer(200), 0, None),
    ],
)
def test_how_long(response: Any, tries: int, seconds: float | None) -> None:
    """As long as GitHub says, a minute at least after a limit without a time, else longer each time; or not at all."""
    assert again.pause(response, tries) == seconds


@pytest.mark.parametrize(("left", "least", "most"), [(90, 88, 91), (-5, 1, 1), (3600, 3598, 3601)])
def test_until_the_limit_ends(left: int, least: float, most: float) -> None:
    """What is used up for this hour is waited for until its reset."""
    reset = str(int(time.time()) + left)

    found = again.pause(answer(403, "", x_ratelimit_remaining="0", x_ratelimit_reset=reset), 0)

    assert found is not None and least <= found <= most


def test_minutes() -> None:
    """Long enough for a minute's limit twice, and short enough for a job that has 40 minutes."""
    assert 2 * again.LIMITED < again.PATIENCE < 5 * 60


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute is half a second."""
    for name in ("PATIENCE", "FIRST", "LIMITED"):
        monkeypatch.setattr(again, name, getattr(again, name) / 120)


def client(github: LocalGitHub) -> GitHub:
    return GitHub(github.repository, github.token, github.url)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("refuse", {"like": "SecondaryLimit"}),
        ("refuse", {"like": "TooManyRequests", "retry_after": None}),
        ("refuse", {"like": "BadGateway"}),
        ("refuse", {"status": 500}),
        ("drop", {}),
        ("drop", {"when": "after"}),
    ],
    ids=str,
)
@pytest.mark.usefixtures("quick")
def test_asked_again(github: LocalGitHub, kind: str, fault: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    """What passes is asked again until it is told, and each wait is said."""
    github.add(kind, path="/repos/local/rollout", times=2, **fault)

    assert client(github).facts()["name"] == "rollout"
    assert len(github.calls) == 3
    assert capfd.readouterr().err.count("asking again in") == 2


@pytest.mark.usefixtures("quick")
def test_one_patience_for_all(github: LocalGitHub) -> None:
    """A GitHub that stays away is waited for once, not for each question anew."""
    github.add("refuse", status=503, times=0)
    api = client(github)
    started = time.monotonic()

    for _ in range(5):
        with pytest.raises(CannotTell, match="503"):
            api.facts()

    assert time.monotonic() - started < 1.5 * again.PATIENCE


def test_a_limit_of_an_hour_is_not_waited_for(github: LocalGitHub) -> None:
    """It is told at once, in GitHub's words, and isn't called a lack of rights."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 3000)}
    github.add("refuse", like="RateLimit", headers=headers)

    with pytest.raises(CannotTell, match="API rate limit exceeded") as error:
        client(github).facts()

    assert "lacks a permission" not in str(error.value)


def test_an_address_that_is_none() -> None:
    """Nothing to wait for."""
    with pytest.raises(CannotTell, match="can't be reached"):
        GitHub("local/rollout", "token", "localhost").facts()
