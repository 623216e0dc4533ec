"""Who needs which role over what: setup_github's lines give these, and the doctor looks for them. Pure.

ROLE is the least built-in one that may change endpoints, deployments and models, and nothing outside of the workspace
(how-to-assign-roles).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

ROLE = "AzureML Data Scientist"
MONITORING = "Monitoring Reader"  # metrics are none of Microsoft.MachineLearningServices'
LOG_READER = "Log Analytics Reader"
WRITES, READS = "Storage Blob Data Contributor", "Storage Blob Data Reader"
PROVIDER = "Microsoft.MachineLearningServices/workspaces"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
METRICS = "Microsoft.Insights/metrics/read"
#: What the scripts do (role-based-access-control/permissions/ai-machine-learning).
NEEDED = tuple(
    f"{PROVIDER}/{action}"
    for action in (
        "onlineEndpoints/read", "onlineEndpoints/write", "onlineEndpoints/listKeys/action",
        "onlineEndpoints/deployments/read", "onlineEndpoints/deployments/write", "onlineEndpoints/deployments/delete",
        "models/versions/read", "models/versions/write", "datastores/listSecrets/action",
    )
)  # fmt: skip
_LOOK = ("read", "onlineEndpoints/read", "onlineEndpoints/deployments/read")
RIGHTS = {
    "production": (
        *_LOOK, "onlineEndpoints/write", "onlineEndpoints/delete", "onlineEndpoints/listKeys/action",
        "onlineEndpoints/token/action", "onlineEndpoints/score/action", "onlineEndpoints/deployments/delete",
    ),
    "rollback": (*_LOOK, "onlineEndpoints/write"),
    "train": (
        "read", "*/read", "jobs/write", "jobs/cancel/action", "codes/versions/write",
        "codes/versions/startPendingUpload/action", "environments/versions/write", "environments/build/action",
        "metadata/artifacts/write", "metadata/codes/*/write", "experiments/runs/write",
    ),
}  # fmt: skip
"""What an identity of its own may do in the workspace; the one for all else registers models, which takes ROLE.

A promotion asks green, whichever the endpoint's auth mode: with a key, a token, or the login itself. Who submits a job
may upload its code, and so write where registered models are: what runs there is the scripts, never the training."""
TAKEN = '[ -z "$found" ] || az role assignment delete --ids $found'
"""Takes roles away by the assignments' ids: for an empty assignee az would take them from everybody."""


@dataclass(frozen=True)
class Right:
    """A role over a scope, of which a shell may know a part, and what is used of it: a stronger role does as well."""

    role: str
    scope: str
    actions: tuple[str, ...] = ()
    on_blobs: tuple[str, ...] = ()  # data actions

    @property
    def options(self) -> str:
        """As az wants it."""
        scope = f'"{self.scope}"' if "$" in self.scope else shlex.quote(self.scope)
        return f"--role {shlex.quote(self.role)} --scope {scope}"

    @property
    def look(self) -> str:
        return found(f'az role assignment list --assignee "${{who:?}}" {self.options}')

    @property
    def give(self) -> str:
        """Looked for first, since a second `create` may fail (azure-cli#31995); by object id, as a directory lags."""
        create = 'az role assignment create --assignee-object-id "${who:?}" --assignee-principal-type ServicePrincipal'
        return f'{self.look}; [ -n "$found" ] || {create} {self.options}'


def on_metrics(workspace: str) -> Right:
    return Right(MONITORING, workspace, (METRICS,))


def on_logs(logs: str) -> Right:
    return Right(LOG_READER, logs, ("Microsoft.OperationalInsights/workspaces/query/read",))


def of_cluster(account: str, output: str) -> list[Right]:
    """Of whoever trains: over its output, and over the storage account that has the data."""
    return [Right(WRITES, output, on_blobs=(f"{BLOBS}/read", f"{BLOBS}/write")), of_registering(account)]


def of_registering(output: str) -> Right:
    return Right(READS, output, on_blobs=(f"{BLOBS}/read",))


def of_staging(production: str, output: str) -> list[Right]:
    """In production's workspace, whose cluster trains for staging, too."""
    reading = ("read", "jobs/read", "datastores/read")
    return [Right("Reader", production, tuple(f"{PROVIDER}/{action}" for action in reading)), of_registering(output)]


def found(looked: str) -> str:
    """An assignment, since that alone ends `sh -e` where az can't tell: not a pipe, nor a word of a command."""
    return f"found=$({looked} --query '[].id' --output tsv)"
