"""The Azure side of the set-up as shell lines, to be read and run by whoever owns the subscription. Nothing runs here.

One federated credential for each environment, since a job's OIDC subject names it
(workload-identity-federation-create-trust-user-assigned-managed-identity).
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.lib.azure.workspace import Workspace
from scripts.lib.github import host
from scripts.lib.setup.rights import NEEDED, PROVIDER, RIGHTS, ROLE, Right, found, on_metrics

AUDIENCE = "api://AzureADTokenExchange"
PROVIDERS = (
    "Microsoft.MachineLearningServices", "Microsoft.Storage", "Microsoft.KeyVault", "Microsoft.ContainerRegistry",
    "Microsoft.Notebooks", "Microsoft.Insights", "Microsoft.OperationalInsights", "Microsoft.ManagedIdentity",
    "Microsoft.PolicyInsights", "Microsoft.Cdn",
)  # fmt: skip
"""What a new subscription lacks: what a workspace and an identity are made of (how-to-manage-workspace, the table of
resource providers), and the last two, without which the first endpoint ends with SubscriptionNotRegistered
(learn.microsoft.com/answers/questions/2068819)."""
THERE = (
    'there() { why=$("$@" --output none 2>&1) || case "$? $why" in '
    '"3 "*|*ResourceNotFound*|*ResourceGroupNotFound*) return 1 ;; *) echo "$why" >&2; exit 1 ;; esac; }'
)
"""A shell function: whether `az … show` finds something; ends the shell where az can't tell. What isn't there is exit
code 3 (azure-cli#6612), which not every extension keeps to (azure-cli#28318), or Azure's own word for it."""


@dataclass(frozen=True)
class Identity:
    """What the workflows log in as to use a workspace; it is in the workspace's resource group."""

    workspace: Workspace
    name: str
    role_name: str = ROLE
    actions: tuple[str, ...] = ()  # of a role of its own; none for one that Azure has
    judges: bool = True  # by what live traffic shows

    @property
    def group(self) -> list[str]:
        """The options that say where both are."""
        return ["--subscription", self.workspace.subscription_id, "--resource-group", self.workspace.resource_group]

    @property
    def names(self) -> list[str]:
        return ["--name", self.name, *self.group]

    @property
    def rights(self) -> list[Right]:
        """What it has over the workspace."""
        over = self.workspace.id
        return [Right(self.role_name, over, self.actions or NEEDED), *([on_metrics(over)] if self.judges else [])]

    @property
    def reader(self) -> Right:
        """Lets read the subscription: quotas are its own, and the identity lies outside of the workspace, too."""
        return Right("Reader", f"/subscriptions/{self.workspace.subscription_id}")

    def ask(self, field: str) -> str:
        """A part of a line that asks Azure for one of its ids."""
        return f"$({az('identity show', *self.names, '--query', field, '--output', 'tsv')})"


def creation(identity: Identity, location: str, subjects: Mapping[str, str]) -> list[str]:
    """Lines that may be run again: what is there is left alone, a credential gets its subject anew.

    `subjects` has the OIDC subject for each name of a credential.
    """
    workspace, more = identity.workspace, ["--location", location]
    group = ["--subscription", workspace.subscription_id, "--name", workspace.resource_group]
    return [
        "az extension add --name ml --upgrade --only-show-errors",
        _registration(workspace),
        THERE,
        unless("group", group, more),
        unless("ml workspace", ["--name", workspace.name, *identity.group], more),
        *login(identity, location, subjects),
        "# Only for a rollout's first job to tell a core quota that is too small, and logins that aren't trusted:",
        f"# {identity.reader.give}",
    ]


def login(identity: Identity, location: str, subjects: Mapping[str, str]) -> list[str]:
    """The lines of one identity: itself, whom it trusts, what it may do. A new role is known after a minute or two."""
    return [
        unless("identity", identity.names, ["--location", location]),
        *(_credential(identity, name, subject) for name, subject in subjects.items()),
        *([_definition(identity)] if identity.actions else []),
        f"who={identity.ask('principalId')}",
        *(right.give for right in identity.rights),
    ]


def own(identity: Identity, repository: str, environment: str) -> Identity:
    """The identity of one environment alone, with the rights that its jobs use and no others."""
    actions = tuple(f"{PROVIDER}/{action}" for action in RIGHTS[environment])
    return Identity(
        identity.workspace,
        f"{identity.name}-{environment}",
        f"GitHub {environment} of {repository}",
        actions,
        judges=environment == "production",
    )


def command(arguments: list[str]) -> str:
    return shlex.join([sys.executable, "-m", "scripts.setup_github", *arguments])


def set_up_again(identity: Identity, arguments: list[str], others: Mapping[str, Identity]) -> str:
    """The line that tells GitHub the new identities; `others` by environment."""
    ids = [f'--{name}-client-id "{other.ask("clientId")}"' for name, other in others.items()]
    known = f'--client-id "{identity.ask("clientId")}" --tenant-id "{identity.ask("tenantId")}"'
    return " ".join([command(arguments), known, *ids])


def credential_name(repository: str, environment: str) -> str:
    """Not the same for two repositories that share an identity; letters, digits, dashes, underscores, 120 at most."""
    name = f"{repository[: 119 - len(environment)]}-{environment}"
    return re.sub(r"[^\w-]", "-", name, flags=re.ASCII)


def identity_name(repository: str, staging: bool) -> str:
    """An identity for each repository, and one more for its staging: letters, digits, dashes, underscores."""
    name = f"github-{repository.split('/')[1]}" + "-staging" * staging
    return re.sub(r"[^\w-]", "-", name, flags=re.ASCII)


def _registration(workspace: Workspace) -> str:
    """Looked for first: it takes a right over the subscription, which who owns a group may not have."""
    names = f'--subscription {workspace.subscription_id} --namespace "$name"'
    state = f"state=$(az provider show {names} --query registrationState --output tsv)"
    register = f'[ "$state" = Registered ] || az provider register {names} --wait'
    return f"for name in {' '.join(PROVIDERS)}; do {state}; {register}; done"


def role_name(identity: Identity) -> list[str]:
    """By its group: in the subscription's list there is no role that only a group may assign."""
    return ["--name", identity.role_name, "--scope", identity.workspace.group]


def _definition(identity: Identity) -> str:
    """The role that has just these actions. An Owner's line; that it is there already is no error."""
    scopes = [identity.workspace.group]
    role = {"Name": identity.role_name, "IsCustom": True, "Description": "Made by setup_github"}
    document = json.dumps({**role, "Actions": list(identity.actions), "AssignableScopes": scopes})
    looked = found(az("role definition list", *role_name(identity)))
    return f'{looked}; [ -n "$found" ] || {az("role definition create", "--role-definition", document)}'


def unless(kind: str, names: list[str], more: list[str]) -> str:
    """Create what isn't there: a second `create` would replace tags, or be refused in another location."""
    return f"there {az(f'{kind} show', *names)} || {az(f'{kind} create', *names, *more)}"


def _credential(identity: Identity, name: str, subject: str) -> str:
    trust = ["--issuer", host.issuer(), "--subject", subject, "--audiences", AUDIENCE]
    names = ["--name", name, "--identity-name", identity.name]
    return az("identity federated-credential create", *names, *identity.group, *trust)


def az(command: str, *arguments: str) -> str:
    return f"az {command} {shlex.join(arguments)}"
