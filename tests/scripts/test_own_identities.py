"""Production's and rollback's own identities, with the rights that set-up gives them, against the local Azure ML."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from azureml_emulator.testing import Arm
from tests.support.scripts import GREEN, Live, own_identity, pair_endpoint


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def pair(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with pair_endpoint(tmp_path_factory.mktemp("own"), "toy-own", {"answer": 0}, {"answer": 1}) as live:
        yield live


def test_own_identities(pair: Live, arm: Arm) -> None:
    """What the jobs of each environment run is done with the rights of its identity."""
    production, rollback = own_identity(arm, "production"), own_identity(arm, "rollback")

    proposal = pair.do("review", "--next", "promote", "--percent", 50)
    pair.do("promote", "--percent", 50, "--expect", proposal, **production)
    assert pair.traffic == {"default": 50, GREEN: 50}
    pair.do("rollback", **rollback)
    assert pair.traffic == {"default": 100}
    pair.do("promote", "--percent", 100, **production)
    approved = pair.do("review", "--next", "delete-blue", **production)
    pair.do("delete_blue", "default", "--expect", approved, **production)

    assert list(pair.deployments) == [GREEN]


@pytest.mark.parametrize("environment", ["rollback", "production"])
def test_teardown(pair: Live, arm: Arm, environment: str) -> None:
    """Production's identity deletes the endpoint; rollback's, which waits for nobody, may not."""
    result = pair.run("delete_endpoint", "--confirm", pair.name, **own_identity(arm, environment))

    assert result.exit_code == (environment == "rollback")
    assert ("onlineEndpoints/delete" in result.output) == (environment == "rollback")
