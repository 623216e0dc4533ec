"""Check what silently goes wrong in a copied template: files, reviewers, variables, login, role, names, quotas."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import click

from scripts.lib.azure import policy_file
from scripts.lib.azure.endpoint_files import BLUE, GREEN, model_name
from scripts.lib.azure.waiting import say
from scripts.lib.azure.workspace import Workspace, endpoint_name
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command
from scripts.lib.decisions.state import Refused
from scripts.lib.doctor import (
    azure_checks,
    by_hand,
    checks,
    files,
    finding,
    fresh,
    quota,
    rights,
    training,
    trust,
    watching,
)
from scripts.lib.doctor.azure_facts import AzureFacts
from scripts.lib.doctor.facts import GitHubFacts, told
from scripts.lib.doctor.finding import CANNOT_TELL, OK, WRONG, Finding, Unknown
from scripts.lib.github import repository_variables, step_output, triggers
from scripts.lib.github.behind import behind
from scripts.lib.github.environment import ENVIRONMENTS, ROLLBACK, STAGING, UNATTENDED

REQUIREMENTS = Path("model/requirements.txt")
UNAPPROVED = ("train", "deploy", "smoke-test")
"""After which a rollout may stop without any approval, the last of them right before its first promotion."""
#: With one of these wrong a rollout fails for sure; the others are advice, and reviewers decide how far it goes.
FATAL = {"variables", "login", "workspace", "role", "OIDC subject", "endpoint name", "model requirements"}
FATAL |= {"training job", "training data", "training output", "training cluster", *map(str, files.FILES)}
Variables = Mapping[str, str] | Unknown


def _stage(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """One that rollout.yml offers: a misspelt one would let the rollout go on to its end."""
    if value and value not in (offered := triggers.offered(triggers.ROLLOUT, "stop-after")):
        raise click.BadParameter(f"{value!r} is none of {', '.join(filter(None, offered))}.")
    return value


def _version(ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    return int(click.IntRange(min=1)(value, param, ctx)) if value else None


def _variables(ctx: click.Context, param: click.Parameter, value: str | None) -> dict[str, str] | None:
    """An object of texts, or null for what is not set."""
    if value is None:
        return None
    try:
        found = json.loads(value)
    except ValueError as error:
        raise click.BadParameter(f"no JSON: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(text, str | None) for text in found.values()):
        raise click.BadParameter("not a JSON object whose values are all texts")
    return {name: text or "" for name, text in found.items()}


@command()
@click.option(
    "--files", "only_files", is_flag=True, help="Check endpoints/ and model/job.yml alone, without GitHub and Azure."
)
@click.option("--rollout", is_flag=True, help="First job of a rollout: fail only for what would fail it anyway.")
@click.option(
    "--stop-after",
    default="",
    show_default=False,
    callback=_stage,
    metavar="JOB",
    help="Where the rollout shall stop, of what rollout.yml offers.",
)
@click.option(
    "--version",
    default="",
    show_default=False,
    callback=_version,
    metavar="N",
    help="The version it rolls out, if registered.",
)
@click.option("--model", default="", show_default=False, help="Of which model, if not endpoint.yml's.")
@click.option("--data", default="", show_default=False, help="What it trains on, if not what is usual.")
@click.option(
    "--variables",
    envvar="VARIABLES",
    show_envvar=True,
    callback=_variables,
    metavar="JSON",
    help="The repository's, as JSON. Else GitHub is asked.",
)
def main(
    only_files: bool,
    rollout: bool,
    stop_after: str,
    version: int | None,
    model: str,
    data: str,
    variables: dict[str, str] | None,
) -> None:
    """Check the files of endpoints/ and the set-up at GitHub and Azure; prints the findings as JSON. Changes nothing.

    Each is ok, wrong or cannot tell, with how to mend it. Exit code 1 if one is wrong, or if it can't be told who
    approves. With --rollout missing reviewers stop the rollout before its first promotion instead (outputs
    `reviewers`, `stop-after`); the output `trains` says where training is done, `data` on which version of the data.
    """
    if model and option_types.model(model) and version is None:
        raise click.UsageError(f"--model {model} is registered already: --version says which of it to roll out.")
    findings: list[Finding] = []
    click.get_current_context().call_on_close(lambda: click.echo(finding.as_json(findings)))  # also if it fails
    if rollout and not only_files and variables is not None and fresh.fresh(variables, GitHubFacts()):
        return
    if rollout and not only_files and version is None and fresh.untrained():
        return
    if rollout and version is None:
        step_output.output(trains=training.where())
    its = filter(None, [*files.check(version), training.file()]) if only_files else None
    for found in its or examine(variables, version, data, everything=not rollout):
        say(str(found))
        findings.append(found)
    step_output.summary("### The set-up", finding.as_table(findings))
    if rollout and not only_files:
        _let_out(findings, stop_after)
    _refuse([found for found in findings if (fatal if rollout else bad)(found)])


def fatal(found: Finding) -> bool:
    """Whether a rollout would fail for sure."""
    return found.verdict == WRONG and (found.name in FATAL or found.name.startswith("OIDC subject"))


def bad(found: Finding) -> bool:
    """Whether a finding needs mending before all is well: reviewers alone count as missing where they can't be told."""
    return found.verdict == WRONG or (found.verdict == CANNOT_TELL and found.name.startswith("reviewers "))


def approved(findings: Sequence[Finding]) -> bool:
    """Whether each environment that promotes has its reviewers."""
    verdicts = [found.verdict for found in findings if found.name.startswith("reviewers ")]
    return bool(verdicts) and all(verdict == OK for verdict in verdicts)


def stop(asked: str, approved: bool) -> str:
    """After which stage the rollout stops: where it was asked to; if nobody approves before any promotion."""
    return asked if approved or asked in UNAPPROVED else UNAPPROVED[-1]


def _let_out(findings: Sequence[Finding], asked: str) -> None:
    until = stop(asked, approved(findings))
    step_output.output(**{"reviewers": "required" if approved(findings) else "none", "stop-after": until})
    if not approved(findings):
        said = f"Nobody has to approve promotions: this rollout stops after {until}, and promote.yml goes on."
        say(said)
        step_output.summary(said)


def _refuse(wrong: Sequence[Finding]) -> None:
    if wrong:
        names = ", ".join(found.name for found in wrong)
        raise Refused(f"not ready: {names}. Mend it as said above, then run the doctor again.")


def examine(given: Mapping[str, str] | None, version: int | None, data: str, everything: bool) -> Iterator[Finding]:
    """All checks one after the other. `given` are the repository's variables, which GitHub is asked for otherwise.

    `version`: one that is registered already is rolled out, so the requirements here say nothing of it; else it is
    trained on `data`, if not on what is usual.
    `everything`: what stops no rollout, and what a rollout's login and token mostly may not ask, is looked at, too.
    """
    yield from files.check(version)
    github = GitHubFacts().known()
    variables: Variables = given if given is not None else github.ask(lambda known: known.variables())
    known: Mapping[str, str] = {} if isinstance(variables, Unknown) else variables
    name = told(endpoint_name)
    yield checks.variables(variables, str(name), f"{github.page}/settings/variables/actions")
    yield checks.approvals(variables)
    cluster = training.where() == training.CLUSTER
    environments = [name for name in ENVIRONMENTS if repository_variables.in_use(name, known, cluster)]
    for name in environments:
        yield from at_github(github, name)
        if everything:
            yield from by_hand.hidden(github, name, known)
    if everything:
        yield from by_hand.beginning(github)
    picked = repository_variables.pick(known)
    shell = {name: value for name in repository_variables.PLACE if (value := os.environ.get(name))}
    if everything:
        yield checks.place(shell, {"ENDPOINT_NAME": str(name), **picked} if picked else {})
    azure = AzureFacts(_workspace(picked | shell))
    logins = _logging_in(known, environments)
    yield from at_azure(azure, github, picked | shell, logins, everything)
    if everything:
        endpoint = (picked | shell).get("ENDPOINT_NAME") or str(name)
        logs = watching.sent_to(azure.settings(endpoint)) if picked.get(repository_variables.LOGS) else {}
        yield from rights.checks(azure, known, logins, [*logs.values()])
    if version is None:
        yield from training.checks(azure, data, known, everything)
        text = told(lambda: REQUIREMENTS.read_text(encoding="utf-8"))
        yield azure_checks.requirements(text, str(REQUIREMENTS))


def at_github(github: GitHubFacts, name: str) -> Iterator[Finding]:
    """What an environment must be like."""
    environment, page = github.environment(name), f"{github.page}/settings/environments"
    if ENVIRONMENTS[name]:
        yield checks.reviewers(name, environment, github.page)
        yield checks.self_review(name, environment, page)
        yield checks.admin_bypass(name, environment, page)
    yield checks.branches(name, environment, github.policies(name), github.default_branch)
    if name in (ROLLBACK, UNATTENDED):
        yield checks.no_wait(name, environment, page)


def at_azure(
    azure: AzureFacts,
    github: GitHubFacts,
    picked: Mapping[str, str],
    logins: Mapping[str, Sequence[str]],
    everything: bool,
) -> Iterator[Finding]:
    """What Azure must let the workflows do. `picked` are production's variables, `logins` who logs in as which id."""
    reach, sent = azure.reach(), github.subjects([name for names in logins.values() for name in names])
    yield azure_checks.login(reach, sent)
    permissions = azure.permissions()
    if everything or azure_checks.reads(permissions, azure_checks.IDENTITIES):
        yield from _known(_trusted(azure, github, logins, sent, everything), everything)
    yield azure_checks.workspace(reach)
    yield azure_checks.role(reach, permissions)
    yield azure_checks.metrics(permissions)
    given = picked.get("ENDPOINT_NAME", "")
    name = given or told(endpoint_name)
    if isinstance(name, Unknown):
        yield finding.cannot_tell("endpoint name", name)
        return
    endpoint = azure.endpoint(name)
    yield azure_checks.endpoint_name(name, endpoint, told(model_name))
    if everything or azure_checks.reads(permissions, azure_checks.USAGES):
        yield from _known([_quota(azure, endpoint)], everything)
    if not isinstance(endpoint, Unknown) and endpoint.serving:
        yield azure_checks.first_deployment(name, endpoint.serving, str(BLUE))
        if everything:
            yield checks.serving(github.ask(lambda it: behind(it, endpoint.commit)))
            log = os.environ.get(repository_variables.LOGS) or picked.get(repository_variables.LOGS, "")
            yield from _watched(azure, name, endpoint.serving, log)


def _known(findings: Iterable[Finding], everything: bool) -> Iterator[Finding]:
    """A rollout's login mostly may not read what lies above the workspace: there, that is no finding."""
    return (found for found in findings if everything or azure_checks.REFUSED not in found.say)


def _trusted(
    azure: AzureFacts,
    github: GitHubFacts,
    logins: Mapping[str, Sequence[str]],
    sent: Mapping[str, str] | Unknown,
    everything: bool,
) -> Iterator[Finding]:
    """Whether Azure trusts what GitHub sends, identity by identity; `everything`: and whom else it trusts."""
    for client_id, names in logins.items():
        own = f" {' '.join(names)}" if len(logins) > 1 else ""
        trusted = azure.trusted(client_id)
        its = sent if isinstance(sent, Unknown) else {name: sent[name] for name in names}
        yield trust.subjects(its, trusted, github.issuer, f"OIDC subject{own}")
        if everything:
            yield trust.others(its, trusted, github.issuer, f"other logins{own}")


def _watched(azure: AzureFacts, name: str, serving: str, log: str) -> Iterator[Finding]:
    """What is seen of live traffic, during a rollout and after it; a policy that is wrong is told as a file.

    `log`: the customer id of the workspace that has the log of requests, if one is named.
    """
    yield watching.source(azure.source(name, serving, log))
    policy = told(policy_file.of_the_file)
    if isinstance(policy, Unknown):
        return
    usual = azure.usual(name, timedelta(minutes=policy.delay_minutes))
    shares = told(triggers.shares)
    yield from watching.evidence(policy, [*policy.stages] if isinstance(shares, Unknown) else shares, usual)
    yield watching.alerts(azure.alerts(), azure.id(name), policy, usual)
    yield watching.logs(azure.settings(name))


def _quota(azure: AzureFacts, endpoint: azure_checks.Endpoint | Unknown) -> Finding:
    blue, green = told(lambda: files.shape(BLUE)), told(lambda: files.shape(GREEN))
    if isinstance(endpoint, Unknown) or isinstance(blue, Unknown) or isinstance(green, Unknown):
        why = next(known for known in (endpoint, blue, green) if isinstance(known, Unknown))
        return finding.cannot_tell("core quota", why)
    wanted = quota.wanted(endpoint.shapes.get(endpoint.serving) or blue, green)
    return quota.quota(wanted, list(endpoint.shapes.values()), azure.sizes(), azure.usages())


def _logging_in(variables: Mapping[str, str], environments: Sequence[str]) -> dict[str, list[str]]:
    """The environments whose jobs log in as production's identities, by client id: not staging's own."""
    found: dict[str, list[str]] = {}
    ids = {name: repository_variables.client_id(variables, name) for name in environments}
    for name, client_id in ids.items():
        if name != STAGING or client_id == variables.get(repository_variables.IDENTITY):
            found.setdefault(client_id, []).append(name)
    return found


def _workspace(picked: Mapping[str, str]) -> Workspace | Unknown:
    missing = [name for name in repository_variables.WORKSPACE if not picked.get(name)]
    if missing:
        return Unknown(f"which workspace? {', '.join(missing)} are not set.")
    return Workspace(*(picked[name] for name in repository_variables.WORKSPACE))


if __name__ == "__main__":
    main()
