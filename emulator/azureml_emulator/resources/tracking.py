"""MLflow's tracking: experiments and runs, those of jobs among them, with what was logged. Knows no HTTP."""

import time
import uuid
from collections.abc import Iterable
from typing import Any

from azureml_emulator.arm.documents import Document, Scope
from azureml_emulator.arm.errors import BadRequest, NotFound
from azureml_emulator.arm.store import Store

RUNNING = "RUNNING"


def experiment_id(scope: Scope, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.key}/experiments/{name}"))


class Tracking:
    """Runs as MLflow's REST API has them; metrics with every value that was logged."""

    def __init__(self, store: Store):
        self._store = store

    def experiment(self, scope: Scope, name: str) -> Document:
        """The experiment of that name, which is made where it isn't there."""
        id = experiment_id(scope, name)
        key = f"{scope.key}/experiments/{id}"
        if (found := self._store.get(key)) is None:
            found = {"experiment_id": id, "name": name, "lifecycle_stage": "active", "tags": []}
            self._store.put(key, found | {"artifact_location": f"mlflow-artifacts:/{id}"})
        return self._store.get(key) or {}

    def experiments(self, scope: Scope) -> list[Document]:
        return self._store.children(f"{scope.key}/experiments")

    def by_id(self, scope: Scope, id: str) -> Document:
        if (found := self._store.get(f"{scope.key}/experiments/{id}")) is None:
            raise NotFound(f"No Experiment with id={id} exists", "RESOURCE_DOES_NOT_EXIST")
        return found

    def create(self, scope: Scope, experiment: str, name: str, id: str = "") -> Document:
        """A run in an experiment, by its id; a job's has the job's name."""
        self.by_id(scope, experiment)
        id = id or str(uuid.uuid4())
        info = {
            "run_id": id,
            "run_uuid": id,
            "run_name": name or id,
            "experiment_id": experiment,
            "status": RUNNING,
            "start_time": _milliseconds(),
            "lifecycle_stage": "active",
            "artifact_uri": f"mlflow-artifacts:/ExperimentRun/dcid.{id}",
        }
        self._keep(scope, {"info": info, "params": {}, "tags": {}, "metrics": {}})
        return self.told(scope, id)

    def update(
        self, scope: Scope, id: str, status: str | None, ended: int | None = None, name: str | None = None
    ) -> Document:
        run = self._run(scope, id)
        said = {"status": status, "end_time": ended, "run_name": name}
        run["info"] |= {field: value for field, value in said.items() if value is not None}
        self._keep(scope, run)
        return dict(run["info"])

    def log(
        self, scope: Scope, id: str, params: Iterable[Document] = (), tags: Iterable[Document] = (),
        metrics: Iterable[Document] = (),
    ) -> None:  # fmt: skip
        """Raises BadRequest where a parameter would get another value."""
        run = self._run(scope, id)
        for one in params:
            key, value = one["key"], str(one["value"])
            if run["params"].setdefault(key, value) != value:
                said = f"Changing param values is not allowed. Param with key='{key}' was already logged with value="
                raise BadRequest(f"{said}'{run['params'][key]}' for run ID='{id}'.", "INVALID_PARAMETER_VALUE")
        run["tags"] |= {one["key"]: str(one["value"]) for one in tags}
        for one in metrics:
            point = {"key": one["key"], "value": one["value"], "timestamp": int(one.get("timestamp") or 0)}
            run["metrics"].setdefault(one["key"], []).append(point | {"step": int(one.get("step") or 0)})
        self._keep(scope, run)

    def told(self, scope: Scope, id: str) -> Document:
        """A run as MLflow has it: of each metric the last value."""
        run = self._run(scope, id)
        last = [
            max(points, key=lambda point: (point["step"], point["timestamp"])) for points in run["metrics"].values()
        ]
        data = {"metrics": last, "params": _pairs(run["params"]), "tags": _pairs(run["tags"])}
        return {"info": run["info"], "data": data, "inputs": {}}

    def history(self, scope: Scope, id: str, metric: str) -> list[Any]:
        return list(self._run(scope, id)["metrics"].get(metric, ()))

    def runs(self, scope: Scope, experiments: Iterable[str]) -> list[Document]:
        """Newest first."""
        found = [run["info"] for run in self._store.children(f"{scope.key}/mlruns")]
        return [self.told(scope, one["run_id"]) for one in reversed(found) if one["experiment_id"] in experiments]

    def _run(self, scope: Scope, id: str) -> Document:
        if (found := self._store.get(f"{scope.key}/mlruns/{id}")) is None:
            raise NotFound(f"Run with id={id} not found", "RESOURCE_DOES_NOT_EXIST")
        return found

    def _keep(self, scope: Scope, run: Document) -> None:
        self._store.put(f"{scope.key}/mlruns/{run['info']['run_id']}", run)


def _pairs(values: dict[str, str]) -> list[Document]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _milliseconds() -> int:
    return int(time.time() * 1000)
