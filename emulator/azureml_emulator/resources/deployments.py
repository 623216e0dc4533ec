"""Deployments of an online endpoint: what they may be, and the model processes behind them. Knows no HTTP."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from azureml_emulator.arm.documents import Document, Scope, check_name, in_state, resource, updated
from azureml_emulator.arm.errors import ApiError, BadRequest, NotFound
from azureml_emulator.arm.sent import validated
from azureml_emulator.arm.store import Store
from azureml_emulator.resources import defaults, skus
from azureml_emulator.resources.operations import Operations, Work, new_name
from azureml_emulator.resources.registry import Registry
from azureml_emulator.serving.instances import Instance
from azureml_emulator.serving.pool import Pool
from azureml_emulator.serving.supervision import Unhealthy

MAX_DEPLOYMENTS = 20
INITIALIZER = "storage-initializer.log"
OPERATIONS = "odidp"  # how the names of a deployment's operations begin
ENDED_BADLY = ("Failed", "Canceled")
FILES = (
    "model-"  # how the folders with the model's files begin: one for the processes that run, one for those that start
)


class Deployments:
    """Deployments of every endpoint. `pools[endpoint][deployment]` are the model processes that serve now."""

    def __init__(
        self, store: Store, registry: Registry, operations: Operations, folder: Path, core_quota: int, clock: float
    ):
        self._store = store
        self._registry = registry
        self._operations = operations
        self._folder = folder
        self._core_quota = core_quota
        self._clock = clock
        self.pools: dict[str, dict[str, Pool]] = {}
        self.publish: Callable[[Scope, str], None] = lambda scope, endpoint: None

    def all(self, scope: Scope, endpoint: str) -> list[Document]:
        self._endpoint(scope, endpoint)
        return self._store.children(f"{_key(scope, endpoint)}/deployments")

    def get(self, scope: Scope, endpoint: str, name: str) -> Document:
        self._endpoint(scope, endpoint)
        found = self._store.get(_key(scope, endpoint, name))
        if found is None:
            raise NotFound.of(f"{scope.id}/onlineEndpoints/{endpoint}/deployments/{name}")
        return found

    def put(self, scope: Scope, endpoint: str, name: str, body: Document, version: str = "") -> tuple[Document, str]:
        """Creates or changes a deployment; answers as Endpoints.put does."""
        endpoint_document = self._endpoint(scope, endpoint)
        name = check_name(name, "deployment")
        self._operations.refuse_if_busy(endpoint, "create a deployment")
        key = _key(scope, endpoint, name)
        old = self._store.get(key)
        path = f"onlineEndpoints/{endpoint}/deployments/{name}"
        given = validated(defaults.Deployment.model_validate, body)
        operation = new_name(scope, OPERATIONS)
        properties = defaults.properties(given.properties)
        properties["properties"]["AzureAsyncOperationUri"] = self._operations.address(scope, operation, version)
        new = resource(scope, "onlineEndpoints/deployments", path, properties, old)
        new |= given.envelope() | {"location": endpoint_document["location"]}
        model = self._check(scope, endpoint, new)
        pending = in_state(old, _changing(old, new)) if old else in_state(new, "Creating")
        work = Work(
            accept=lambda: self._store.put(key, pending),
            prepare=lambda: self._serve(scope, endpoint, new, old, model),
            commit=lambda: self._store.put(key, in_state(new, "Succeeded")),
            abort=lambda state: self._store.put(key, in_state(old or new, state)),
            after=lambda: self.publish(scope, endpoint),
        )
        told = updated({**new, "properties": {**new["properties"], "instanceType": None}}) if old else pending
        return told, self._operations.begin(endpoint, work, operation)

    def delete(self, scope: Scope, endpoint: str, name: str) -> str | None:
        """Starts the deletion; None when there is no such deployment. Raises BadRequest while it has traffic."""
        traffic = self._endpoint(scope, endpoint)["properties"]
        key = _key(scope, endpoint, name)
        old = self._store.get(key)
        if old is None:
            return None
        self._operations.refuse_if_busy(endpoint, "delete a deployment")
        for kind in ("traffic", "mirrorTraffic"):
            if percent := traffic[kind].get(name):
                # A guess: that it is refused with 400 is known, not the words.
                raise BadRequest(f"Deployment {name} has {percent} % of the {kind}: set it to 0 before deleting.")
        work = Work(
            accept=lambda: self._store.put(key, in_state(old, "Deleting")),
            prepare=lambda: self.stop(endpoint, [name]),
            commit=lambda: self._store.delete(key),
            abort=lambda state: self._store.put(key, in_state(old, state)),
            after=lambda: self.publish(scope, endpoint),
            removes=True,
        )
        return self._operations.begin(endpoint, work, new_name(scope, OPERATIONS))

    def turn(self, scope: Scope, endpoint: str, name: str, state: str) -> None:
        """Lets a deployment, or the endpoint if `name` is empty, be in another state at once, whatever runs."""
        key = _key(scope, endpoint, name)
        if found := self._store.get(key):
            self._store.put(key, in_state(found, state))

    def serving(self, scope: Scope, endpoint: str) -> dict[str, Pool | None]:
        """The processes of every deployment there is, None where it has none."""
        pools = self.pools.get(endpoint, {})
        return {item["name"]: pools.get(item["name"]) for item in self.all(scope, endpoint)}

    def logs(self, scope: Scope, endpoint: str, name: str, lines: int, initializer: bool = False) -> str:
        """The last lines of the deployment's container log, or of the one of what fetches the model before."""
        self.get(scope, endpoint, name)
        log = self._home(endpoint, name) / INITIALIZER if initializer else self.log_file(endpoint, name)
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        if initializer:
            return "\n".join(text.splitlines()[-max(lines, 1) :])
        return "\n".join(["Instance status:", "InferenceServer: local process", *text.splitlines()[-max(lines, 1) :]])

    def log_file(self, endpoint: str, name: str) -> Path:
        """Where the deployment's containers print."""
        return self._home(endpoint, name) / "container.log"

    async def stop(self, endpoint: str, names: list[str]) -> None:
        """Lets what deployments are answering end, and stops their processes; they take no more."""
        pools = self.pools.get(endpoint, {})
        stopping = [pool for name in names if (pool := pools.pop(name, None))]
        await asyncio.gather(*(pool.stop() for pool in stopping))
        await _remove(self._home(endpoint, name) for name in names)

    async def restore(self, scope: Scope, endpoint: str) -> None:
        """After a restart: an operation in flight has had no effect; starts the processes of all that served."""
        traffic = self._endpoint(scope, endpoint)["properties"]["traffic"]
        for document in self._store.children(f"{_key(scope, endpoint)}/deployments"):
            await _remove(self._home(endpoint, document["name"]).glob(f"{FILES}*"))
            state, key = document["properties"]["provisioningState"], _key(scope, endpoint, document["name"])
            if state == "Creating":
                self._store.put(key, in_state(document, "Failed"))
            elif state not in ENDED_BADLY or traffic.get(document["name"]):
                await self._revive(scope, endpoint, key, document)

    async def close(self) -> None:
        """Lets every deployment answer what it has and ends its processes."""
        await asyncio.gather(*(pool.stop() for pools in self.pools.values() for pool in pools.values()))

    async def _revive(self, scope: Scope, endpoint: str, key: str, document: Document) -> None:
        state = document["properties"]["provisioningState"]
        settled = state if state in ENDED_BADLY else "Succeeded"
        try:
            await self._serve(scope, endpoint, document, None, self._registry.deployable(scope, document["properties"]))
        except ApiError:
            settled = "Failed"
        self._store.put(key, in_state(document, settled))

    async def _serve(self, scope: Scope, endpoint: str, new: Document, old: Document | None, model: Document) -> None:
        """Brings the running processes to what `new` says: scaled where only their number differs, else replaced."""
        pools = self.pools.setdefault(endpoint, {})
        name, count, running = new["name"], new["sku"]["capacity"], pools.get(new["name"])
        files_before = [*self._home(endpoint, name).glob(f"{FILES}*")]
        try:
            if running and old and _runs_alike(old, new):
                await running.scale(count)
                return
            pools[name] = await self._start(scope, endpoint, new, model)
        except Unhealthy as failure:
            raise ApiError(f"The container is not healthy: {failure}", "ResourceNotReady") from failure
        self.publish(scope, endpoint)  # before the old processes drain: no request may still find them
        if running:
            await running.stop()
        await _remove(files_before)

    async def _start(self, scope: Scope, endpoint: str, new: Document, model: Document) -> Pool:
        """Copies the model's files to a folder of their own: processes that run on read the ones they started from."""
        home, folder = self._home(endpoint, new["name"]), self._registry.folder(model)
        home.mkdir(parents=True, exist_ok=True)
        settings, count = defaults.settings(new["properties"], self._clock), new["sku"]["capacity"]
        variables = {name: value for name, value in new["properties"]["environmentVariables"].items() if value}
        files, log = Path(tempfile.mkdtemp(prefix=FILES, dir=home)), self.log_file(endpoint, new["name"])
        initializer = home / INITIALIZER
        try:
            initializer.write_text(f"Fetching the model from {folder}\n", encoding="utf-8")
            await self._store.export(scope.container, folder, files / folder.rpartition("/")[2])
            fetched = [path for path in files.rglob("*") if path.is_file()]
            with initializer.open("a", encoding="utf-8") as log_of_it:
                log_of_it.write(f"Fetched {len(fetched)} files, {sum(path.stat().st_size for path in fetched)} bytes\n")
            return await Pool.start(lambda: Instance(files, log, variables), count, settings)
        except BaseException:
            await _remove([files])
            raise

    def _check(self, scope: Scope, endpoint: str, new: Document) -> Document:
        """What Azure checks before it starts; answers the model. Raises BadRequest."""
        others = [item for item in self.all(scope, endpoint) if item["name"] != new["name"]]
        if len(others) >= MAX_DEPLOYMENTS:
            raise BadRequest(f"Endpoint {endpoint} has {MAX_DEPLOYMENTS} deployments; no more are allowed.")
        used = sum(defaults.charged(item) for item in self._store.everywhere("deployments") if item["id"] != new["id"])
        skus.check_quota(new["properties"]["instanceType"], new["sku"]["capacity"], used, self._core_quota)
        return self._registry.deployable(scope, new["properties"])

    def _endpoint(self, scope: Scope, name: str) -> Document:
        found = self._store.get(_key(scope, name))
        if found is None:
            raise NotFound.above(scope.workspace, name)
        return found

    def _home(self, endpoint: str, name: str) -> Path:
        return self._folder / endpoint / name


def _runs_alike(old: Document, new: Document) -> bool:
    """Whether what runs for the one does for the other, but for the number of instances."""
    about = {"provisioningState": "", "properties": {}}  # which no container sees
    return bool({**old["properties"], **about} == {**new["properties"], **about})


def _changing(old: Document, new: Document) -> str:
    """The state while `old` becomes `new`."""
    return "Scaling" if _runs_alike(old, new) and old["sku"] != new["sku"] else "Updating"


async def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _key(scope: Scope, endpoint: str, name: str = "") -> str:
    return f"{scope.key}/onlineEndpoints/{endpoint}" + (f"/deployments/{name}" if name else "")
