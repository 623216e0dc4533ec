"""What is asked of Azure: each answer, or Unknown in its place. Nothing is changed there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

from scripts.lib.azure import live_traffic, metrics, traffic_log
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import explain, reason
from scripts.lib.azure.login import login
from scripts.lib.azure.trying import asked
from scripts.lib.azure.waiting import Deadline
from scripts.lib.azure.workspace import Workspace, manager
from scripts.lib.decisions.canary.points import LATEST, Usual
from scripts.lib.decisions.state import Refused
from scripts.lib.doctor import azure_checks
from scripts.lib.doctor.azure_checks import NO_LOGIN, NO_RIGHT, NO_WORKSPACE, REACHED, UNKNOWN, Endpoint, Reach
from scripts.lib.doctor.facts import told
from scripts.lib.doctor.finding import Unknown, shorten
from scripts.lib.doctor.quota import Shape, Usage

T = TypeVar("T")
MANAGED = "2023-01-31"  # the API's version of identities
PATIENCE = 10.0  # seconds for which one question is asked again through what passes
Document = dict[str, Any]


class AzureFacts:
    """One workspace, which may not be known, or not be there."""

    def __init__(self, workspace: Workspace | Unknown):
        self._workspace = workspace

    def ask(self, call: Callable[[Workspace], T]) -> T | Unknown:
        workspace = self._workspace
        return workspace if isinstance(workspace, Unknown) else told(lambda: _permitted(call, workspace))

    def reach(self) -> Reach:
        """How far a read of the workspace gets. A workspace that isn't reached is not asked again."""
        if isinstance(self._workspace, Unknown):
            return Reach(UNKNOWN, str(self._workspace))
        found = _reach(self._workspace)
        if found.outcome != REACHED:
            self._workspace = Unknown("the workspace could not be read.")
        return found

    def permissions(self) -> list[Document] | Unknown:
        """The caller's permissions on the workspace, of each role one."""

        kind, version = "Microsoft.Authorization/permissions", "2022-04-01"
        return self.ask(lambda workspace: list(_listing(f"{workspace.id}/providers/{kind}", version)))

    def trusted(self, client_id: str) -> list[Document] | Unknown:
        """The properties of the federated credentials that the identity with this client id has."""
        return self.ask(lambda workspace: list(_credentials(workspace, client_id)))

    def principal(self, client_id: str) -> str | Unknown:
        """The object id of the identity with this client id, which roles are given to."""
        return self.ask(lambda workspace: str(_identity(workspace, client_id)["properties"]["principalId"]))

    def roles(self, principal: str, scope: str) -> list[Document] | Unknown:
        """The permissions of each role that a principal, or a group that it is in, has over a scope."""
        return self.ask(lambda _: list(_roles(principal, scope)))

    def endpoint(self, name: str) -> Endpoint | Unknown:
        """The endpoint with its deployments."""
        return self.ask(lambda workspace: _endpoint(workspace, name))

    def sizes(self) -> dict[str, tuple[int, str]] | Unknown:
        """Cores and family by instance type, in lower case."""
        return self.ask(lambda workspace: dict(map(_size, workspace.client.compute.list_sizes())))

    def usages(self) -> list[Usage] | Unknown:
        """Cores in use and allowed, by family."""
        return self.ask(lambda workspace: list(map(_usage, workspace.client.compute.list_usage())))

    def usual(self, name: str, delay: timedelta) -> Usual | Unknown:
        """What the endpoint's traffic was in the last hour."""
        return self.ask(lambda workspace: metrics.usual(OnlineEndpoint(workspace, name), delay=delay))

    def source(self, name: str, serving: str, log: str) -> str | Unknown:
        """Who tells of the endpoint's live traffic, and why it isn't the workspace of logs that is named, if any is."""

        def look(workspace: Workspace) -> str:
            both, now = (OnlineEndpoint(workspace, name), serving, serving), workspace.now()
            return live_traffic.evidence(*both, now, delay=timedelta(), before=LATEST, log=log).source

        return self.ask(look) if log else f"{metrics.SOURCE}: nobody named a log ({traffic_log.VARIABLE})"

    def id(self, endpoint: str) -> str:
        return "" if isinstance(self._workspace, Unknown) else self._workspace.endpoint(endpoint)

    def alerts(self) -> list[Document] | Unknown:
        """Those on metrics, of the resource group."""
        kind, version = "Microsoft.Insights/metricAlerts", "2018-03-01"
        return self.ask(lambda workspace: list(_listing(f"{workspace.group}/providers/{kind}", version)))

    def settings(self, name: str) -> list[Document] | Unknown:
        """Where the endpoint's logs are sent."""
        kind, version = "Microsoft.Insights/diagnosticSettings", "2021-05-01-preview"
        return self.ask(lambda workspace: list(_listing(f"{workspace.endpoint(name)}/providers/{kind}", version)))


def _permitted(call: Callable[[Workspace], T], workspace: Workspace) -> T:
    """A right that the scripts don't need is no fault of the role they ask for."""
    from azure.core.exceptions import HttpResponseError

    try:
        return asked(workspace, Deadline(PATIENCE), lambda: call(workspace))
    except HttpResponseError as error:
        if error.status_code == 403:
            raise Refused(f"{azure_checks.REFUSED}: {shorten(reason(error))}") from error
        raise


def _reach(workspace: Workspace) -> Reach:
    from azure.core import exceptions as azure

    try:
        workspace.client.workspaces.get(workspace.name)
    except azure.ClientAuthenticationError as error:
        return Reach(NO_LOGIN, reason(error))
    except azure.HttpResponseError as error:
        outcome = {403: NO_RIGHT, 404: NO_WORKSPACE}.get(error.status_code or 0, UNKNOWN)
        return Reach(outcome, reason(error))
    except azure.AzureError as error:
        return Reach(UNKNOWN, explain(error) or reason(error))
    return Reach(REACHED)


def _listing(path: str, version: str) -> Iterator[Document]:
    """The members of a collection of Azure's resource manager that the SDK has no method for, from all its pages."""
    with _asking() as ask:
        yield from members(ask(f"{manager()[0]}{path}", **{"api-version": version}), ask)


@contextlib.contextmanager
def _asking() -> Iterator[Callable[..., Document]]:
    """For what the SDK has no method for: an address, with its query, is answered with a document."""
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
    from azure.core.rest import HttpRequest, HttpResponse

    base, scopes = manager()
    signed = BearerTokenCredentialPolicy(login(), *scopes)
    client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(base, policies=[RetryPolicy(), signed])

    def ask(address: str, **query: str) -> Document:
        answer = client.send_request(HttpRequest("GET", address, params=query))
        answer.raise_for_status()
        return dict(answer.json())

    with client:
        yield ask


def members(page: Document, ask: Callable[[str], Document]) -> Iterator[Document]:
    """What a collection holds, of which this is the first page: each names the address of the next."""
    yield from page["value"]
    while address := page.get("nextLink"):
        page = ask(address)
        yield from page["value"]


def _identity(workspace: Workspace, client_id: str) -> Document:
    if not client_id:
        raise Refused("which identity? AZURE_CLIENT_ID is not set.")
    for identity in _listing(f"{workspace.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities", MANAGED):
        if identity["properties"]["clientId"].lower() == client_id.lower():
            return identity
    raise Refused(f"no identity in {workspace.resource_group} has the AZURE_CLIENT_ID {client_id}.")


def _credentials(workspace: Workspace, client_id: str) -> Iterator[Document]:
    found = _listing(f"{_identity(workspace, client_id)['id']}/federatedIdentityCredentials", MANAGED)
    yield from ({**one["properties"], "id": one["id"]} for one in found)


def _roles(principal: str, scope: str) -> Iterator[Document]:
    """By their definitions' ids (learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope)."""
    version, kind = "2022-04-01", "Microsoft.Authorization/roleAssignments"
    base, query = manager()[0], {"api-version": version, "$filter": f"atScope() and assignedTo('{principal}')"}
    with _asking() as ask:
        given = members(ask(f"{base}{scope}/providers/{kind}", **query), ask)
        for definition in {one["properties"]["roleDefinitionId"] for one in given}:
            yield from ask(f"{base}{definition}", **{"api-version": version})["properties"]["permissions"]


def _endpoint(workspace: Workspace, name: str) -> Endpoint:
    from azure.core.exceptions import ResourceNotFoundError

    client = workspace.client
    try:
        entity: Any = client.online_endpoints.get(name)
    except ResourceNotFoundError:
        return Endpoint()
    found = list(client.online_deployments.list(name))
    shapes = {one.name: Shape(one.instance_type, one.instance_count or 1) for one in found}
    traffic = {deployment: share for deployment, share in (entity.traffic or {}).items() if share}
    serving = max(traffic, key=traffic.__getitem__, default="")
    commit = next(((one.tags or {}).get("commit", "") for one in found if one.name == serving), "")
    state = str(getattr(entity.provisioning_state, "value", entity.provisioning_state))
    return Endpoint(state, (entity.tags or {}).get("model", ""), shapes, serving, commit)


def _usage(entity: Any) -> Usage:
    """From the SDK's entity, which keeps the names of the wire (azure-ai-ml 1.35)."""
    fields = vars(entity)
    return Usage(fields["name"]["value"], fields["currentValue"], fields["limit"], fields["id"] or "")


def _size(entity: Any) -> tuple[str, tuple[int, str]]:
    fields = vars(entity)
    return fields["name"].lower(), (fields["vCPUs"], fields["family"])
