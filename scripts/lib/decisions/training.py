"""Training on a cluster: how a job is named, what it is made of, and what became of it. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

COMPLETED, FAILED, CANCELED = "Completed", "Failed", "Canceled"
ENDED = (COMPLETED, FAILED, CANCELED)
OVER = (FAILED, CANCELED, "CancelRequested")  # after these the next number starts
WAITING = ("NotStarted", "Starting", "Provisioning", "Preparing", "Queued")  # for a node, and its image
PREEMPTED = re.compile(r"pre-?empt", re.IGNORECASE)  # `PreemptionError: Nodes of this job got pre-empted.`
OUTPUT = re.compile(r"azureml://datastores/(\w+)/paths/\S*\$\{\{name\}\}\S*")
ASSET = re.compile(r"azureml:([\w.-]+?)(?:@(latest)|:([\w.-]+))")
DEFAULT_STORES = ("workspaceblobstore", "workspaceartifactstore", "workspacefilestore", "workspaceworkingdirectory")
TRACKED, LONGEST = re.compile(r"[\w ./-]{1,250}"), 250  # names, and characters of a parameter, that any MLflow takes
TAIL = 20  # lines of a log that say why


def command(job: Mapping[str, Any], then: str) -> str:
    """What job.yml says, whatever shape it has, and a file of Python after it, where that ended well.

    As a condition (`&&`, `if`) it would go on after a failure in spite of its own `set -e`.
    """
    return f"(\n{job['command']}\n); ended=$?; [ $ended = 0 ] || exit $ended; python {then} ${{{{outputs.model}}}}"


def data(job: Mapping[str, Any]) -> str:
    """Where the input `data` comes from; "" where the job has none."""
    return str(part(job, "inputs", "data").get("path") or "")


def compute(job: Mapping[str, Any]) -> str:
    """The cluster's name."""
    return str(job.get("compute")).removeprefix("azureml:")


def store(job: Mapping[str, Any]) -> str:
    """The datastore that the output goes to."""
    found = OUTPUT.fullmatch(str(part(job, "outputs", "model").get("path")))
    return found[1] if found else ""


def asset(path: str) -> tuple[str, str] | None:
    """Name and version of a data asset, the version empty for `@latest`; None for anything else."""
    found = ASSET.fullmatch(path)
    return (found[1], found[3] or "") if found else None


def short(path: str) -> str:
    """Data as tags and people have them: `heart:3`, also where Azure tells an asset by its id."""
    found = re.search(r"/data/([^/]+)/versions/([^/]+)$", path)
    return f"{found[1]}:{found[2]}" if found else path.removeprefix("azureml:") if asset(path) else path


def digest(files: Mapping[str, bytes], trained_on: str) -> str:
    """What a job is made of: the code, by its files' names, and the data."""
    total = hashlib.sha256(trained_on.encode())
    for name, content in sorted(files.items()):
        total.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(content).digest())
    return total.hexdigest()[:12]


def packages(lock: str) -> list[str]:
    """The lines of a requirements file with hashes, as conda hands them to pip: one for each package."""
    whole = re.sub(r"\s*\\\n\s*", " ", re.sub(r"(?m)(^|\s)#.*$", "", lock))
    return [" ".join(line.split()) for line in whole.splitlines() if line.strip()]


def conda(lock: str, python: str) -> dict[str, Any]:
    """The environment that has the packages of a requirements file and nothing else."""
    dependencies = [f"python={python}", "pip", {"pip": packages(lock)}]
    return {"name": "training", "channels": ["conda-forge"], "dependencies": dependencies}


def metrics(log: str) -> dict[str, Any]:
    """What train.py printed: the last line that is a JSON object. The job's log has both streams."""
    for line in reversed(log.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
    return {}


def numbers(printed: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that MLflow takes: it has no names with other signs, and JSON has no NaN."""
    found = {name: float(value) for name, value in printed.items() if type(value) in (int, float)}
    return {name: value for name, value in found.items() if math.isfinite(value) and TRACKED.fullmatch(name)}


def params(job: Mapping[str, Any], trained_on: str, printed: Mapping[str, Any]) -> dict[str, str]:
    """What made the model, beside the code: the job's inputs, the data by version, and words that train.py printed."""
    inputs = {name: part(job, "inputs", name).get("path", given) for name, given in part(job, "inputs").items()}
    found = {name: value for name, value in printed.items() if isinstance(value, str | bool)} | inputs
    found |= {"data": short(trained_on)} if trained_on else {}
    return {name: str(value)[:LONGEST] for name, value in found.items() if TRACKED.fullmatch(name)}


def ended(name: str, status: str, error: str, log: str) -> str:
    """Why a job that is over made no model, with the end of its log and what to do. `error` may have that end, too."""
    error = error.partition(" Error: ")[0]
    if PREEMPTED.search(error):
        why, then = (
            "lost its node (preempted)",
            "Run this again: the next job starts. Dedicated nodes stay.",
        )
    elif status == FAILED:
        why, then = "failed", "Mend what the log says; run this again if it was none of yours."
    else:
        why, then = "was cancelled", "Whoever did it may know why. Run this again: the next job starts."
    return "\n".join([": ".join(filter(None, (f"{name} {why}", error))), *tail(log), f"Nothing is registered. {then}"])


def late(name: str, status: str, compute: str, minutes: float, log: str) -> str:
    """What keeps a job that isn't over in time."""
    stop = f"It stays: run this again to wait on, or stop it: az ml job cancel --name {name}"
    if status in WAITING:
        why = (
            f"{name} has no node after {minutes:.0f} minutes ({status}): {compute} has no nodes left to give, no quota"
        )
        return f"{why}, or an image that isn't built yet. Look at the cluster in the studio.\n{stop}"
    return "\n".join([f"{name} is not over after {minutes:.0f} minutes ({status})", *tail(log), stop])


def tail(log: str) -> list[str]:
    """The last lines of a log, each set apart; or that there are none."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()][-TAIL:]
    return ["the end of its log:", *(f"    {line}" for line in lines)] if lines else ["it has no log"]


def part(job: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """What stands below these keys, if it is a mapping."""
    found: Any = job
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
