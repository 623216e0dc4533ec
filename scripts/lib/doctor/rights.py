"""Whether who logs in, and what trains, has each right that setup_github's lines give: those of setup/rights.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.lib.azure import training as jobs
from scripts.lib.azure.looking import found
from scripts.lib.azure.waiting import Deadline
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions import training
from scripts.lib.decisions.state import Refused
from scripts.lib.doctor.azure_checks import may
from scripts.lib.doctor.azure_facts import PATIENCE, AzureFacts
from scripts.lib.doctor.finding import Finding, Unknown, cannot_tell, ok, wrong
from scripts.lib.github import repository_variables
from scripts.lib.github.environment import LOGINS, STAGING
from scripts.lib.setup import azure as setup
from scripts.lib.setup import rights
from scripts.lib.setup.azure import Identity
from scripts.lib.setup.rights import RIGHTS, Right

MEND = "Run the lines that `python -m scripts.setup_github{}` prints; Azure takes minutes to know a new role."


@dataclass(frozen=True)
class Trained:
    """Where a cluster trains: the id of its output's container, the cluster's own, and which rights it takes."""

    output: str
    cluster: str | Unknown
    rights: Sequence[Right]


def checks(
    azure: AzureFacts,
    variables: Mapping[str, str],
    logins: Mapping[str, Sequence[str]],
    logs: Sequence[str],
) -> Iterator[Finding]:
    """By identity: of production's `logins`, by client id; of the cluster; of staging's.

    `logs` are the ids of the workspaces that get the log of requests, where live traffic is judged by that.
    """
    place = azure.ask(lambda workspace: workspace)
    if isinstance(place, Unknown):
        yield cannot_tell("rights", place)
        return
    trained = azure.ask(_trained) if jobs.FILE.is_file() else None
    more = [rights.of_registering(trained.output)] if isinstance(trained, Trained) else []
    mend = MEND.format("")
    for client_id, names in logins.items():
        its = [*_of_login(place, names, variables, logs), *(more if "deploy" in names else [])]
        yield _judged(azure, f"rights {' '.join(names)}", azure.principal(client_id), its, mend)
    if isinstance(trained, Unknown):
        yield cannot_tell("rights cluster", trained)
    elif trained:
        yield _judged(azure, "rights cluster", trained.cluster, trained.rights, mend)
    if repository_variables.staged(variables):
        yield _of_staging(place, variables, trained)


def _of_login(
    workspace: Workspace, names: Sequence[str], variables: Mapping[str, str], logs: Sequence[str]
) -> Iterator[Right]:
    """As set-up gives them to identities of their own, and to the one for all else."""
    for name in sorted({LOGINS.get(name, name) for name in names} - {STAGING}):
        own = name in RIGHTS and variables.get(f"{name.upper()}_{repository_variables.IDENTITY}")
        all_else = Identity(workspace, "")
        identity = setup.own(all_else, "this repository", name) if own else all_else
        yield from identity.rights
        yield from map(rights.on_logs, logs if identity.judges else ())


def _of_staging(production: Workspace, variables: Mapping[str, str], trained: Trained | Unknown | None) -> Finding:
    picked = repository_variables.pick(variables, staging=True)
    staging = Workspace(*(picked.get(name, "") for name in repository_variables.WORKSPACE))
    azure, wanted = AzureFacts(staging), Identity(staging, "").rights
    wanted += rights.of_staging(production.id, trained.output) if isinstance(trained, Trained) else []
    who = azure.principal(picked.get(repository_variables.IDENTITY, ""))
    return _judged(azure, "rights staging", who, wanted, MEND.format(" --staging"))


def _judged(azure: AzureFacts, name: str, who: str | Unknown, wanted: Iterable[Right], mend: str) -> Finding:
    if isinstance(who, Unknown):
        return cannot_tell(name, who)
    needed = list(dict.fromkeys(wanted))
    scopes = {scope: azure.roles(who, scope) for scope in dict.fromkeys(right.scope for right in needed)}
    had = {right: scopes[right.scope] for right in needed}
    if lacking := [right for right, roles in had.items() if not isinstance(roles, Unknown) and not holds(right, roles)]:
        told = ", ".join(f"{right.role} on {'/'.join(right.scope.split('/')[-2:])}" for right in lacking)
        return wrong(name, f"it lacks {told}.", mend)
    if unknown := [roles for roles in had.values() if isinstance(roles, Unknown)]:
        return cannot_tell(name, unknown[0])
    return ok(name, f"it has what it needs on {len(scopes)} places.")


def holds(right: Right, roles: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these roles together allow what is used of a right."""
    return all(may(roles, action) for action in right.actions) and all(
        may(roles, action, "dataActions") for action in right.on_blobs
    )


def _trained(workspace: Workspace) -> Trained:
    """Raises Refused where it isn't told. Of another storage account than its own a workspace doesn't tell the id."""
    client, job = workspace.client, jobs.read()
    account, own = str(client.workspaces.get(workspace.name).storage_account), client.datastores.get_default()
    store, source = _store(workspace, training.store(job)), _source(workspace, training.data(job))
    if not _together(own, store):
        raise Refused(f"the datastore {training.store(job)} isn't in the workspace's own storage account.")
    output = f"{account}/blobServices/default/containers/{store.container_name}"
    writes, reads = rights.of_cluster(account, output)
    return Trained(output, _principal(workspace, job), [writes, reads] if _together(own, source) else [writes])


def _together(one: Any, other: Any) -> bool:
    return bool(getattr(other, "account_name", None) == one.account_name)


def _store(workspace: Workspace, name: str) -> Any:
    return found(Deadline(PATIENCE), lambda: workspace.client.datastores.get(name))


def _source(workspace: Workspace, data: str) -> Any:
    """The datastore that the data lie in; None where it isn't told."""
    if asset := training.asset(jobs.resolved(workspace, data, Deadline(PATIENCE))):
        data = str(workspace.client.data.get(*asset).path)
    place = re.search(r"\bdatastores/([^/]+)/paths/", data)
    return place and _store(workspace, place[1])


def _principal(workspace: Workspace, job: Mapping[str, Any]) -> str | Unknown:
    """Who a cluster's jobs are at Azure."""
    cluster = found(Deadline(PATIENCE), lambda: workspace.client.compute.get(training.compute(job)))
    identity: Any = getattr(cluster, "identity", None)
    ids = [*(getattr(identity, "user_assigned_identities", None) or ()), identity]
    found_ids = (one.principal_id for one in ids if getattr(one, "principal_id", None))
    return next(found_ids, Unknown(f"the cluster {training.compute(job)} has no identity."))
