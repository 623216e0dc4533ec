"""Production's and rollback's own identities, with the rights that set-up gives them, against the local Azure ML."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from azureml_emulator.testing import Arm
from scripts.lib.setup.azure import RIGHTS
from tests.support.scripts import Live, pair_endpoint

GREEN = "xgboost-model-2"
As = Callable[[str], dict[str, str]]


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def as_(arm: Arm) -> As:
    """What selects the identity of an environment, which has a role with its rights on the workspace, and no other."""
    group = f"{arm.base}{arm.workspace.partition('/providers/')[0]}/providers"
    authorization = f"{arm.base}{arm.workspace}/providers/Microsoft.Authorization"

    def made(environment: str) -> dict[str, str]:
        identity = arm("PUT", f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities/{environment}", {}).json()
        role = f"{authorization}/roleDefinitions/{uuid.uuid4()}"
        actions = [f"Microsoft.MachineLearningServices/workspaces/{action}" for action in RIGHTS[environment]]
        properties = {"roleName": environment, "permissions": [{"actions": actions}], "assignableScopes": [group]}
        assert arm("PUT", role, {"properties": properties}).status_code == 201
        given = {"principalId": identity["properties"]["principalId"], "roleDefinitionId": role}
        put = arm("PUT", f"{authorization}/roleAssignments/{uuid.uuid4()}", {"properties": given})
        assert put.status_code == 201
        return {"AZURE_CLIENT_ID": identity["properties"]["clientId"]}

    return made


@pytest.fixture(scope="module")
def pair(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with pair_endpoint(tmp_path_factory.mktemp("own"), "toy-own", {"answer": 0}, {"answer": 1}) as live:
        yield live


def test_own_identities(pair: Live, as_: As) -> None:
    """What the jobs of each environment run is done with the rights of its identity."""
    production, rollback = as_("production"), as_("rollback")

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
def test_teardown(pair: Live, as_: As, environment: str) -> None:
    """Production's identity deletes the endpoint; rollback's, which waits for nobody, may not."""
    result = pair.run("delete_endpoint", "--confirm", pair.name, **as_(environment))

    assert result.exit_code == (environment == "rollback")
    assert ("onlineEndpoints/delete" in result.output) == (environment == "rollback")
