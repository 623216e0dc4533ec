"""What training on a cluster takes at Azure, as shell lines: the cluster, and a datastore that it alone writes to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from scripts.lib.decisions import training
from scripts.lib.setup.azure import ROLE, Identity, az, found, unless

SIZE, MOST, IDLE = "Standard_DS3_v2", 1, 300  # of a node; how many there are; seconds after which one goes
WRITES, READS = "Storage Blob Data Contributor", "Storage Blob Data Reader"


def lines(identity: Identity, job: Mapping[str, Any], location: str) -> list[str]:
    """Lines that may be run again. Names come from model/job.yml; `identity` registers what was trained."""
    workspace, cluster, store = identity.workspace, training.compute(job), training.store(job)
    names = ["--name", cluster, *identity.group, "--workspace-name", workspace.name]
    nodes = ["--min-instances", "0", "--max-instances", str(MOST), "--idle-time-before-scale-down", str(IDLE)]
    made = ["--type", "AmlCompute", "--size", SIZE, *nodes, "--identity-type", "SystemAssigned", "--location", location]
    container = f"{store.replace('_', '-')}-output"
    asked = az("ml workspace show", "--name", workspace.name, *identity.group, "--query", "storage_account")
    rest = f"https://management.azure.com{workspace.id}/datastores/{store}?api-version=2024-10-01"
    body = (
        '{\\"properties\\": {\\"datastoreType\\": \\"AzureBlob\\", \\"accountName\\": \\"${store##*/}\\", '
        f'\\"containerName\\": \\"{container}\\", \\"credentials\\": {{\\"credentialsType\\": \\"None\\"}}}}}}'
    )
    return [
        f"# Training code is what a merge brought: it runs as the cluster, which writes to {container} alone.",
        f"# Who submits has a role of its own: {ROLE} could also register models and change endpoints.",
        unless("ml compute", names, made),
        f"store=$({asked} --output tsv)",
        f'az storage container-rm create --name {container} --storage-account "$store" --output none',
        f'az rest --method put --url {shlex.quote(rest)} --body "{body}" --output none',
        f"who=$({az('ml compute show', *names, '--query', 'identity.principal_id')} --output tsv)",
        _role(WRITES, f"$store/blobServices/default/containers/{container}"),
        "# What it trains on it must read; for data in the workspace's own storage account (else another scope):",
        _role(READS, "$store"),
        f"who={identity.ask('principalId')}",
        _role(READS, f"$store/blobServices/default/containers/{container}"),
    ]


def _role(role: str, scope: str) -> str:
    """Looked for first, as the other roles are; the scope has what the shell knows."""
    what = f'--role {shlex.quote(role)} --scope "{scope}"'
    create = 'az role assignment create --assignee-object-id "${who:?}" --assignee-principal-type ServicePrincipal'
    return f'{found(f"""az role assignment list --assignee "${{who:?}}" {what}""")}; [ -n "$found" ] || {create} {what}'
