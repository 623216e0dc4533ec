"""MLflow's tracking: experiments and runs, those of jobs among them, with what was logged. Knows no HTTP."""

import time
import uuid
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from azureml_emulator.arm.documents import Document, Scope
from azureml_emulator.arm.errors import BadRequest, NotFound
from azureml_emulator.arm.store import Store

RUNNING = "RUNNING"


class Said(BaseModel):
    """A parameter, or a tag."""

    key: str = Field(min_length=1)
    value: str | int | float | bool


class Point(BaseModel):
    """One value of a metric; what JSON can't hold is a text."""

    key: str = Field(min_length=1)
    value: Annotated[float, Field(allow_inf_nan=False)] | Literal["NaN", "Infinity", "-Infinity"]
    timestamp: int = 0
    step: int = 0


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

    def update(self, scope: Scope, id: str, status: str | None, ended: int | None = None, name: str = "") -> Document:
        run = self._run(scope, id)
        said = {"status": status, "end_time": ended, "run_name": name or None}
        run["info"] |= {field: value for field, value in said.items() if value is not None}
        self._keep(scope, run)
        return dict(run["info"])

    def log(
        self, scope: Scope, id: str, params: Iterable[Said] = (), tags: Iterable[Said] = (),
        metrics: Iterable[Point] = (),
    ) -> None:  # fmt: skip
        """Raises BadRequest where a parameter would get another value."""
        run = self._run(scope, id)
        for one in params:
            if (known := run["params"].setdefault(one.key, str(one.value))) != str(one.value):
                said = (
                    f"Changing param values is not allowed. Param with key='{one.key}' was already logged with value="
                )
                raise BadRequest(f"{said}'{known}' for run ID='{id}'.", "INVALID_PARAMETER_VALUE")
        run["tags"] |= {one.key: str(one.value) for one in tags}
        for point in metrics:
            run["metrics"].setdefault(point.key, []).append(point.model_dump())
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
