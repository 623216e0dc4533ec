"""Check what silently goes wrong in a copied template: the gate, the variables, the login, the role, names, quotas."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from scripts.lib.azure.waiting import say
from scripts.lib.azure.workspace import BLUE, GREEN, Workspace, endpoint_yaml, load_yaml
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command
from scripts.lib.decisions.state import Refused
from scripts.lib.doctor import azure_checks, checks, finding, quota, trust
from scripts.lib.doctor.azure_facts import AtAzure
from scripts.lib.doctor.facts import AtGitHub, told
from scripts.lib.doctor.finding import CANNOT_TELL, OK, WRONG, Finding
from scripts.lib.doctor.quota import Shape
from scripts.lib.github import repository_variables, required_reviewers, step_output, workflow_files
from scripts.lib.github.api import CannotTell

REQUIREMENTS = Path("model/requirements.txt")
#: With one of these wrong a rollout fails for sure; the others are advice to it, and the gate decides how far it goes.
FATAL = {"variables", "login", "workspace", "role", "OIDC subject", "endpoint name", "model requirements"}
Variables = Mapping[str, str] | CannotTell


def _stage(ctx: click.Context, param: click.Parameter, value: str) -> str:
    stages = workflow_files.stages()
    if value and value not in stages:
        raise click.BadParameter(f"{value!r} is not one of {', '.join(stages)}")
    return value


def _version(ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    return int(option_types.VERSION(value, param, ctx)) if value else None


@command()
@click.option("--rollout", is_flag=True, help="First job of a rollout: fail only for what would fail it anyway.")
@click.option("--stop-after", default="", callback=_stage, metavar="STAGE", help="Where the rollout shall stop.")
@click.option("--version", default="", callback=_version, metavar="N", help="The version it rolls out, if registered.")
@click.option("--variables", envvar="VARIABLES", show_envvar=True, type=option_types.VARIABLES, help="toJSON(vars).")
def main(rollout: bool, stop_after: str, version: int | None, variables: dict[str, str] | None) -> None:
    """Check the set-up at GitHub and Azure; prints the findings as JSON. Nothing is changed.

    Each is ok, wrong or cannot tell, with how to mend it. Exit code 1 if one is wrong, or if the gate of a promotion
    can't be told. With --rollout a missing gate stops the rollout before its first promotion instead (outputs `gate`,
    `stop-after`).
    """
    findings: list[Finding] = []
    click.get_current_context().call_on_close(lambda: click.echo(finding.as_json(findings)))  # also if it fails
    for found in examine(variables, registered=version is not None):
        say(str(found))
        findings.append(found)
    step_output.summary("### The set-up", finding.as_table(findings))
    if rollout:
        _let_out(findings, stop_after)
    _refuse([found for found in findings if (fatal if rollout else bad)(found)])


def fatal(found: Finding) -> bool:
    """Whether a rollout would fail for sure."""
    return found.verdict == WRONG and found.name in FATAL


def bad(found: Finding) -> bool:
    """Whether a finding needs mending before all is well: only the gate counts as missing where it can't be told."""
    return found.verdict == WRONG or (found.verdict == CANNOT_TELL and found.name.startswith("gate "))


def has_gate(findings: Sequence[Finding]) -> bool:
    """Whether each environment that promotes has its reviewers."""
    gates = [found for found in findings if found.name.startswith("gate ")]
    return bool(gates) and all(found.verdict == OK for found in gates)


def stop(asked: str, gated: bool, stages: Sequence[str], promotions: Sequence[str]) -> str:
    """After which stage the rollout stops, "" for none: where it was asked to, without a gate before all promotions."""
    if gated or not promotions:
        return asked
    last = stages.index(promotions[0]) - 1
    return asked if asked and stages.index(asked) <= last else stages[last]


def _let_out(findings: Sequence[Finding], asked: str) -> None:
    gated = has_gate(findings)
    until = stop(asked, gated, workflow_files.stages(), list(workflow_files.promotions()))
    step_output.output(
        **{"gate": required_reviewers.REVIEWERS if gated else required_reviewers.NONE, "stop-after": until}
    )
    if not gated:
        said = f"Nobody has to approve promotions: this rollout stops after {until}, and promote.yml goes on."
        say(said)
        step_output.summary(said)


def _refuse(wrong: Sequence[Finding]) -> None:
    if wrong:
        names = ", ".join(found.name for found in wrong)
        raise Refused(f"not ready: {names}. Mend it as said above, then run the doctor again.")


def examine(given: Mapping[str, str] | None, registered: bool) -> Iterator[Finding]:
    """All checks one after the other. `given` are the repository's variables, which GitHub is asked for otherwise.

    `registered`: the rollout is of a version that is registered already, so the requirements here say nothing of it.
    """
    github = AtGitHub()
    variables: Variables = given if given is not None else github.ask(lambda known: known.variables())
    known: Mapping[str, str] = {} if isinstance(variables, CannotTell) else variables
    yield checks.variables(variables, str(endpoint_yaml()["name"]), f"{github.page}/settings/variables/actions")
    environments = _environments(known)
    for name, gated in environments.items():
        yield from at_github(github, name, gated)
    picked = {
        **repository_variables.pick(known),
        **{name: os.environ[name] for name in repository_variables.EXPORTED if name in os.environ},
    }
    yield from at_azure(github, picked, _logging_in(known, environments))
    if not registered:
        text = told(lambda: REQUIREMENTS.read_text(encoding="utf-8"))
        yield azure_checks.requirements(text, str(REQUIREMENTS))


def at_github(github: AtGitHub, name: str, gated: bool) -> Iterator[Finding]:
    """What an environment must be like. `gated`: its jobs promote or delete."""
    environment, page = github.environment(name), f"{github.page}/settings/environments"
    if gated:
        yield required_reviewers.gate(name, environment, page)
        yield checks.self_review(name, environment, page)
        yield checks.admin_bypass(name, environment, page)
    yield checks.branches(name, environment, github.patterns(name), github.default_branch, page)
    if name == workflow_files.ROLLBACK:
        yield checks.no_wait(name, environment, page)


def at_azure(github: AtGitHub, picked: Mapping[str, str], environments: Sequence[str]) -> Iterator[Finding]:
    """What Azure must let the workflows do. `picked` are production's variables."""
    azure = AtAzure(_workspace(picked))
    reach, sent = azure.reach(), github.subjects(environments)
    yield azure_checks.login(reach, sent)
    yield trust.subjects(sent, azure.trusted(picked.get("AZURE_CLIENT_ID", "")))
    yield azure_checks.workspace(reach)
    yield azure_checks.role(reach, azure.permissions())
    name = picked.get("ENDPOINT_NAME") or str(endpoint_yaml()["name"])
    deployments = azure.deployments(name)
    exists = deployments if isinstance(deployments, CannotTell) else deployments[0]
    yield azure_checks.endpoint_name(name, exists)
    if isinstance(deployments, CannotTell):
        yield finding.cannot_tell("core quota", deployments)
    else:
        wanted = _wanted(*deployments[1:])
        yield quota.quota(wanted, list(deployments[1].values()), azure.sizes(), azure.usages())


def _environments(variables: Mapping[str, str]) -> dict[str, bool]:
    """Those that the workflows use, staging only where it is on."""
    staged = repository_variables.staged(variables)
    return {
        name: gated for name, gated in workflow_files.environments().items() if staged or name != workflow_files.STAGING
    }


def _logging_in(variables: Mapping[str, str], environments: Mapping[str, bool]) -> list[str]:
    """The environments whose jobs log in as production's identity: not staging, where that has one of its own."""
    ids = {repository_variables.pick(variables, stage).get("AZURE_CLIENT_ID") for stage in repository_variables.STAGES}
    return [name for name in environments if name != workflow_files.STAGING or len(ids) == 1]


def _workspace(picked: Mapping[str, str]) -> Workspace | CannotTell:
    missing = [name for name in repository_variables.WORKSPACE if not picked.get(name)]
    if missing:
        return CannotTell(f"which workspace? {', '.join(missing)} are not set.")
    return Workspace(*(picked[name] for name in repository_variables.WORKSPACE))


def _wanted(present: Mapping[str, Shape], serving: str) -> list[Shape]:
    """Blue, which serves or is still to come, and green with as many instances as blue at least."""
    blue = present.get(serving) or _shape(BLUE)
    green = _shape(GREEN)
    return [blue, Shape(green.instance_type, max(green.instances, blue.instances))]


def _shape(path: Path) -> Shape:
    content = load_yaml(path)
    return Shape(str(content.get("instance_type", "")), int(content.get("instance_count", 1)))


if __name__ == "__main__":
    main()
