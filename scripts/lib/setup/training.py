"""What training on a cluster takes at Azure, as shell lines: the cluster, and a datastore that it alone writes to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions import training
from scripts.lib.setup.azure import Identity, az, unless
from scripts.lib.setup.rights import ROLE, TAKEN, of_cluster, of_registering, of_staging

SIZE, MOST, IDLE = "Standard_DS3_v2", 1, 300  # of a node; how many there are; seconds after which one goes


def lines(identity: Identity, job: Mapping[str, Any], location: str) -> list[str]:
    """Lines that may be run again. Names come from model/job.yml; `identity` registers what was trained."""
    workspace, store = identity.workspace, training.store(job)
    names = _cluster(workspace, job)
    nodes = ["--min-instances", "0", "--max-instances", str(MOST), "--idle-time-before-scale-down", str(IDLE)]
    made = ["--type", "AmlCompute", "--size", SIZE, *nodes, "--identity-type", "SystemAssigned", "--location", location]
    container, (writes, reads) = _container(job), of_cluster("$store", _output(job))
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
        writes.give,
        "# What it trains on it must read; for data in the workspace's own storage account (else another scope):",
        reads.give,
        f"who={identity.ask('principalId')}",
        of_registering(_output(job)).give,
    ]


def reading(identity: Identity, production: Workspace, job: Mapping[str, Any]) -> list[str]:
    """Lines by which staging's identity can register what was trained in production's workspace."""
    return [
        f"# A cluster of {production.name} trains for staging, too, which reads job and output there.",
        _store(production),
        f"who={identity.ask('principalId')}",
        *(right.give for right in of_staging(production.id, _output(job))),
    ]


def removal(workspace: Workspace, job: Mapping[str, Any]) -> list[str]:
    """Lines that take away what is there of it; what jobs have put out stays, unless somebody runs the comment.

    What identities may do there goes with them.
    """
    names, store = _cluster(workspace, job), ["--name", training.store(job), *_of(workspace)]
    return [
        f"if there {az('ml workspace show', *_named(workspace))}; then",
        f"  {_store(workspace)}",
        f"  if there {az('ml compute show', *names)}; then  # leave it out where others train on it",
        f"    {_as_cluster(names)}",
        *(f"    {line}" for right in of_cluster("$store", _output(job)) for line in (right.look, TAKEN)),
        f"    {az('ml compute delete', *names, '--yes')}  # its identity goes with it",
        "  fi",
        f"  if there {az('ml datastore show', *store)}; then {az('ml datastore delete', *store)}; fi",
        f'  # az storage container-rm delete --name {_container(job)} --storage-account "$store"  # what jobs put out',
        "fi",
    ]


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
