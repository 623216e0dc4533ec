"""The logs of a deployment, of the model's server and of what fetches the model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from azureml_emulator.faults.client import Faults
from tests.support.scripts import GREEN, Live, pair_endpoint


@pytest.fixture(scope="module")
def pair(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with pair_endpoint(tmp_path_factory.mktemp("logs"), "toy-logs", {"answer": 0}, {"answer": 1}) as live:
        yield live


def test_both_containers(pair: Live) -> None:
    """The last lines of each, as many as are asked for."""
    server, initialiser = (pair.do("logs", GREEN, "--lines", lines) for lines in (100, 1))

    assert "storage initialiser of xgboost-model-2:\n" in server and "container of xgboost-model-2:\n" in server
    assert "Fetched" in server and "gunicorn" in server
    assert len(initialiser.splitlines()) < len(server.splitlines())


def test_one_log_that_cannot_be_read(pair: Live, faults: Faults) -> None:
    """The other is printed; without both the end is red, and says what to do."""
    said = []
    for times in (1, 2):
        faults.add("refuse", method="POST", path="*/getLogs", status=400, times=times)
        said.append(pair.run("logs", GREEN))
    one, none = said

    assert (one.exit_code, none.exit_code) == (0, 4)
    assert "log of xgboost-model-2 can't be read" in one.stderr and "container of" in one.stdout
    assert "show_endpoint" in none.stderr


def test_one_that_is_not_there(pair: Live) -> None:
    """Is named, with those that are."""
    result = pair.run("logs", "nobody")

    assert result.exit_code == 1 and "nobody" in result.stderr


def test_a_424_leads_there(pair: Live, faults: Faults) -> None:
    """Whoever meets one is told the command: by invoke, and by the smoke test."""
    faults.add("misbehave", deployment=GREEN, status=500, times=0)

    said = [
        pair.run(*asked, "--patience", 0).stderr for asked in (("invoke", "--deployment", GREEN), ("smoke_test", GREEN))
    ]

    assert all(f"python -m scripts.logs {GREEN}" in text for text in said), said
