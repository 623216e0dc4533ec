"""Jobs that train on a cluster: submitted once, watched, cancelled, and the model that one has put out."""

from __future__ import annotations

import functools
import itertools
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.lib.azure import registered
from scripts.lib.azure.errors import azures, brief, explain, redact
from scripts.lib.azure.looking import found, twice
from scripts.lib.azure.trying import Tries, asked, patiently
from scripts.lib.azure.waiting import Deadline, answered, say, within
from scripts.lib.azure.workspace import Workspace, read_yaml
from scripts.lib.decisions import ends, job_output, training
from scripts.lib.decisions.state import Refused

FILE, LOCK = Path("model/job.yml"), Path("model/requirements.txt")
CODE = ("model/**/*", "scripts/azure-needs.txt")  # what training reads of the repository
PYTHON = "3.12"  # what a rollout trains with elsewhere (.github/actions/setup)
LOG = "user_logs/std_log.txt"  # both streams of the command
LOOK = 20.0  # seconds for a log that can't be read at once; its storage may be out of reach for ever
PAUSE = 5.0  # seconds between two looks at a job that takes minutes


class NotInTime(Refused):
    """The job goes on."""

    exit_code = ends.LATE


@dataclass(frozen=True)
class Wanted:
    """What shall be trained: by what job.yml says, on data of a version, under names that begin with `base`."""

    job: Mapping[str, Any]
    data: str
    base: str
    tags: Mapping[str, str]  # that lead back to where it comes from


@dataclass(frozen=True)
class Seen:
    """A job as it was seen last; `error` is Azure's own words."""

    status: str
    error: str
    log: str


def read() -> dict[str, Any]:
    """What model/job.yml says. Raises Refused where that can't train."""
    content = dict(read_yaml(FILE).content)
    if wrong := list(training.problems(content)):
        raise Refused("\n  ".join([f"{FILE} can't train:", *wrong]))
    return content


def wanted(workspace: Workspace, data: str, run: str, tags: Mapping[str, str], deadline: Deadline) -> Wanted:
    """The training of this code on `data`, else on what job.yml names, for the run."""
    job = read()
    if data and not training.data(job):
        raise Refused(f"{FILE} has no input `data`, which could be {data}.")
    inputs = {**job, "inputs": {"data": {"path": data}}} if data else job
    if wrong := list(training.problems(inputs)):
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
            if not _find(workspace, name, deadline) and not tries.another(error):
                raise


def current(workspace: Workspace, base: str, deadline: Deadline) -> tuple[str, Any]:
    """The name of the job to go on with, and the job; None where it is still to be submitted."""
    for number in itertools.count(1):
        job = _find(workspace, name := f"{base}-{number}", deadline)
        if job is None or job.status not in training.OVER:
            return name, job
        say(f"{name}: {job.status.value}")
    raise AssertionError


def _find(workspace: Workspace, name: str, deadline: Deadline) -> Any:
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
        if isinstance(environment := wanted.job["environment"], Mapping) and {*environment} == {"image"}:
            conda = training.conda(LOCK.read_text(encoding="utf-8"), PYTHON)
            changes.append({"environment": {**environment, "conda_file": conda}})
        return client.jobs.create_or_update(load_job(FILE, params_override=changes))


def watched(workspace: Workspace, name: str, deadline: Deadline) -> Seen:
    """The job once it is over, its log told as it grows; or as it is when time is up."""
    told, seen = 0, Seen(training.WAITING[0], "", "")
    while True:
        seen = patiently(workspace, deadline, functools.partial(_look, workspace, name, seen.log, deadline))
        if len(seen.log) < told:  # Azure has begun it once more, on another node
            told = 0
        if lines := seen.log[told:].rpartition("\n")[0]:
            say(lines)
            told += len(lines) + 1
        if seen.status in training.ENDED or deadline.passed:
            if rest := seen.log[told:].strip():
                say(rest)
            return seen
        deadline.pause(f"{name}: {seen.status}", PAUSE)


def _look(workspace: Workspace, name: str, log: str, deadline: Deadline) -> Seen:
    """By the run's history, as the SDK's own `stream` does, which can neither end in time nor go on where it was.

    `log`: as it was last, which holds where it can't be read now. A job is none the worse for that.
    """
    details: Any = found(deadline, lambda: workspace.client.jobs._runs_operations.get_run_details(name))
    if details is None:
        return Seen(training.WAITING[0], "", log)
    error = getattr(details.error, "error", None)
    said = [redact(text) for text in (getattr(error, "code", ""), getattr(error, "message", "")) if text]
    address = (details.log_files or {}).get(LOG)
    try:
        log = (
            patiently(workspace, Deadline(min(deadline.left, LOOK)), lambda: _text(address, deadline))
            if address
            else ""
        )
    except Exception as why:
        if explain(why) is None:
            raise
        deadline.tell(f"the log of {name} can't be read: {brief(why)}")
    return Seen(str(details.status), ": ".join(said), log)


def _text(address: str, deadline: Deadline) -> str:
    """What is at an address that carries its own signature; "" where there is nothing yet."""
    from azure.core import PipelineClient
    from azure.core.rest import HttpRequest, HttpResponse

    def read() -> str:
        with PipelineClient[HttpRequest, HttpResponse](address, policies=[]) as client:
            answer = client.send_request(HttpRequest("GET", address))
            if answer.status_code == 404:
                return ""
            answer.raise_for_status()
            return answer.content.decode("utf-8", "replace")

    return answered(deadline, read)


def cancel(workspace: Workspace, base: str, deadline: Deadline) -> str:
    """Cancel what trains this, if anything does; its name, else ""."""
    name, job = current(workspace, base, deadline)
    if job is None or job.status == training.COMPLETED:
        return ""
    try:
        patiently(workspace, deadline, lambda: workspace.client.jobs.begin_cancel(name))
    except Exception:  # it may have ended meanwhile
        if getattr(_find(workspace, name, deadline), "status", "") not in (*training.ENDED, *training.OVER):
            raise
    return name


def completed(workspace: Workspace, name: str, deadline: Deadline) -> Any:
    """The job. Raises Refused where there is none, or it isn't completed."""
    job = _find(workspace, name, deadline)
    if job is None or job.status != training.COMPLETED:
        what = job.status.value if job else f"no job of {workspace.name}"
        raise Refused(f"{name} is {what}: no model can be taken of it.")
    return job


def _printed(workspace: Workspace, name: str, deadline: Deadline) -> str:
    """All that a job has printed."""
    details: Any = asked(workspace, deadline, lambda: workspace.client.jobs._runs_operations.get_run_details(name))
    address = (details.log_files or {}).get(LOG)
    return patiently(workspace, deadline, lambda: _text(address, deadline)) if address else ""


def fetched(workspace: Workspace, job: Any, into: Path, deadline: Deadline) -> Path:
    """The model that a job has put out, downloaded. Raises Refused where it has put out none."""
    if (output := (getattr(job, "outputs", None) or {}).get("model")) is None:
        raise Refused(f"{job.name} has no output `model`: it is none of train_job's.")

    def fetch() -> None:
        shutil.rmtree(into, ignore_errors=True)
        if (place := registered.blobs(workspace, output)) is None:
            raise Refused(f"the output of {job.name} isn't in blobs: {output.path}")
        registered.copy(*place, into)

    patiently(workspace, deadline, lambda: within(deadline, f"downloading the output of {job.name}", fetch))
    if not (said := job_output.printed(_printed(workspace, job.name, deadline))):
        say(f"the log of {job.name} has no digest, so it can't be told whether its output is what it wrote")
    elif said != job_output.digest(into):
        raise Refused(
            f"{output.path} isn't what {job.name} wrote: another job, or somebody, has changed it. Nothing is "
            "registered. Find out who; then start a new run: in this one the job stands."
        )
    if not (into / "MLmodel").is_file():
        raise Refused(
            f"{job.name} has completed, but there is no MLmodel in {output.path}. Nothing is registered. Training must "
            "write the model's folder to --out. Then start a new run: in this one the job stands."
        )
    return into
