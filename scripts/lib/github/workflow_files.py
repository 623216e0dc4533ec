"""What the workflow files say: they are the one home of the stages, their percentages and the environments' names."""

from __future__ import annotations

import functools
import re
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.decisions.state import Refused

FOLDER = Path(".github/workflows")
STAGES = FOLDER / "stages.yml"
PROMOTE = "./.github/actions/promote"
DELETE = "./.github/actions/delete-blue"
STAGING = "staging"
ROLLBACK = "rollback"
#: Jobs of stages.yml after which nobody stops: only together with deploy, or the end of the chain anyway.
NO_STOP = {"register", "delete-blue"}

Job = dict[str, Any]


def stages(folder: Path = FOLDER) -> list[str]:
    """What `stop-after` accepts, in order: train, then the jobs of stages.yml after which a rollout may rest."""
    return ["train", *(name for name in _chain(folder) if name not in NO_STOP)]


def promotions(folder: Path = FOLDER) -> dict[str, int]:
    """The jobs that promote, in order, with green's percentage after each."""
    jobs = _jobs(folder / STAGES.name)
    found = {name: _percent(name, jobs[name]) for name in _chain(folder)}
    return {name: percent for name, percent in found.items() if percent is not None}


def after(job: str, folder: Path = FOLDER) -> tuple[str, int | None] | None:
    """The job that follows in stages.yml and, where it promotes, its percentage; None after the last.

    Raises Refused for a job that stages.yml doesn't have.
    """
    chain = _chain(folder)
    if job not in chain:
        raise Refused(f"{folder / STAGES.name} has no job {job}; it has {', '.join(chain)}.")
    following = chain[chain.index(job) + 1 :][:1]
    return (following[0], promotions(folder).get(following[0])) if following else None


def environments(folder: Path = FOLDER) -> dict[str, bool]:
    """Every environment that a job names, with whether it must have reviewers: where jobs promote or delete.

    `staging` is a rehearsal and needs none. Raises Refused where a name can't be told from the files.
    """
    files = {path.name: _jobs(path) for path in sorted(folder.glob("*.yml"))}
    found: dict[str, bool] = {}
    for file, jobs in files.items():
        for job in jobs.values():
            for name in _names(_named(job), file, files):
                found[name] = found.get(name, False) or (_decides(job) and name != STAGING)
    return found


def _chain(folder: Path) -> list[str]:
    """The jobs of stages.yml one after the other, without rollback. Raises Refused unless `needs` puts all in a row."""
    jobs = {name: job for name, job in _jobs(folder / STAGES.name).items() if name != ROLLBACK}
    try:
        chain = list(TopologicalSorter({name: _needs(job) for name, job in jobs.items()}).static_order())
    except CycleError as error:
        raise Refused(f"{folder / STAGES.name}: jobs need each other in a circle: {error.args[1]}.") from error
    for before, name in pairwise(chain):
        if before not in _needs(jobs.get(name, {})):
            raise Refused(f"{folder / STAGES.name}: {name} comes after {before}, so it must need it (`needs`).")
    return chain


def _jobs(path: Path) -> dict[str, Job]:
    try:
        content = _parsed(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise Refused(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    jobs = content.get("jobs") if isinstance(content, dict) else None
    if not isinstance(jobs, dict):
        raise Refused(f"{path} has no jobs.")
    return jobs


@functools.cache  # each question reads the files again, and parsing takes most of its time
def _parsed(text: str) -> Any:
    return yaml.safe_load(text)


def _needs(job: Job) -> list[str]:
    needs = job.get("needs") or []
    return [needs] if isinstance(needs, str) else list(needs)


def _percent(name: str, job: Job) -> int | None:
    """The percentage that a job's step hands to the promote action; None for a job that doesn't promote."""
    steps = [step for step in job.get("steps") or [] if step.get("uses") == PROMOTE]
    if not steps:
        return None
    percent = str((steps[0].get("with") or {}).get("percent", ""))
    if not re.fullmatch(r"[1-9][0-9]?|100", percent):
        raise Refused(f"the job {name} promotes to {percent!r}: `percent` must be a number from 1 to 100.")
    return int(percent)


def _decides(job: Job) -> bool:
    """Whether a person must agree before the job runs: it gives green traffic, or deletes what served."""
    steps = job.get("steps") or []
    return any(step.get("uses") in (PROMOTE, DELETE) or "scripts.delete_" in str(step.get("run")) for step in steps)


def _named(job: Job) -> str:
    """What a job's `environment:` says, be it a name or `{name: …, url: …}`; "" without one."""
    value = job.get("environment") or ""
    return str(value.get("name", "") if isinstance(value, dict) else value)


def _names(text: str, file: str, files: dict[str, dict[str, Job]]) -> list[str]:
    """The names that a text can stand for: a called workflow's input is what callers hand over, an output its value."""
    reference = re.fullmatch(r"\$\{\{\s*(inputs|needs)\.([\w-]+)(?:\.outputs\.([\w-]+))?\s*\}\}", text)
    if reference is None:
        return _literals(text)
    kind, name, output = reference.groups()
    if kind == "needs":
        sources = [(file, str((files[file].get(name, {}).get("outputs") or {}).get(output, "")))]
    else:
        sources = _handed(name, file, files)
    found = [name for source, value in sources for name in _names(value, source, files)]
    if not found:
        raise Refused(f"{file}: can't tell which environment {text} is, since nothing hands it over.")
    return found


def _handed(name: str, file: str, files: dict[str, dict[str, Job]]) -> list[tuple[str, str]]:
    """What the callers of a workflow give for its input, each with the caller's file."""
    called = f"./{FOLDER.as_posix()}/{file}"
    calls = [(caller, job) for caller, jobs in files.items() for job in jobs.values() if job.get("uses") == called]
    return [(caller, str((job.get("with") or {}).get(name, ""))) for caller, job in calls]


def _literals(text: str) -> list[str]:
    """The name itself, or the names among which an expression chooses: `a && 'staging' || 'production'`."""
    if "${{" not in text:
        return [text] if text else []
    found = [name for name in re.findall(r"(?:&&|\|\|)\s*'([^']*)'", text) if name]
    if not found:
        raise Refused(f"can't tell which environment {text} is: write its name, or `… && 'a' || 'b'`.")
    return found
