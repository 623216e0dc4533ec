"""Who calls Azure: in a workflow the identity that trusts the job, elsewhere whoever is logged in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

LATEST = 60  # seconds that `az` gets for a token: it takes more than the SDK's 10 at times (Azure/azure-cli#20404)
AUDIENCE = "api://AzureADTokenExchange"
JOB = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "AZURE_TENANT_ID", "AZURE_CLIENT_ID")


def login() -> TokenCredential:
    """The credential for every call.

    A job that may ask GitHub for an OIDC token does so for each new token of Azure's: what azure/login was given once
    is good for minutes, and the login itself for an hour (Azure/login#372). Elsewhere AZURE_TOKEN_CREDENTIALS names the
    one credential to take; without it azure-identity tries all it knows.
    """
    from azure.identity import ClientAssertionCredential, DefaultAzureCredential

    if all(os.environ.get(name) for name in JOB):
        return ClientAssertionCredential(os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"], _assertion)
    return DefaultAzureCredential(process_timeout=LATEST)


def _assertion() -> str:
    """GitHub's word for which job this is (docs.github.com/actions/reference/openid-connect-reference)."""
    from azure.core import PipelineClient
    from azure.core.exceptions import AzureError
    from azure.core.rest import HttpRequest, HttpResponse
    from azure.identity import CredentialUnavailableError

    url, token = (os.environ[name] for name in JOB[:2])
    request = HttpRequest("GET", url, params={"audience": AUDIENCE}, headers={"Authorization": f"Bearer {token}"})
    try:
        with PipelineClient[HttpRequest, HttpResponse](url, retry_total=3) as client:
            response = client.send_request(request)
            response.raise_for_status()
            return str(response.json()["value"])
    except (AzureError, ValueError, LookupError) as error:
        raise CredentialUnavailableError(f"GitHub gave this job no token to log in with: {error}") from error
