"""The Azure side of the set-up as shell lines, to be read and run by whoever owns the subscription. Nothing runs here.

The role is the least built-in one that may change endpoints, deployments and models, and nothing outside of the
workspace (how-to-assign-roles). One federated credential for each environment, since a job's OIDC subject names it
(workload-identity-federation-create-trust-user-assigned-managed-identity).
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from scripts.lib.azure.workspace import Workspace

ROLE = "AzureML Data Scientist"
ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"


def group_id(workspace: Workspace) -> str:
    """The id of the resource group that a workspace is in."""
    return f"/subscriptions/{workspace.subscription_id}/resourceGroups/{workspace.resource_group}"


def workspace_id(workspace: Workspace) -> str:
    return f"{group_id(workspace)}/providers/Microsoft.MachineLearningServices/workspaces/{workspace.name}"


@dataclass(frozen=True)
class Identity:
    """What the workflows log in as to use a workspace; it is in the workspace's resource group."""

    workspace: Workspace
    name: str

    @property
    def group(self) -> list[str]:
        """The options that say where both are."""
        return ["--subscription", self.workspace.subscription_id, "--resource-group", self.workspace.resource_group]

    @property
    def names(self) -> list[str]:
        return ["--name", self.name, *self.group]

    @property
    def role(self) -> list[str]:
        return ["--role", ROLE, "--scope", workspace_id(self.workspace)]

    @property
    def reader(self) -> list[str]:
        """Lets read the subscription: quotas are its own, and the identity lies outside of the workspace, too."""
        return ["--role", "Reader", "--scope", f"/subscriptions/{self.workspace.subscription_id}"]

    def ask(self, field: str) -> str:
        """A part of a line that asks Azure for one of its ids."""
        return f'"$({_az("identity show", *self.names, "--query", field, "--output", "tsv")})"'


def creation(identity: Identity, location: str, subjects: Mapping[str, str]) -> list[str]:
    """Lines that may be run again: what is there is left alone, a credential gets its subject anew.

    `subjects` has the OIDC subject for each name of a credential.
    """
    workspace, more = identity.workspace, ["--location", location]
    group = ["--subscription", workspace.subscription_id, "--name", workspace.resource_group]
    return [
        "az extension add --name ml --upgrade --only-show-errors",
        _unless("group", group, more),
        _unless("ml workspace", ["--name", workspace.name, *identity.group], more),
        _unless("identity", identity.names, more),
        *(_credential(identity, name, subject) for name, subject in subjects.items()),
        _role(identity, identity.role),
        "# Only for a rollout's first job to tell a core quota that is too small, and logins that aren't trusted:",
        f"# {_role(identity, identity.reader)}",
    ]


def set_up_again(identity: Identity, arguments: list[str]) -> str:
    """The line that tells GitHub the new identity."""
    command = shlex.join([sys.executable, "-m", "scripts.setup_github", *arguments])
    return f"{command} --client-id {identity.ask('clientId')} --tenant-id {identity.ask('tenantId')}"


def removal(identity: Identity | None, repository: str, environments: list[str], variables: list[str]) -> list[str]:
    """Lines that take everything away again; those that would delete models are comments."""
    paths = [f"repos/{repository}/environments/{quote(name, safe='')}" for name in environments]
    return [
        *(shlex.join(["gh", "api", "--method", "DELETE", path]) for path in paths),
        *(shlex.join(["gh", "variable", "delete", name, "--repo", repository]) for name in variables),
        *(_azure_removal(identity) if identity else []),
    ]


def credential_name(repository: str, environment: str) -> str:
    """Not the same for two repositories that share an identity; letters, digits, dashes, underscores, 120 at most."""
    name = f"{repository[: 119 - len(environment)]}-{environment}"
    return re.sub(r"[^\w-]", "-", name, flags=re.ASCII)


def identity_name(repository: str, staging: bool) -> str:
    """An identity for each repository, and one more for its staging: letters, digits, dashes, underscores."""
    name = f"github-{repository.split('/')[1]}" + "-staging" * staging
    return re.sub(r"[^\w-]", "-", name, flags=re.ASCII)


def _azure_removal(identity: Identity) -> list[str]:
    workspace = identity.workspace
    group = ["--subscription", workspace.subscription_id, "--name", workspace.resource_group]
    unassign = f"{_az('role assignment delete', '--assignee')} {identity.ask('principalId')}"
    return [
        f"{unassign} {shlex.join(identity.role)}",
        f"# {unassign} {shlex.join(identity.reader)}  # where it is a Reader, too",
        f"{_az('identity delete', *identity.names)}  # its federated credentials go with it",
        "# The endpoint first (teardown.yml). These delete the workspace with all models, and all else in the group:",
        f"# {_az('ml workspace delete', '--name', workspace.name, *identity.group)}",
        f"# {_az('group delete', *group)}",
    ]


def _unless(kind: str, names: list[str], more: list[str]) -> str:
    """Create what isn't there: a second `create` would replace tags, or be refused in another location."""
    return f"{_az(f'{kind} show', *names)} --output none 2>/dev/null || {_az(f'{kind} create', *names, *more)}"


def _credential(identity: Identity, name: str, subject: str) -> str:
    trust = ["--issuer", ISSUER, "--subject", subject, "--audiences", AUDIENCE]
    names = ["--name", name, "--identity-name", identity.name]
    return _az("identity federated-credential create", *names, *identity.group, *trust)


def _role(identity: Identity, what: list[str]) -> str:
    """Looked for first, since a second `create` may fail (azure-cli#31995); by object id, since a directory lags."""
    who, role = identity.ask("principalId"), shlex.join(what)
    there = f"az role assignment list --assignee {who} {role} --query '[].id' --output tsv | grep -q ."
    kind = "--assignee-principal-type ServicePrincipal"
    return f"{there} || az role assignment create --assignee-object-id {who} {kind} {role}"


def _az(command: str, *arguments: str) -> str:
    return f"az {command} {shlex.join(arguments)}"
