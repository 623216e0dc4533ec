"""The local Azure ML put together: state, rules and model processes, without HTTP."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from azureml_emulator.arm.clock import Clock
from azureml_emulator.arm.documents import Document, Scope, now
from azureml_emulator.arm.errors import Forbidden, NotFound, Unauthorized
from azureml_emulator.arm.names import GROUP, ROLLOUT, SUBSCRIPTION
from azureml_emulator.arm.store import Store
from azureml_emulator.resources import traffic_log
from azureml_emulator.resources.blobs import ACCOUNT, Blobs
from azureml_emulator.resources.computes import Computes
from azureml_emulator.resources.datastores import Datastores
from azureml_emulator.resources.deployments import Deployments
from azureml_emulator.resources.endpoints import Endpoints
from azureml_emulator.resources.federation import Federation
from azureml_emulator.resources.identities import Identities
from azureml_emulator.resources.job_files import JobFiles
from azureml_emulator.resources.jobs import Jobs
from azureml_emulator.resources.operations import Operations
from azureml_emulator.resources.registry import Registry
from azureml_emulator.resources.roles import IDS, Roles
from azureml_emulator.resources.tokens import RUN, STORAGE, Tokens
from azureml_emulator.resources.tracking import Tracking, experiment_id
from azureml_emulator.resources.watching import Watching
from azureml_emulator.serving.router import Router
from azureml_emulator.serving.traffic import Traffic

RUN_SECONDS = 7 * 24 * 3600  # for which a job's run may be tracked


@dataclass(frozen=True)
class Options:
    """How this Azure ML is: its workspaces, quota in cores, and the least seconds of an operation and of a token.

    `minute` is how many seconds one takes by which traffic is told and the `Date` headers go: real ones, or shorter.
    `clock` multiplies the seconds that Azure waits before and between probes, and before it restarts a container.
    `max_payload` is in bytes; no page we found documents Azure's. With `azure_polling` clients are left to ask for an
    operation as seldom as they ask Azure.
    """

    workspaces: tuple[str, ...] = ("local",)
    core_quota: int = 100
    operation_seconds: float = 0.2
    token_seconds: int = 3600
    minute: float = 60
    clock: float = 0.05  # a model process starts in half a second: as soon as the first probe then comes
    max_payload: int = 10 * 1024 * 1024
    datastore_auth: str = "accesskey"  # or identity: the storage account allows no keys and signatures
    azure_polling: bool = False


class Azure:
    """Everything that a handler can ask.

    `listed` is what the list of resources looks like that it answers, `lag` how many minutes later metrics come, and
    `lead` gives the variables that lead the bearer of an identity header here.
    """

    def __init__(self, folder: Path, base: str, options: Options):
        self.options = options
        self.listed: Callable[[list[Document]], list[Document]] = lambda found: found
        self.lag: Callable[[], float] = lambda: 0
        self.scopes = [Scope(SUBSCRIPTION, GROUP, name) for name in options.workspaces]
        self.store = Store(folder)
        self.tokens = Tokens(self.store, options.token_seconds)
        self.blobs = Blobs(self.store, self.tokens.identity, self._admit, options.datastore_auth == "accesskey")
        self.registry = Registry(self.store)
        self._base, self._certificate = base, folder / "ca.pem"
        self._account = f"{self.scopes[0].group}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
        self.datastores = Datastores(self.store, base, options.datastore_auth == "accesskey")
        self.operations = Operations(self.store, options.operation_seconds, base, self.tokens.identity)
        self.identities = Identities(self.store)
        self.roles = Roles(self.store)
        self.watching = Watching(self.store)
        self.federation = Federation(self.identities, self.tokens, self.scopes[0].group)
        self.computes = Computes(self.store, self.identities)
        files = JobFiles(self.store, self.registry, self.datastores, self.roles, self._account)
        self.tracking = Tracking(self.store)
        self.jobs = Jobs(self.store, self.registry, self.computes, self.tracking, files, folder / "jobs", base)
        self.jobs.told = self._told
        self.lead: Callable[[str, str], dict[str, str]] = lambda header, workspace: {}
        self.router = Router()
        self.clock = Clock(self.store, options.minute)
        self.traffic = Traffic(self.clock.now, self._keep)
        self.traffic.restore(self.store.children("traffic"))
        self.router.tell = self.traffic.count
        self.deployments = Deployments(
            self.store, self.registry, self.operations, folder / "deployments", options.core_quota, options.clock
        )
        self.endpoints = Endpoints(
            self.store, self.operations, self.deployments, self.router, self.tokens, self.identities, base
        )

    def group(self, subscription: str, group: str) -> str:
        """The id of a resource group. Raises NotFound where no workspace is in it."""
        groups = {scope.group.lower() for scope in self.scopes}
        found = f"/subscriptions/{subscription}/resourceGroups/{group}"
        if found.lower() in groups:
            return found
        if not any(known.startswith(f"/subscriptions/{subscription}/".lower()) for known in groups):
            raise NotFound(f"The subscription '{subscription}' could not be found.", "SubscriptionNotFound")
        raise NotFound(f"Resource group '{group}' could not be found.", "ResourceGroupNotFound")

    def check(self, scope: Scope) -> None:
        """Raises NotFound for a workspace that isn't there: in the words of what is missing first."""
        self.group(scope.subscription, scope.resource_group)
        if scope.key not in {known.key for known in self.scopes}:
            raise NotFound.of(scope.id)

    async def open(self) -> None:
        """Brings back what the state folder holds."""
        self.operations.recover()
        await self.jobs.recover(self.scopes)
        self._let_rollouts_in()
        for scope in self.scopes:
            await self.endpoints.restore(scope)

    def made(self, scope: Scope) -> str:
        """When the workspace was: when it was first served."""
        key = f"workspaces/{scope.key}"
        if (kept := self.store.get(key)) is None:
            self.store.put(key, kept := {"createdAt": now()})
        return str(kept["createdAt"])

    def _admit(self, token: str, method: str, container: str) -> None:
        """Lets the bearer of a token for storage read or write blobs. Raises Unauthorized, or Forbidden."""
        try:
            caller = self.tokens.check(token, STORAGE)
        except Unauthorized as refused:
            raise Unauthorized(str(refused), "InvalidAuthenticationInfo") from None
        if not self.roles.opens_blobs(caller, f"{self._account}/blobServices/default/containers/{container}", method):
            why = "This request is not authorized to perform this operation using this permission."
            raise Forbidden(why, "AuthorizationPermissionMismatch")

    def _keep(self, minute: int, told: Document | None) -> None:
        if told is None:
            self.store.delete(f"traffic/{minute}")
        else:
            self.store.put(f"traffic/{minute}", told)

    def _let_rollouts_in(self) -> None:
        """The identity that rollouts log in as, with what the set-up gives it: two roles on each workspace, and one on
        the log's.
        """
        rollout, _ = self.identities.put(self.scopes[0].group, "rollout", {}, client=ROLLOUT)
        given = [(scope.id, f"rollout-{scope.workspace}", "AzureML Data Scientist") for scope in self.scopes]
        given += [(scope.id, f"evidence-{scope.workspace}", "Monitoring Reader") for scope in self.scopes]
        for over, name, role in (*given, (traffic_log.ID, "evidence-logs", "Log Analytics Reader")):
            who = {"principalId": rollout["properties"]["principalId"], "roleDefinitionId": IDS[role]}
            self.roles.put(over, name, {"properties": who})

    def _told(self, scope: Scope, job: Document, cluster: Document) -> dict[str, str]:
        """What a job's process finds: which run it is, where to track that and how to be its cluster's identity."""
        name, experiment = job["name"], job["properties"]["experimentName"]
        submitter = self.jobs.run(scope, name)["submitter"]
        run = {
            "AZUREML_RUN_ID": name,
            "AZUREML_ARM_SUBSCRIPTION": scope.subscription,
            "AZUREML_ARM_RESOURCEGROUP": scope.resource_group,
            "AZUREML_ARM_WORKSPACE_NAME": scope.workspace,
            "MLFLOW_TRACKING_URI": f"{self._base}/mlflow/v2.0{scope.id}",  # azureml://… for the plugin, at Azure
            "MLFLOW_TRACKING_TOKEN": self.tokens.issue(RUN, RUN_SECONDS, submitter)[0],
            "MLFLOW_TRACKING_SERVER_CERT_PATH": str(self._certificate),
            "MLFLOW_EXPERIMENT_ID": experiment_id(scope, experiment),
            "MLFLOW_EXPERIMENT_NAME": experiment,
            "MLFLOW_RUN_ID": name,
        }
        principal, client = self.computes.principal(cluster)
        if not principal:
            return run
        identity = {"DEFAULT_IDENTITY_CLIENT_ID": client} if client else {}
        return run | self.lead(self.tokens.header(principal), scope.workspace) | identity

    async def close(self) -> None:
        await self.jobs.close()
        await self.operations.close()
        await self.deployments.close()
        self.traffic.close()
        self.store.close()
