"""What becomes of a job that trains: watched, with its log as it grows, and the model that it has put out."""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.lib.azure import registered
from scripts.lib.azure.errors import brief, explain, redact
from scripts.lib.azure.looking import check_workspace, found, twice
from scripts.lib.azure.training import find
from scripts.lib.azure.trying import asked, patiently
from scripts.lib.azure.waiting import Deadline, answered, say, within
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions import ends, job_output, training
from scripts.lib.decisions.state import Refused

LOG = "user_logs/std_log.txt"  # both streams of the command
LOOK = 20.0  # seconds for a log that can't be read at once; its storage may be out of reach for ever
PAUSE = 5.0  # seconds between two looks at a job that takes minutes


class NotInTime(Refused):
    """The job goes on."""

    exit_code = ends.LATE


@dataclass(frozen=True)
class Seen:
    """A job as it was seen last; `error` is Azure's own words."""

    status: str
    error: str
    log: str


def watched(workspace: Workspace, name: str, deadline: Deadline) -> Seen:
    """The job once it is over, its log told as it grows; or as it is when time is up."""
    told, seen = 0, Seen(training.WAITING[0], "", "")
    while True:
        before = seen.log[:told]
        seen = patiently(workspace, deadline, functools.partial(_look, workspace, name, seen.log, deadline))
        if not seen.log.startswith(before):  # Azure has begun it once more, on another node
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
    details = found(deadline, lambda: _details(workspace, name))
    if details is None:
        return Seen(_status(workspace, name, deadline), "", log)
    error = getattr(details.error, "error", None)
    said = [redact(text) for text in (getattr(error, "code", ""), getattr(error, "message", "")) if text]
    try:
        log = _log(workspace, details, Deadline(min(deadline.left, LOOK)))
    except Exception as why:
        if explain(why) is None:
            raise
        deadline.tell(f"the log of {name} can't be read: {brief(why)}")
    return Seen(str(details.status), ": ".join(said), log)


def _status(workspace: Workspace, name: str, deadline: Deadline) -> str:
    """A job's whose run isn't told (yet). Raises Refused where it isn't there any more, twice."""
    for _ in twice():
        if (job := find(workspace, name, deadline)) is not None:
            return str(job.status.value)
    check_workspace(workspace, deadline)
    raise Refused(f"{name} isn't there any more: somebody deleted it. Nothing is registered. Run this again.")


def _details(workspace: Workspace, name: str) -> Any:
    return workspace.client.jobs._runs_operations.get_run_details(name)


def _log(workspace: Workspace, details: Any, deadline: Deadline) -> str:
    """All that a job has printed by now."""
    address = (details.log_files or {}).get(LOG)
    return patiently(workspace, deadline, lambda: _text(address, deadline)) if address else ""


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


def completed(workspace: Workspace, name: str, deadline: Deadline) -> Any:
    """The job. Raises Refused where there is none, or it isn't completed."""
    job = find(workspace, name, deadline)
    if job is None or job.status != training.COMPLETED:
        what = job.status.value if job else f"no job of {workspace.name}"
        raise Refused(f"{name} is {what}: no model can be taken of it.")
    return job


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
    details = asked(workspace, deadline, lambda: _details(workspace, job.name))
    if not (said := job_output.printed(_log(workspace, details, deadline))):
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
