"""Command jobs: what Azure's resource manager and run history say of one. Knows no HTTP."""

import asyncio
import shutil
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from azureml_emulator.arm.documents import Document, Scope, now, resource
from azureml_emulator.arm.errors import ApiError, BadRequest, Conflict, NotFound
from azureml_emulator.arm.names import LOCATION
from azureml_emulator.arm.sent import validated
from azureml_emulator.arm.store import Store
from azureml_emulator.jobs.environment import differing, variables
from azureml_emulator.resources.assets import Page
from azureml_emulator.resources.computes import Computes
from azureml_emulator.resources.datastores import ARTIFACTS
from azureml_emulator.resources.job_body import MODELS, NAME, Changes, Command, Job
from azureml_emulator.resources.job_files import JobFiles, uri
from azureml_emulator.resources.job_life import Life, Mishap, Nodes
from azureml_emulator.resources.operations import CALLER
from azureml_emulator.resources.registry import Registry, asset
from azureml_emulator.resources.tracking import Tracking

#: How a job ends, and what MLflow calls that.
ENDED = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}
#: What a job says once and for all.
FIXED = (
    "jobType", "command", "codeId", "environmentId", "computeId", "experimentName", "environmentVariables", "inputs",
    "outputs", "limits", "resources", "identity",
)  # fmt: skip
STUDIO = "https://ml.azure.com/runs/{name}?wsid={scope}"
EXISTS = (
    "A job with this name already exists. If you are trying to create a new job, use a different name. If you are "
    "trying to update an existing job, the existing job's {fields} cannot be changed. Only description, tags, "
    "displayName, properties, and isArchived can be updated."
)  # a guess, after what Azure says of data


class Written(NamedTuple):
    """An output: the asset that it is for the services behind a workspace, and where its files are."""

    name: str
    kind: str
    asset: str
    uri: str


class Jobs:
    """The jobs of every workspace. `told` gives the variables that lead a job to its workspace, `disturb` what goes
    wrong with one.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        computes: Computes,
        tracking: Tracking,
        files: JobFiles,
        folder: Path,
        base: str,
    ) -> None:
        self._store, self._registry, self._computes, self._tracking = store, registry, computes, tracking
        self.files = files
        self._folder, self._base = folder, base
        self._running: dict[str, asyncio.Task[None]] = {}
        self._closing = False
        self._nodes = Nodes()
        self.told: Callable[[Scope, Document, Document], dict[str, str]] = lambda scope, job, cluster: {}
        self.disturb: Callable[[str], Sequence[Mishap]] = lambda name: ()

    def page(self, scope: Scope, page: Page) -> list[Document]:
        """Newest first."""
        return self._store.page(f"{scope.key}/jobs", page.skip, page.top, page.archived)

    def get(self, scope: Scope, name: str) -> Document:
        """The words are those of Azure/azureml-previews#267."""
        if (found := self._store.get(f"{scope.key}/jobs/{name}")) is None:
            raise NotFound(f"Job {name} not found.")
        return found

    def run(self, scope: Scope, name: str) -> Document:
        """What is kept of a job besides: who submitted it, when it began and ended, and why so."""
        self.get(scope, name)
        return self._store.get(f"{scope.key}/jobruns/{name}") or {}

    def put(self, scope: Scope, name: str, body: Document) -> tuple[Document, bool]:
        """Starts a job, or changes what is said of one; says whether it is new."""
        given = validated(Job.model_validate, body).properties
        if (old := self._store.get(f"{scope.key}/jobs/{name}")) is not None:
            return self._change(scope, old, given.model_dump()), False
        if not NAME.fullmatch(name):
            raise BadRequest(f"The job name {name!r} is not valid: letters, digits, dashes and underscores.")
        if missing := ", ".join(given.unknown()):
            raise BadRequest(f"properties.command: the job has no {missing}.")
        cluster, warnings = self._cluster(scope, given.compute_id), [*self._warnings(scope, given.environment_id)]
        self.files.check(scope, name, given.model_dump())
        document = resource(scope, "jobs", f"jobs/{name}", self._complete(scope, name, given))
        with self._store.transaction():
            self._store.put(f"{scope.key}/jobs/{name}", document)
            self._store.put(f"{scope.key}/jobruns/{name}", {"submitter": CALLER.get(), "created": now()})
            for written in self.outputs(scope, name):
                self._store.put(f"{scope.key}/joboutputs/{written.asset}", {"job": name})
            experiment = self._tracking.experiment(scope, given.experiment_name)["experiment_id"]
            self._tracking.create(scope, experiment, document["properties"]["displayName"], name)
        self._start(scope, document, cluster, warnings, given.limits.timeout)
        return document, True

    def patch(self, scope: Scope, name: str, given: Document) -> Document:
        """As run history is told: tags and properties are added to, the rest is replaced."""
        document, said = self.get(scope, name), validated(Changes.model_validate, given)
        properties = document["properties"]
        properties["tags"] |= said.tags
        properties["properties"] |= said.properties
        replaced = {"displayName": said.display_name, "description": said.description, "isArchived": said.hidden}
        properties |= {field: value for field, value in replaced.items() if value is not None}
        self._store.put(f"{scope.key}/jobs/{name}", document)
        return document

    def cancel(self, scope: Scope, name: str) -> None:
        """Nothing happens to one that has ended (recorded by Az.MachineLearningServices)."""
        task = self._running.get(f"{scope.key}/{name}")
        if self.get(scope, name)["properties"]["status"] not in (*ENDED, "CancelRequested") and task:
            self._tell(scope, name, "CancelRequested")
            task.cancel()

    async def keep_log(self, scope: Scope, name: str) -> None:
        """Brings the blob of a running job's log up to date."""
        await self.files.keep_log(scope, name, self._place(scope, name) / "log")

    def outputs(self, scope: Scope, name: str) -> list[Written]:
        """What the job leaves besides its logs."""
        given = self.get(scope, name)["properties"]["outputs"]
        return [
            Written(key, one["jobOutputType"], _asset_id(scope, name, key, one["jobOutputType"]), uri(name, key, one))
            for key, one in given.items()
            if key != "default"
        ]

    def output(self, scope: Scope, asset: str) -> Written:
        """The output that is this asset."""
        known = self._store.get(f"{scope.key}/joboutputs/{asset}") or {}
        found = [one for one in self.outputs(scope, known["job"]) if one.asset == asset] if known else []
        if not found:
            raise NotFound(f"The output {asset} was not found.")
        return found[0]

    async def recover(self, scopes: Sequence[Scope]) -> None:
        """Ends as Failed what ran when the emulator stopped; what it had printed is kept."""
        for scope in scopes:
            for document in self._store.children(f"{scope.key}/jobs"):
                if document["properties"]["status"] not in ENDED:
                    await self.keep_log(scope, document["name"])
                    why = "The local Azure ML was stopped while this job ran."
                    self._tell(scope, document["name"], "Failed", ApiError(why, "Interrupted"))
        shutil.rmtree(self._folder, ignore_errors=True)

    async def close(self) -> None:
        """Stops what runs; `recover` ends it at the next start."""
        self._closing = True
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(
        self, scope: Scope, job: Document, cluster: Document, warnings: list[str], seconds: float | None
    ) -> None:
        name = job["name"]
        life = Life(
            scope,
            job,
            cluster,
            self._computes.principal(cluster)[0],
            self._place(scope, name),
            warnings,
            lambda: variables(job["properties"]["environmentVariables"] or {}, self.told(scope, job, cluster)),
            seconds,
            partial(self._tell, scope, name),
        )
        key = f"{scope.key}/{name}"
        self._running[key] = asyncio.create_task(life.live(self.files, self._nodes, self.disturb(name)))
        self._running[key].add_done_callback(lambda _task: self._end(scope, name))

    def _end(self, scope: Scope, name: str) -> None:
        """A job that was cancelled while it ended is Canceled."""
        del self._running[f"{scope.key}/{name}"]
        if self.get(scope, name)["properties"]["status"] not in ENDED:
            self._tell(scope, name, "Canceled")

    def _tell(self, scope: Scope, name: str, status: str, error: ApiError | None = None) -> None:
        """Writes a status: not once the emulator is being stopped, and a cancellation is taken back by no other."""
        document = self.get(scope, name)
        if self._closing or (document["properties"]["status"] == "CancelRequested" and status not in ENDED):
            return
        document["properties"]["status"] = status
        run = self.run(scope, name)
        if status == "Running":
            run.setdefault("started", now())
        if status in ENDED:
            run["ended"] = now()
            document["properties"]["outputs"]["default"] = _default(name)
            self._tracking.update(scope, name, ENDED[status])
        if error:
            run["error"] = {"code": error.code, "message": str(error)}
        with self._store.transaction():
            self._store.put(f"{scope.key}/jobs/{name}", document)
            self._store.put(f"{scope.key}/jobruns/{name}", run)

    def _change(self, scope: Scope, old: Document, given: Document) -> Document:
        """Raises Conflict where it would be another job."""
        kept = old["properties"]
        outputs = {key: value for key, value in kept["outputs"].items() if key != "default"}
        was = kept | {"outputs": outputs}
        new = _described(given)
        if changed := [field for field in FIXED if new[field] != was[field]]:
            raise Conflict(EXISTS.format(fields=", ".join(changed)), "UserError")
        said = ("displayName", "description", "tags", "properties", "isArchived")
        document = {**old, "properties": kept | {field: given[field] for field in said}}
        self._store.put(f"{scope.key}/jobs/{old['name']}", document)
        return document

    def _cluster(self, scope: Scope, id: str | None) -> Document:
        if not id or id.rpartition("/")[2] == "serverless":
            raise BadRequest("properties.computeId: a job without a compute cluster isn't emulated.", "NotEmulated")
        return self._computes.get(scope, id.rpartition("/")[2])

    def _warnings(self, scope: Scope, environment: str) -> list[str]:
        """What differs from the environment that Azure would build. Raises NotFound where it isn't there."""
        here = "it runs in the emulator's own Python, not in"
        if "/registries/azureml/" in environment or environment.startswith("azureml:AzureML-"):
            return [f"{here} {environment}"]
        found = self._registry.environments.version(scope, *asset(scope, environment, "environments"))["properties"]
        return [f"{here} {found['image'] or 'an image of its own'}", *differing(found["condaFile"])]

    def _complete(self, scope: Scope, name: str, given: Command) -> Document:
        """In the words of a recording."""
        where = scope.id.replace("/resourceGroups/", "/resourcegroups/").replace(
            "/providers/Microsoft.MachineLearningServices", ""
        )
        tracking = f"azureml://{self._base.removeprefix('https://')}/mlflow/v1.0{scope.id}?"
        kept = _described(given.model_dump())
        return kept | {
            "displayName": given.display_name or name,
            "status": "Starting",
            "services": {
                "Tracking": _service("Tracking", tracking),
                "Studio": _service("Studio", STUDIO.format(name=name, scope=where)),
            },
            "parameters": {},
            "queueSettings": {"jobTier": "Null"},
        }

    def _place(self, scope: Scope, name: str) -> Path:
        return self._folder / str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.key}/{name}"))


def _default(name: str) -> Document:
    """Where a job's log is. That it is told of a job that has ended is recorded; while one runs, it is not told here:
    the SDK's stream would look for the log there, with a signature that it can't make.
    """
    store = f"azureml://datastores/{ARTIFACTS}/ExperimentRun/dcid.{name}"
    return {"description": None, "uri": store, "mode": "ReadWriteMount", "jobOutputType": "uri_folder"}


def _service(kind: str, endpoint: str) -> Document:
    nothing = dict.fromkeys(("port", "status", "errorMessage", "properties", "nodes"))
    return {"jobServiceType": kind, "endpoint": endpoint, **nothing}


def _described(given: Document) -> Document:
    """What was given, each input and output with what its kind has."""
    unsaid = ("services", "parentJobName")
    kept = {field: value for field, value in given.items() if field not in unsaid}
    return kept | {"inputs": _each(given["inputs"]), "outputs": _each(given["outputs"])}


def _each(given: dict[str, Document]) -> dict[str, Any]:
    def lacks(one: Document) -> tuple[str, ...]:
        return ("uri", "mode") if one.get("jobInputType") == "literal" else ("value",)

    never = ("pathOnCompute", "assetName")
    return {
        name: {field: value for field, value in one.items() if field not in (*lacks(one), *never)}
        for name, one in given.items()
    }


def _asset_id(scope: Scope, job: str, output: str, kind: str) -> str:
    """As the service registers what a job wrote, without a name of its own. A guess in its spelling."""
    what = (
        f"models/azureml_{job}_output_model_{output}" if kind in MODELS else f"data/azureml_{job}_output_data_{output}"
    )
    return f"azureml://locations/{LOCATION}/workspaces/{scope.guid}/{what}/versions/1"
