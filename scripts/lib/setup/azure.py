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

ROLE = "AzureML Data Scientist"
ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"


@dataclass(frozen=True)
class Place:
    """A workspace, and the identity that the workflows use it by; `location` is only needed to create."""

    subscription: str
    group: str
    workspace: str
    identity: str
    location: str = ""

    @property
    def scope(self) -> str:
        """The workspace's id, on which the role is given."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
        )


def creation(place: Place, subjects: Mapping[str, str]) -> list[str]:
    """Lines that may be run again: what is there is left alone, a credential gets its subject anew.

    `subjects` has the OIDC subject for each name of a credential.
    """
    group = ["--subscription", place.subscription, "--resource-group", place.group]
    identity = ["--name", place.identity, *group]
    workspace = ["--name", place.workspace, *group]
    location = ["--location", place.location]
    return [
        "az extension add --name ml --upgrade --only-show-errors",
        _unless("group", ["--subscription", place.subscription, "--name", place.group], location),
        _unless("ml workspace", workspace, location),
        _unless("identity", identity, location),
        *(_credential(place, group, name, subject) for name, subject in subjects.items()),
        _role(place),
    ]


def set_up_again(place: Place, arguments: list[str]) -> str:
    """The line that tells GitHub the new identity."""
    command = shlex.join([sys.executable, "-m", "scripts.setup_github", *arguments])
    return f"{command} --client-id {_ask(place, 'clientId')} --tenant-id {_ask(place, 'tenantId')}"


def removal(place: Place | None, repository: str, environments: list[str], variables: list[str]) -> list[str]:
    """Lines that take everything away again; those that would delete models are comments."""
    github = [
        *(
            _gh("api", "--method", "DELETE", f"repos/{repository}/environments/{quote(e, safe='')}")
            for e in environments
        ),
        *(_gh("variable", "delete", name, "--repo", repository) for name in variables),
    ]
    return [*github, *(_azure_removal(place) if place else [])]


def credential_name(repository: str, environment: str) -> str:
    """Not the same for two repositories that share an identity; letters, digits, dashes, underscores, 120 at most."""
    return re.sub(r"[^\w-]", "-", f"{repository}-{environment}", flags=re.ASCII)[:120]


def identity_name(repository: str, stage: str) -> str:
    """An identity for each repository and stage: letters, digits, dashes, underscores."""
    name = "-".join(["github", repository.split("/")[1], *([stage] if stage else [])])
    return re.sub(r"[^\w-]", "-", name, flags=re.ASCII)


def _azure_removal(place: Place) -> list[str]:
    group = ["--subscription", place.subscription, "--resource-group", place.group]
    return [
        f"{_az('role assignment delete', '--assignee')} {_ask(place, 'principalId')} "
        + shlex.join(["--role", ROLE, "--scope", place.scope]),
        f"{_az('identity delete', '--name', place.identity, *group)}  # its federated credentials go with it",
        "# The endpoint first (teardown.yml). These delete the workspace with all models, and all else in the group:",
        f"# {_az('ml workspace delete', '--name', place.workspace, *group)}",
        f"# {_az('group delete', '--subscription', place.subscription, '--name', place.group)}",
    ]


def _unless(kind: str, names: list[str], more: list[str]) -> str:
    """Create what isn't there: a second `create` would replace tags, or be refused in another location."""
    return f"{_az(f'{kind} show', *names)} --output none 2>/dev/null || {_az(f'{kind} create', *names, *more)}"


def _credential(place: Place, group: list[str], name: str, subject: str) -> str:
    trust = ["--issuer", ISSUER, "--subject", subject, "--audiences", AUDIENCE]
    names = ["--name", name, "--identity-name", place.identity]
    return _az("identity federated-credential create", *names, *group, *trust)


def _role(place: Place) -> str:
    """Looked for first, since a second `create` may fail (azure-cli#31995); by object id, since a directory lags."""
    who, role = _ask(place, "principalId"), shlex.join(["--role", ROLE, "--scope", place.scope])
    there = f"az role assignment list --assignee {who} {role} --query '[].id' --output tsv | grep -q ."
    kind = "--assignee-principal-type ServicePrincipal"
    return f"{there} || az role assignment create --assignee-object-id {who} {kind} {role}"


def _ask(place: Place, field: str) -> str:
    """A part of a line that asks Azure for one of the identity's ids."""
    names = ["--name", place.identity, "--subscription", place.subscription, "--resource-group", place.group]
    return f'"$({_az("identity show", *names, "--query", field, "--output", "tsv")})"'


def _az(command: str, *arguments: str) -> str:
    return f"az {command} {shlex.join(arguments)}"


def _gh(*arguments: str) -> str:
    return shlex.join(["gh", *arguments])
