"""Jobs that train on a cluster: what one is made of, submitted once, and cancelled."""

from __future__ import annotations

import functools
import itertools
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.lib.azure.errors import azures
from scripts.lib.azure.looking import found, twice
from scripts.lib.azure.trying import Tries, patiently
from scripts.lib.azure.waiting import Deadline, answered, say, within
from scripts.lib.azure.workspace import Workspace, read_yaml
from scripts.lib.decisions import job_file, job_output, training
from scripts.lib.decisions.state import Refused

FILE, LOCK = Path("model/job.yml"), Path("model/requirements.txt")
CODE = ("model/**/*", "scripts/azure-needs.txt")  # what training reads of the repository
PYTHON = "3.12"  # what a rollout trains with elsewhere (.github/actions/setup)


@dataclass(frozen=True)
class Wanted:
    """What shall be trained: by what job.yml says, on data of a version, under names that begin with `base`."""

    job: Mapping[str, Any]
    data: str
    base: str
    tags: Mapping[str, str]  # that lead back to where it comes from


def read() -> dict[str, Any]:
    """What model/job.yml says. Raises Refused where that can't train."""
    content = dict(read_yaml(FILE).content)
    if wrong := list(job_file.problems(content)):
        raise Refused("\n  ".join([f"{FILE} can't train:", *wrong]))
    return content


def wanted(
    workspace: Workspace, job: Mapping[str, Any], data: str, run: str, tags: Mapping[str, str], deadline: Deadline
) -> Wanted:
    """The training of this code by job.yml on `data`, else on what that names, for the run."""
    if data and not training.data(job):
        raise Refused(f"{FILE} has no input `data`, which could be {data}.")
    inputs = {**job, "inputs": {**job["inputs"], "data": {"path": data}}} if data else job
    if wrong := list(job_file.problems(inputs)):
        raise Refused(" ".join(wrong))
    version = resolved(workspace, training.data(inputs), deadline)
    contents = {path.as_posix(): path.read_bytes() for path in _code()}
    return Wanted(job, version, f"{run}-{training.digest(contents, version)}", {**(job.get("tags") or {}), **tags})


def _code() -> list[Path]:
    """The files that a job gets."""
    found = [path for pattern in CODE for path in Path().glob(pattern)]
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


def resolved(workspace: Workspace, data: str, deadline: Deadline) -> str:
    """The data with a number in the place of `@latest`. Raises Refused where there is no such asset, twice."""
    if (named := training.asset(data)) is None:
        return data
    name, version = named
    for _ in twice():
        if there := patiently(workspace, deadline, lambda: _asset(workspace, name, version, deadline)):
            return f"azureml:{name}:{there}"
    raise Refused(f"there are no data {training.short(data)} in {workspace.name}: az ml data create makes a version.")


def _asset(workspace: Workspace, name: str, version: str, deadline: Deadline) -> str:
    """The asset's version, "" where a look finds none: for a label the SDK has an error of its own then."""
    from azure.ai.ml.exceptions import MlException
    from azure.core.exceptions import ResourceNotFoundError

    which = {"version": version} if version else {"label": "latest"}
    try:
        return str(answered(deadline, lambda: workspace.client.data.get(name, **which)).version)
    except (ResourceNotFoundError, MlException) as error:
        if getattr(azures(error), "status_code", 404) != 404:
            raise
        return ""


def begun(workspace: Workspace, wanted: Wanted, deadline: Deadline) -> tuple[str, Any]:
    """The job that trains this, with its name: one that runs or has completed, else the next, which is submitted now.

    What became of a submission that ended otherwise Azure knows: it takes no second job of one name.
    """
    tries = Tries(workspace, deadline)
    while True:
        name, job = current(workspace, wanted.base, deadline)
        if job:
            say(f"{name} is there already ({job.status.value}): no other is submitted")
            return name, job
        try:
            submit = functools.partial(_submit, workspace.client, name, wanted)
            return name, within(deadline, f"submitting {name}", submit)
        except Exception as error:
            if not find(workspace, name, deadline) and not tries.another(error):
                raise


def current(workspace: Workspace, base: str, deadline: Deadline) -> tuple[str, Any]:
    """The name of the job to go on with, and the job; None where it is still to be submitted."""
    for number in itertools.count(1):
        job = find(workspace, name := f"{base}-{number}", deadline)
        if job is None or job.status not in training.OVER:
            return name, job
        say(f"{name}: {job.status.value}")
    raise AssertionError


def find(workspace: Workspace, name: str, deadline: Deadline) -> Any:
    """The SDK's job of that name, None where there is none."""
    return patiently(workspace, deadline, lambda: found(deadline, lambda: workspace.client.jobs.get(name)))


def _submit(client: Any, name: str, wanted: Wanted) -> Any:
    """The command runs in a folder that has what training reads, where it is in the repository."""
    from azure.ai.ml import load_job
    from colorama import colorama_text  # the SDK writes colours, also where nobody sees any

    output = str(wanted.job["outputs"]["model"]["path"]).replace("${{name}}", name)
    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary, colorama_text():
        for path in _code():
            target = Path(temporary, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        shutil.copy(job_output.__file__, temporary)
        changes: list[dict[str, Any]] = [
            {"name": name},
            {"tags": wanted.tags},
            {"code": temporary},
            {"command": training.command(wanted.job, Path(job_output.__file__).name)},
            {"outputs.model.path": output},
        ]
        changes += [{"inputs.data.path": wanted.data}] * bool(wanted.data)
        environment = wanted.job["environment"]
        if isinstance(environment, Mapping) and not {*environment} & {"conda_file", "build"}:
            conda = training.conda(LOCK.read_text(encoding="utf-8"), PYTHON)
            changes.append({"environment": {**environment, "conda_file": conda}})
        return client.jobs.create_or_update(load_job(FILE, params_override=changes))


def cancel(workspace: Workspace, base: str, deadline: Deadline) -> str:
    """Cancel what trains this, if anything does; its name, else "". One may just have been submitted."""
    for _ in twice():
        name, job = current(workspace, base, deadline)
        if job is not None:
            break
    if job is None or job.status == training.COMPLETED:
        return ""
    try:
        patiently(workspace, deadline, lambda: workspace.client.jobs.begin_cancel(name))
    except Exception:  # it may have ended meanwhile
        if getattr(find(workspace, name, deadline), "status", "") not in (*training.ENDED, *training.OVER):
            raise
    return name
