"""Logins with a job's token, as azure-identity makes them: which let in, and what Entra says of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential

from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.testing import Arm

AUDIENCE = "api://AzureADTokenExchange"
ISSUER = "https://token.actions.githubusercontent.com"
SUBJECT = "repo:a/b:environment:deploy"
Login = Callable[..., str]


@pytest.fixture(scope="module")
def client(azure: dict[str, str]) -> str:
    """The client id of an identity that trusts the subject."""
    arm = Arm(azure)
    group = f"{arm.base}/subscriptions/{azure['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{azure['AZURE_RESOURCE_GROUP']}"
    path = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/rollout"
    made = arm("PUT", path, {"location": "local"}).json()
    trust = {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}
    arm("PUT", f"{path}/federatedIdentityCredentials/deploy", {"properties": trust})
    return str(made["properties"]["clientId"])


@pytest.fixture
def login(azure: dict[str, str], client: str) -> Iterator[Login]:
    """Logs in as a job that is as the arguments say; the token it gets."""
    with LocalGitHub() as github:

        def made(subject: str = SUBJECT, audience: str = AUDIENCE, client: str = client, **more: Any) -> str:
            job = github.identify(subject, **{"key": azure["IDENTITY_HEADER"], **more})
            url = f"{job['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={audience}"
            shown = {"Authorization": f"Bearer {job['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}

            def assertion() -> str:
                return str(requests.get(url, headers=shown, timeout=10).json()["value"])

            return ClientAssertionCredential("a-tenant", client, assertion).get_token("https://x/.default").token

        yield made


def test_a_trusted_job_logs_in(azure: dict[str, str], login: Login) -> None:
    """Its token opens the resource manager."""
    arm = Arm(azure)
    arm.token = login()

    assert arm("GET", "onlineEndpoints").status_code == 200


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ({"subject": SUBJECT.upper()}, "AADSTS700213.*'REPO"),
        ({"audience": "api://another"}, "AADSTS700213"),
        ({"issuer": f"{ISSUER}/enterprise"}, "AADSTS700213"),
        ({"seconds": -1}, "AADSTS700024"),
        ({"key": "another" * 8}, "AADSTS50027"),
        ({"client": "nobody"}, "AADSTS700016.*'nobody'"),
    ],
)
def test_others_are_refused(login: Login, job: dict[str, Any], says: str) -> None:
    """Another subject, audience or issuer, a token that is over or that somebody else signed, an unknown identity."""
    with pytest.raises(ClientAuthenticationError, match=says):
        login(**job)
