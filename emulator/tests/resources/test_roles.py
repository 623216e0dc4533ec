"""Who may do what: roles, the scopes they are had over, and what the local Azure ML says to whom has none."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from azureml_emulator.arm.actions import needed
from azureml_emulator.arm.names import ROLLOUT
from azureml_emulator.resources.roles import IDS, ROLES, covers, may
from azureml_emulator.testing import Arm, token

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

ML = "Microsoft.MachineLearningServices"
GROUP = "/subscriptions/s/resourceGroups/g"
W = f"{GROUP}/providers/{ML}/workspaces/w"


@pytest.fixture(scope="module")
def owner(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def rollout(azure: dict[str, str]) -> Arm:
    """Calls of the identity that is a Data Scientist and a Monitoring Reader on the workspace, and nothing else."""
    return Arm(azure, client=ROLLOUT)


@pytest.mark.parametrize(
    ("method", "path", "action", "scope"),
    [
        ("GET", W, f"{ML}/workspaces/read", W),
        ("GET", f"{W}/onlineEndpoints", f"{ML}/workspaces/onlineEndpoints/read", W),
        ("PUT", f"{W}/onlineEndpoints/e", f"{ML}/workspaces/onlineEndpoints/write", f"{W}/onlineEndpoints/e"),
        (
            "DELETE",
            f"{W}/onlineEndpoints/e/deployments/d",
            f"{ML}/workspaces/onlineEndpoints/deployments/delete",
            f"{W}/onlineEndpoints/e/deployments/d",
        ),
        (
            "POST",
            f"{W}/onlineEndpoints/e/listKeys",
            f"{ML}/workspaces/onlineEndpoints/listKeys/action",
            f"{W}/onlineEndpoints/e",
        ),
        (
            "GET",
            f"/subscriptions/s/providers/{ML}/locations/local/usages",
            f"{ML}/locations/usages/read",
            f"/subscriptions/s/providers/{ML}/locations/local",
        ),
        (
            "GET",
            f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities",
            "Microsoft.ManagedIdentity/userAssignedIdentities/read",
            f"{GROUP}/providers/Microsoft.ManagedIdentity",
        ),
        (
            "PUT",
            f"{W}/providers/Microsoft.Authorization/roleAssignments/a",
            "Microsoft.Authorization/roleAssignments/write",
            f"{W}/providers/Microsoft.Authorization/roleAssignments/a",
        ),
    ],
)
def test_what_a_call_needs(method: str, path: str, action: str, scope: str) -> None:
    """The action is made of the types in the path and the verb; a list needs it over what holds the members."""
    assert needed(method, path) == (action, scope)


@pytest.mark.parametrize(
    ("role", "action", "allowed"),
    [
        ("Owner", "Microsoft.Authorization/roleAssignments/write", True),
        ("Contributor", "Microsoft.Authorization/roleAssignments/write", False),
        ("Contributor", f"{ML}/workspaces/write", True),
        ("Reader", f"{ML}/locations/usages/read", True),
        ("Reader", f"{ML}/workspaces/onlineEndpoints/listKeys/action", False),
        ("AzureML Data Scientist", f"{ML}/workspaces/read", True),
        ("AzureML Data Scientist", f"{ML}/workspaces/write", False),
        ("AzureML Data Scientist", f"{ML}/workspaces/delete", False),
        ("AzureML Data Scientist", f"{ML}/workspaces/listKeys/action", False),
        ("AzureML Data Scientist", f"{ML}/workspaces/onlineEndpoints/listKeys/action", True),
        ("AzureML Data Scientist", f"{ML.upper()}/WORKSPACES/onlineendpoints/DEPLOYMENTS/write", True),
        ("AzureML Data Scientist", f"{ML}/locations/usages/read", False),
        ("AzureML Data Scientist", "Microsoft.ManagedIdentity/userAssignedIdentities/read", False),
    ],
)
def test_what_a_role_allows(role: str, action: str, allowed: bool) -> None:
    """Its actions, less what it excludes; in any case, and a star between slashes may stand for nothing."""
    assert may([ROLES[IDS[role]]], action) is allowed


def test_a_role_excludes_nothing_from_another() -> None:
    """Who is a Data Scientist and a Contributor may change the workspace."""
    both = [ROLES[IDS["AzureML Data Scientist"]], ROLES[IDS["Contributor"]]]

    assert may(both, f"{ML}/workspaces/write")


def test_a_star_is_no_expression() -> None:
    """A dot in a pattern is a dot."""
    assert not covers("a.b/read", "aXb/read")


def usages(arm: Arm) -> str:
    return f"{arm.base}{arm.workspace.partition('/resourceGroups/')[0]}/providers/{ML}/locations/local/usages"


def identities(arm: Arm) -> str:
    group = arm.workspace.partition("/providers/")[0]
    return f"{arm.base}{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"


@pytest.mark.parametrize(
    ("method", "address", "action", "scope"),
    [
        ("GET", usages, f"{ML}/locations/usages/read", f"/providers/{ML}/locations/local"),
        (
            "GET",
            lambda arm: usages(arm).replace("usages", "vmSizes"),
            f"{ML}/locations/vmSizes/read",
            "/locations/local",
        ),
        (
            "GET",
            identities,
            "Microsoft.ManagedIdentity/userAssignedIdentities/read",
            "/local/providers/Microsoft.ManagedIdentity",
        ),
        (
            "PUT",
            lambda arm: f"{identities(arm)}/mine",
            "Microsoft.ManagedIdentity/userAssignedIdentities/write",
            "/mine",
        ),
        ("DELETE", lambda arm: f"{arm.base}{arm.workspace}", f"{ML}/workspaces/delete", "/workspaces/local"),
        ("GET", lambda arm: f"{arm.base}{arm.workspace}-2", f"{ML}/workspaces/read", "/workspaces/local-2"),
        (
            "PUT",
            lambda arm: f"{arm.base}{arm.workspace}/providers/Microsoft.Authorization/roleAssignments/own",
            "Microsoft.Authorization/roleAssignments/write",
            "/roleAssignments/own",
        ),
    ],
)
def test_what_a_rollout_may_not(
    rollout: Arm, method: str, address: Callable[[Arm], str], action: str, scope: str
) -> None:
    """What isn't the workspace's, or is the workspace itself, is refused in the resource manager's words, also where it
    isn't there or isn't emulated.
    """
    answer = rollout(method, address(rollout), {} if method == "PUT" else None)

    who = owner_ids(rollout)["principalId"]
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (403, "AuthorizationFailed")
    assert error["message"].startswith(
        f"The client '{who}' with object id '{who}' does not have authorization to perform action '{action}' over "
        f"scope '{rollout.workspace.partition('/resourceGroups/')[0]}"
    )
    assert error["message"].endswith(
        f"{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
    )


def owner_ids(arm: Arm) -> dict[str, str]:
    """The ids of the identity `rollout`, as the owner reads them."""
    found = Arm(arm.variables)("GET", identities(arm)).json()["value"]
    return next(dict(one["properties"]) for one in found if one["name"] == "rollout")


def test_the_sdk_of_a_data_scientist(azure: dict[str, str], rollout: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """AZURE_CLIENT_ID selects the identity: the SDK makes and deletes an endpoint as a Data Scientist, follows both
    operations, whose addresses are the subscription's, reads its keys, and may not read the usages.
    """
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import ManagedOnlineEndpoint
    from azure.core.exceptions import HttpResponseError
    from azure.identity import DefaultAzureCredential

    monkeypatch.setenv("AZURE_CLIENT_ID", ROLLOUT)
    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
    client: MLClient = MLClient(DefaultAzureCredential(), *(azure[name] for name in names))

    client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="by-rollout")).result()

    assert client.online_endpoints.get_keys("by-rollout").primary_key
    with pytest.raises(HttpResponseError, match=r"AuthorizationFailed.*locations/usages/read"):
        list(client.compute.list_usage())
    client.online_endpoints.begin_delete("by-rollout").result()


def test_an_operation_is_its_starter_s(owner: Arm, rollout: Arm) -> None:
    """Who started an operation reads it with no role over the subscription; what others started, and what never was,
    is refused. It doesn't show who that was.
    """
    ours = rollout("PUT", "onlineEndpoints/of-rollout", {"location": "local", "properties": {"authMode": "Key"}})
    theirs = owner("PUT", "onlineEndpoints/of-owner", {"location": "local", "properties": {"authMode": "Key"}})
    place = ours.headers["Azure-AsyncOperation"]

    assert rollout.settle(ours)["status"] == owner.settle(theirs)["status"] == "Succeeded"
    assert rollout("GET", result(place)).status_code == owner("GET", place).status_code == 200
    assert owner_ids(rollout)["principalId"] not in rollout("GET", place).text
    other = theirs.headers["Azure-AsyncOperation"]
    for address in (other, result(other), place.replace("?", "0?")):
        assert rollout("GET", address).status_code == 403
    for name in ("of-rollout", "of-owner"):
        owner.settle(owner("DELETE", f"onlineEndpoints/{name}"))


def result(operation: str) -> str:
    """Where the result of an operation is."""
    return operation.replace("mfeOperationsStatus", "mfeOperationResults")


@contextmanager
def assigned(owner: Arm, role: str, scope: str) -> Iterator[None]:
    """The identity `rollout` has a role over a scope for a while."""
    address = f"{owner.base}{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    definition = f"/providers/Microsoft.Authorization/roleDefinitions/{IDS[role]}"
    body = {"properties": {"principalId": owner_ids(owner)["principalId"], "roleDefinitionId": definition}}
    assert owner("PUT", address, body).status_code == 201
    try:
        yield
    finally:
        assert owner("DELETE", address).status_code == 200
        assert owner("DELETE", address).status_code == 204


@pytest.mark.parametrize(
    ("cut", "readable"),
    [("/resourceGroups/", (200, 200)), ("/providers/", (403, 200)), ("/onlineEndpoints", (403, 403))],
)
def test_a_scope_holds_what_is_below_it(owner: Arm, rollout: Arm, cut: str, readable: tuple[int, int]) -> None:
    """A Reader of the subscription reads its usages and the group's identities, one of the group only these, one of the
    workspace neither; and no longer than the role is assigned.
    """

    def seen() -> tuple[int, int]:
        return rollout("GET", usages(rollout)).status_code, rollout("GET", identities(rollout)).status_code

    with assigned(owner, "Reader", owner.workspace.partition(cut)[0]):
        assert seen() == readable
    assert seen() == (403, 403)


def test_permissions_are_the_caller_s(owner: Arm, rollout: Arm) -> None:
    """The owner may do anything, a rollout what its two roles may, of further roles each is told."""

    def told(arm: Arm) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = arm("GET", "providers/Microsoft.Authorization/permissions").json()["value"]
        return found

    assert [role["actions"] for role in told(owner)] == [["*"]]
    role, monitoring = told(rollout)
    assert monitoring["actions"] == ["*/read"]
    assert f"{ML}/workspaces/*/write" in role["actions"] and f"{ML}/workspaces/write" in role["notActions"]
    with assigned(owner, "Reader", owner.workspace):
        assert [role["actions"][-1] for role in told(rollout)] == [f"{ML}/workspaces/*/write", "*/read", "*/read"]


def test_assignments_are_listed(owner: Arm) -> None:
    """Those at a scope and above it, of one principal or of all."""
    who = owner_ids(owner)["principalId"]
    address = "providers/Microsoft.Authorization/roleAssignments"

    with assigned(owner, "Reader", owner.workspace.partition("/resourceGroups/")[0]):
        listed = owner("GET", address, params={"$filter": f"assignedTo('{who}')"}).json()["value"]
        nobody = owner("GET", address, params={"$filter": "principalId eq 'nobody'"}).json()["value"]

    roles = [one["properties"]["roleDefinitionId"].rpartition("/")[2] for one in listed]
    assert roles == [IDS["AzureML Data Scientist"], IDS["Monitoring Reader"], IDS["Reader"]]
    assert nobody == []


@pytest.mark.parametrize("properties", [{}, {"principalId": "p"}, {"principalId": "p", "roleDefinitionId": "unknown"}])
def test_an_assignment_that_is_none(owner: Arm, properties: dict[str, str]) -> None:
    """It names a principal, and a role that is known."""
    answer = owner("PUT", "providers/Microsoft.Authorization/roleAssignments/bad", {"properties": properties})

    assert answer.status_code == 400


def test_a_role_of_one_s_own(owner: Arm) -> None:
    """Who has a custom role may do what it lists, less what it excludes, and nothing else."""
    made = owner("PUT", f"{identities(owner)}/own", {"location": "local"}).json()["properties"]
    authorization = f"{owner.base}{owner.workspace}/providers/Microsoft.Authorization"
    role, some = f"{authorization}/roleDefinitions/{uuid.uuid4()}", f"{ML}/workspaces/onlineEndpoints"
    allowed = {"actions": [f"{some}/*"], "notActions": [f"{some}/delete"]}
    properties = {"roleName": "own", "permissions": [allowed], "assignableScopes": [owner.workspace]}
    given = {"principalId": made["principalId"], "roleDefinitionId": role}

    assert owner("PUT", role, {"properties": properties}).json()["properties"]["permissions"] == [allowed]
    assert owner("PUT", f"{authorization}/roleAssignments/own", {"properties": given}).status_code == 201

    own = Arm(owner.variables, client=made["clientId"])
    assert own("GET", "onlineEndpoints").status_code == 200
    assert own("DELETE", "onlineEndpoints/none").status_code == own("GET", "models").status_code == 403


def test_an_identity_without_a_role(owner: Arm) -> None:
    """It gets a token, with which it may not even read the workspace, nor its own permissions there."""
    made = owner("PUT", f"{identities(owner)}/nobody", {"location": "local"}).json()
    nobody = Arm(owner.variables, client=made["properties"]["clientId"])

    assert nobody("GET", "").status_code == 403
    assert nobody("GET", "providers/Microsoft.Authorization/permissions").status_code == 403


def test_an_identity_that_is_not_there(azure: dict[str, str]) -> None:
    """It gets no token, in an App Service's words."""
    answer = token(azure, client="00000000-0000-0000-0000-00000000000f")

    assert (answer.status_code, answer.json()["statusCode"]) == (400, 400)
    assert answer.json()["message"].startswith("No User Assigned or Delegated Managed Identity found")
