"""The shell lines that take away again what those of azure.py made, to be read and run. Nothing runs here."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from scripts.lib.setup.azure import THERE, Identity, az, role_name
from scripts.lib.setup.rights import TAKEN, found

_LISTED = found('az role assignment list --assignee "${who:?}" --all --subscription "$one"')
_SAID = 'echo "Roles in the subscription $one stay: they can\'t be seen." >&2'
_UNSEEN = f'[ "$one" != "$1" ] || exit 1; {_SAID}; continue'
ROLES = (
    'roles_go() { tenant=$(az account show --subscription "$1" --query tenantId --output tsv); '
    "seen=$(az account list --query \"[?tenantId=='$tenant'].id\" --output tsv); "
    f"for one in $seen; do {_LISTED} || {{ {_UNSEEN}; }}; {TAKEN}; done; }}"
)
"""A shell function: takes away all that `who`, which is about to go, may do in any subscription that the login sees.

Logs, data or another stage's workspace may lie in another one, and no variable tells which."""

UNSEEN = "# A role in a subscription that this login doesn't see stays there, as one of an identity that is unknown."


def removal(
    identity: Identity | None,
    repository: str,
    paths: list[str],
    variables: list[str],
    others: list[Identity],
    more: Iterable[str] = (),
) -> list[str]:
    """Lines that take all away again, at GitHub what is at `paths`; those that would delete models are comments.

    `more` are those of watching.py and training.py, which need the identities. GitHub's come last: from its variables
    these lines are printed anew where Azure's don't get to the end.
    """
    logins = [*others, *([identity] if identity else [])]
    return [
        *([THERE, ROLES, UNSEEN] if logins else []),
        *more,
        *(line for login in logins for line in _login(login)),
        *(shlex.join(["gh", "api", "--method", "DELETE", path]) for path in paths),
        *(shlex.join(["gh", "variable", "delete", name, "--repo", repository]) for name in variables),
        *(_workspace(identity) if identity else []),
    ]


def _login(identity: Identity) -> list[str]:
    return [
        f"if there {az('identity show', *identity.names)}; then",
        f"  who={identity.ask('principalId')}",
        f"  roles_go {identity.workspace.subscription_id}",
        f"  {az('identity delete', *identity.names)}  # its federated credentials go with it",
        "fi",
        *([az("role definition delete", *role_name(identity))] if identity.actions else []),
    ]


def _workspace(identity: Identity) -> list[str]:
    """Names stay taken: machine-learning/concept-soft-delete, key-vault/general/soft-delete-overview."""
    workspace = identity.workspace
    group = ["--subscription", workspace.subscription_id, "--name", workspace.resource_group]
    return [
        "# The endpoint first (teardown.yml). These delete the workspace with all models, and all else in the group:",
        f"# {az('ml workspace delete', '--name', workspace.name, *identity.group)}",
        f"# {az('group delete', *group)}",
        "# The workspace's name stays taken for 14 days, in which it can be recovered; with --permanently-delete it is",
        "# free at once, and nothing can be recovered. Its key vault's name stays taken for up to 90 days, or until",
        "# az keyvault purge --name NAME, which az keyvault list-deleted tells.",
    ]
