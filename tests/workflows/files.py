"""The workflow files as the rules read them, and what rules ask of a job."""

from collections.abc import Callable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

Job = dict[str, Any]
Findings = Iterator[str]
SETUP, CALL = "./.github/actions/setup", "./.github/workflows/"
PROMOTE, DELETE = "./.github/actions/promote", "./.github/actions/delete-blue"
LOGIN, CANCEL, ATTEST = "azure/login@", "scripts.cancel_rollout", "actions/attest-build-provenance@"
COMPARE = "azureml-emulator compare --yes"  # pays machines
TARGET = "${{ inputs.target }}"
ASKS_GITHUB = ("scripts.check_approval", "scripts.doctor")
TELLS = "scripts.check_template"
TRAINS = "scripts.train_job"
TELLS_PEOPLE = "scripts.tell_rollback"
ASKS_AUTHORS = '--expect "$PROPOSAL" --person "$PERSON"'
READS_COMMITS = ("scripts.review", "scripts.promote --percent", "scripts.check_contract")


@cache
def parsed(text: str) -> dict[str, Any]:
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (one is the other, in C)


WORKFLOWS = ("ci", "compare", "promote", "rollback", "rollout", "stages", "teardown", "template")
ACTIONS = ("delete-blue", "promote", "setup")
OURS = [*(f"workflows/{name}.yml" for name in WORKFLOWS), *(f"actions/{name}/action.yml" for name in ACTIONS)]


class Files:
    """The template's own workflows and composite actions, by name, as text and as YAML; the owner's are `foreign`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        paths = [root / ".github" / name for name in OURS]
        self.texts = {path: path.read_text() for path in sorted(paths)}
        others = {*(root / ".github/workflows").glob("*.y*ml")} - {*paths}
        self.foreign = {path.name: parsed(path.read_text()) for path in sorted(others)}

    @cached_property
    def workflows(self) -> dict[str, dict[str, Any]]:
        return {path.stem: parsed(text) for path, text in self.texts.items() if path.parent.name == "workflows"}

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """Every job, by `workflow.job`."""
        return {f"{file}.{name}": job for file, flow in self.workflows.items() for name, job in flow["jobs"].items()}

    @cached_property
    def steps(self) -> dict[str, dict[str, Any]]:
        """Every step of a job or an action, by where it is."""
        holders = {where: job.get("steps", []) for where, job in self.jobs.items()}
        actions = {p: parsed(text)["runs"]["steps"] for p, text in self.texts.items() if p.name == "action.yml"}
        holders |= {f"actions.{path.parent.name}": steps for path, steps in actions.items()}
        return {f"{where}[{number}]": step for where, steps in holders.items() for number, step in enumerate(steps)}

    @property
    def row(self) -> list[str]:
        """The jobs of stages.yml in their order, without the one that goes back and the one that tells."""
        return [name for name in self.workflows["stages"]["jobs"] if name not in ("rollback", "tell")]

    @property
    def percents(self) -> dict[str, Any]:
        """What each job of stages.yml that promotes gives green."""
        found = {name: given(self.jobs[f"stages.{name}"], PROMOTE) for name in self.row}
        return {name: inputs["percent"] for name, inputs in found.items() if inputs}

    @property
    def places(self) -> dict[str, str]:
        """The environment of each stage that gives green traffic or deletes: the first one's is always the target's."""
        first, *later = self.row[3:]
        pairs = zip([first, *later], later, strict=False)
        unasked = "vars.APPROVALS == 'first' && needs.{}.outputs.later || inputs.target"
        return {first: TARGET} | {name: expression(unasked.format(last)) for last, name in pairs}


Rule = Callable[[Files], Findings]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


def needs(job: Job) -> list[str]:
    found = job.get("needs", [])
    return [found] if isinstance(found, str) else found


def before(job: Job) -> str:
    """The job that it follows in its row: the last it needs. "" for the first."""
    return next(reversed(needs(job)), "")


def does(job: Job, *parts: str) -> bool:
    """Whether a step of the job uses or runs something with one of these parts."""
    texts = [step.get("uses", "") + step.get("run", "") for step in job.get("steps", [])]
    return any(part in text for text in texts for part in parts)


def given(job: Job, action: str) -> dict[str, Any]:
    """The inputs that a job's step hands to an action; none where no step uses it."""
    return next((step.get("with", {}) for step in job.get("steps", []) if step.get("uses") == action), {})


def logs_in(job: Job) -> bool:
    return "target" in given(job, SETUP)


def environment(job: Job) -> Any:
    """The name of the job's environment; None where it has none."""
    found = job.get("environment")
    return found.get("name") if isinstance(found, dict) else found


def expression(text: str) -> str:
    return f"${{{{ {text} }}}}"


def decides(job: Job) -> bool:
    """Whether a person must agree before the job runs."""
    runs = [step.get("run", "") for step in job.get("steps", [])]
    deletes = any("scripts.delete_" in run and "--dry-run" not in run for run in runs)
    return deletes or does(job, PROMOTE, DELETE, COMPARE)
