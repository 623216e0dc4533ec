"""How a command ends, by what is behind what it says: one table."""

from __future__ import annotations

import click
import pytest
import requests
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from click.testing import CliRunner

from scripts.lib.azure import scoring_client, waiting
from scripts.lib.azure.asker import CouldNotAsk
from scripts.lib.azure.asking import FoundBad
from scripts.lib.azure.errors import Ended, NotBegun, Passing
from scripts.lib.azure.waiting import TimedOut
from scripts.lib.cli.command import command
from scripts.lib.cli.exit_codes import EPILOG
from scripts.lib.decisions.state import Ambiguous, Overwritten, Refused
from scripts.lib.github.api import CannotTell, Denied, Unreached


def behind(cause: Exception, error: Exception | None = None) -> Exception:
    """An error that was raised from another one: a refusal, unless another is given."""
    error = error or Refused("what is told")
    error.__cause__ = cause
    return error


def azures(status: int, code: str = "") -> HttpResponseError:
    """An answer of Azure's that is none."""
    error = HttpResponseError(f"({code}) words")
    error.status_code, error.error = status, type("Detail", (), {"code": code, "message": "words"})()  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("no"), 1),
        (Ambiguous("who?"), 1),
        (Overwritten("somebody"), 1),
        (FoundBad("green", ["HTTP 424"]), 1),
        (Ended("creating green", "Failed"), 1),
        (behind(Ended("creating green", "Failed", azures(503))), 1),
        (behind(azures(503), Ended("creating green", "Failed")), 1),
        (azures(403, "AuthorizationFailed"), 1),
        (ResourceNotFoundError("gone"), 1),
        (ClientAuthenticationError("no login"), 1),
        (FileNotFoundError(2, "none", "endpoints/endpoint.yml"), 1),
        (Denied("cancel run 1", 403, "no"), 1),
        (CannotTell("no token for GitHub"), 1),
        (TimedOut("creating green: not ended after 5 s"), 3),
        (behind(TimedOut("creating green: not ended after 5 s")), 3),
        (Passing("Azure shows no sign of it"), 3),
        (azures(409, "AnotherOperationInProgress"), 3),
        (behind(behind(azures(409, "AnotherOperationInProgress"), NotBegun("deleting default"))), 3),
        (waiting.Unanswered("Azure did not answer for 60 s"), 4),
        (behind(waiting.Unanswered("Azure did not answer for 60 s")), 4),
        (ServiceRequestError("no route"), 4),
        (ServiceResponseError("cut off"), 4),
        (azures(429, "TooManyRequests"), 4),
        (azures(503), 4),
        (behind(behind(azures(500), NotBegun("setting the traffic"))), 4),
        (ClientAuthenticationError("Failed to invoke the Azure CLI"), 4),
        (CouldNotAsk("green could not be asked"), 4),
        (scoring_client.Unanswered("can't be reached"), 4),
        (Unreached("GitHub did not answer (HTTP 502)"), 4),
        (behind(requests.ConnectionError("refused"), CannotTell("GitHub's API can't be reached")), 4),
        (behind(Unreached("GitHub did not answer (HTTP 502)")), 4),
    ],
    ids=str,
)
def test_the_exit_code_says_why(error: Exception, code: int) -> None:
    """To look, to wait, or to try again: that tells the number, and the message is there all the same."""

    @command()
    def main() -> None:
        raise error

    result = CliRunner().invoke(main)

    assert (result.exit_code, result.stderr.startswith("Error: ")) == (code, True)


def test_wrong_usage_stays_so() -> None:
    """Also where the command itself finds it out."""

    @command()
    def main() -> None:
        raise click.UsageError("not both")

    assert CliRunner().invoke(main).exit_code == 2


def test_a_bug_is_none_of_them() -> None:
    """It isn't told as somebody's mistake."""

    @command()
    def main() -> None:
        raise KeyError("x")

    assert isinstance(CliRunner().invoke(main).exception, KeyError)


def test_help_tells_them() -> None:
    """All five, with each command."""

    @command()
    def main() -> None:
        pass

    assert " ".join(EPILOG.split()) in " ".join(CliRunner().invoke(main, ["--help"]).output.split())
    assert all(f"{code} " in EPILOG for code in range(5))
