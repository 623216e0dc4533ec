"""What training on a cluster takes at Azure, as shell lines: the cluster, and a datastore that it alone writes to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions import training
from scripts.lib.setup.azure import ROLE, TAKEN, Identity, az, found, unless

SIZE, MOST, IDLE = "Standard_DS3_v2", 1, 300  # of a node; how many there are; seconds after which one goes
WRITES, READS = "Storage Blob Data Contributor", "Storage Blob Data Reader"


def lines(identity: Identity, job: Mapping[str, Any], location: str) -> list[str]:
    """Lines that may be run again. Names come from model/job.yml; `identity` registers what was trained."""
    workspace, store = identity.workspace, training.store(job)
    names = _cluster(workspace, job)
    nodes = ["--min-instances", "0", "--max-instances", str(MOST), "--idle-time-before-scale-down", str(IDLE)]
    made = ["--type", "AmlCompute", "--size", SIZE, *nodes, "--identity-type", "SystemAssigned", "--location", location]
    container = _container(job)
    rest = f"https://management.azure.com{workspace.id}/datastores/{store}?api-version=2024-10-01"
    body = (
        '{\\"properties\\": {\\"datastoreType\\": \\"AzureBlob\\", \\"accountName\\": \\"${store##*/}\\", '
        f'\\"containerName\\": \\"{container}\\", \\"credentials\\": {{\\"credentialsType\\": \\"None\\"}}}}}}'
    )
    return [
        f"# Training code is what a merge brought: it runs as the cluster, which writes to {container} alone.",
        f"# Who submits has a role of its own: {ROLE} could also register models and change endpoints.",
        unless("ml compute", names, made),
        _store(workspace),
        f'az storage container-rm create --name {container} --storage-account "$store" --output none',
        f'az rest --method put --url {shlex.quote(rest)} --body "{body}" --output none',
        _as_cluster(names),
        _give(WRITES, _output(job)),
        "# What it trains on it must read; for data in the workspace's own storage account (else another scope):",
        _give(READS, "$store"),
        f"who={identity.ask('principalId')}",
        _give(READS, _output(job)),
    ]


def reading(identity: Identity, production: Workspace, job: Mapping[str, Any]) -> list[str]:
    """Lines by which staging's identity can register what was trained in production's workspace."""
    return [
        f"# A cluster of {production.name} trains for staging, too, which reads job and output there.",
        _store(production),
        f"who={identity.ask('principalId')}",
        *(_give(*right) for right in _of_staging(production, job)),
    ]


def removal(identity: Identity, production: Workspace, job: Mapping[str, Any]) -> list[str]:
    """Lines that take away what is there of it; what jobs have put out stays, unless somebody runs the comment.

    Those of staging's identity take away what it may do in production's workspace, and nothing that is there.
    """
    names, store = _cluster(production, job), ["--name", training.store(job), *_of(production)]
    staging = identity.workspace != production
    rights = _of_staging(production, job) if staging else [(READS, _output(job))]
    made = [
        f"  if there {az('ml compute show', *names)}; then",
        f"    {_as_cluster(names)}",
        *_take((WRITES, _output(job)), (READS, "$store")),
        f"    {az('ml compute delete', *names, '--yes')}  # its identity goes with it",
        "  fi",
        f"  if there {az('ml datastore show', *store)}; then {az('ml datastore delete', *store)}; fi",
        f'  # az storage container-rm delete --name {_container(job)} --storage-account "$store"  # what jobs put out',
    ]
    return [
        f"if there {az('ml workspace show', *_named(production))}; then",
        f"  {_store(production)}",
        *([] if staging else made),
        f"  if there {az('identity show', *identity.names)}; then",
        f"    who={identity.ask('principalId')}",
        *_take(*rights),
        "  fi",
        "fi",
    ]


def _of_staging(production: Workspace, job: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("Reader", production.id), (READS, _output(job))]


def _of(workspace: Workspace) -> list[str]:
    group = ["--subscription", workspace.subscription_id, "--resource-group", workspace.resource_group]
    return [*group, "--workspace-name", workspace.name]


def _named(workspace: Workspace) -> list[str]:
    return ["--name", workspace.name, *_of(workspace)[:4]]


def _cluster(workspace: Workspace, job: Mapping[str, Any]) -> list[str]:
    return ["--name", training.compute(job), *_of(workspace)]


def _container(job: Mapping[str, Any]) -> str:
    return f"{training.store(job).replace('_', '-')}-output"


def _output(job: Mapping[str, Any]) -> str:
    """Its id, of which the shell knows the storage account."""
    return f"$store/blobServices/default/containers/{_container(job)}"


def _store(workspace: Workspace) -> str:
    return f"store=$({az('ml workspace show', *_named(workspace), '--query', 'storage_account')} --output tsv)"


def _as_cluster(names: list[str]) -> str:
    return f"who=$({az('ml compute show', *names, '--query', 'identity.principal_id')} --output tsv)"


def _looked(role: str, scope: str) -> tuple[str, str]:
    """A role over a scope, of which the shell knows a part, as az wants it; and the line that looks for it."""
    what = f'--role {shlex.quote(role)} --scope "{scope}"'
    return what, found(f'az role assignment list --assignee "${{who:?}}" {what}')


def _give(role: str, scope: str) -> str:
    what, look = _looked(role, scope)
    create = 'az role assignment create --assignee-object-id "${who:?}" --assignee-principal-type ServicePrincipal'
    return f'{look}; [ -n "$found" ] || {create} {what}'


def _take(*rights: tuple[str, str]) -> list[str]:
    return [f"    {line}" for right in rights for line in (_looked(*right)[1], TAKEN)]
