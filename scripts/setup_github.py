"""Set up what a fresh copy of the template lacks on GitHub, and print what it lacks on Azure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import click

from scripts.lib.azure import training as jobs
from scripts.lib.azure.waiting import say
from scripts.lib.azure.workspace import Workspace, endpoint_name
from scripts.lib.cli.command import command
from scripts.lib.decisions.state import Refused
from scripts.lib.github import repository_variables
from scripts.lib.github.api import CannotTell, GitHub, named, token_name
from scripts.lib.github.environment import (
    ENVIRONMENTS,
    LOGINS,
    PRODUCTION,
    STAGING,
    TRAIN,
    UNATTENDED,
    Document,
    Environment,
    Reviewer,
)
from scripts.lib.github.repository_variables import APPROVALS, IDENTITY
from scripts.lib.setup import azure, training, watching
from scripts.lib.setup.apply import ADMIN, apply, read
from scripts.lib.setup.azure import Identity
from scripts.lib.setup.guard import RULESET
from scripts.lib.setup.notes import notes
from scripts.lib.setup.options import VALUES, WATCHING, azure_options, github_options, watch_options
from scripts.lib.setup.plan import Action, AddBranch, AddRuleset, Present, PutEnvironment, Wish, plan
from scripts.lib.setup.removal import removal
from scripts.lib.setup.rights import RIGHTS
from scripts.lib.setup.unasked import Unasked


@command()
@github_options
@azure_options
@watch_options
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing; needs no token.")
@click.option("--undo", is_flag=True, help="Do nothing; print the lines that take everything away again.")
def main(repository: str | None, dry_run: bool, undo: bool, **options: Any) -> str | None:
    """Create the environments that the workflows name, and set the repository's variables; prints lines for Azure.

    Run it as often as you like: it changes only what is not as it should be, and takes no reviewer or rule away.
    Variables whose option isn't given stay. The lines on stdout create the workspace and the identity that the
    workflows log in as; read them, then run them with `sh -e`. The token is an admin's, from GH_TOKEN or GITHUB_TOKEN.
    """
    github = _unasked(repository) if dry_run and not token_name() else GitHub.here(repository)
    facts = github.facts()
    present = read(github, ENVIRONMENTS, options["branch"] or facts["default_branch"])
    _check(undo, options)
    if undo:
        return _lines(_removal(github, present, options))
    if options["watch"]:
        return _lines(_watching(github, present, options))
    wish = _wish(github, facts, present, options)
    _set_up(github, facts, present, wish, dry_run)
    return _lines(_creation(github, present, wish, options))


def _check(undo: bool, options: Document) -> None:
    """Raises UsageError for what would be passed over."""
    if lone := [name for name in WATCHING if options[name] and not options["watch"]]:
        raise click.UsageError(f"--{lone[0].replace('_', '-')} counts with --watch alone.")
    if options["approvals"] and not options["ruleset"]:
        raise click.UsageError("--approvals counts with --ruleset alone.")
    if options["own_identities"] and options["staging"]:
        raise click.UsageError("--own-identities is production's: --staging has one identity for all.")
    if undo and options["watch"]:
        raise click.UsageError("--undo takes alerts and log away with all else: it takes no --watch.")


def _unasked(repository: str | None) -> GitHub:
    say("There is no token, so GitHub isn't asked: this is what a repository fresh from the template would get.")
    return Unasked(named(repository), "none")


def _wish(github: GitHub, facts: Document, present: Present, given: Document) -> Wish:
    """Environments without jobs are not wished for, staging's but where there is a staging workspace, or shall be."""
    variables = {**present.variables, **_given(given)}
    used = [name for name in ENVIRONMENTS if repository_variables.in_use(name, variables, jobs.FILE.is_file())]
    used += [STAGING] * given["staging"]
    environments = {name: needs for name, needs in ENVIRONMENTS.items() if name in used}
    branch = given["branch"] or facts["default_branch"]
    if github.branch(branch) is None:
        raise click.BadParameter(f"{github.repository} has no branch {branch}", param_hint="--branch")
    reviewers = _reviewers(github, given["logins"], given["teams"])
    for name in (name for name, needs_approval in environments.items() if needs_approval and not reviewers):
        if not present.environments.get(name, Environment()).reviewers:
            raise click.UsageError(f"who may approve in {name}? Give --reviewer or --team, up to six; one approves.")
    approvals = given["approvals"] if given["ruleset"] else None
    return Wish(environments, branch, reviewers, _given(given), given["staging"], approvals)


def _given(options: Document) -> dict[str, str]:
    """The variables that the options set."""
    own = {name: _own(name, options["staging"] and not name.endswith((f"_{IDENTITY}", APPROVALS))) for name in VALUES}
    return {own[name]: options[name] for name in VALUES if options[name]}


def _own(variable: str, staging: bool) -> str:
    """The name of staging's own variable, or production's."""
    return repository_variables.PREFIX + variable if staging else variable


def _reviewers(github: GitHub, logins: tuple[str, ...], teams: tuple[str, ...]) -> tuple[Reviewer, ...]:
    """People and teams with GitHub's ids. Ends with exit code 2 for one that GitHub doesn't know."""
    found = [("User", login, github.user(login), "--reviewer") for login in logins]
    found += [("Team", name, github.team(*name.split("/")), "--team (the token needs read:org)") for name in teams]
    for _, name, document, option in found:
        if document is None:
            raise click.BadParameter(f"GitHub has no {name}, or the token may not see it", param_hint=option)
    return tuple(Reviewer(kind, document["id"], name) for kind, name, document, _ in found if document)


def _set_up(github: GitHub, facts: Document, present: Present, wish: Wish, dry_run: bool) -> None:
    actions, page = plan(present, wish), f"{facts['html_url']}/settings/environments"
    admin = facts.get("permissions", {}).get("admin", True)
    if not actions:
        say(f"{github.repository} is set up as wished: nothing to do")
    elif dry_run:
        say("\n".join([*(f"would {action.say}" for action in actions), *_doubts(facts, admin)]))
    elif not admin:
        raise Refused(f"the token is not an admin's of {github.repository}. Nothing is changed.\n{ADMIN}")
    else:
        present = _apply(github, actions, wish)
    for note in notes(present, wish, page):
        say(f"note: {note}")


def _doubts(facts: Document, admin: bool) -> list[str]:
    """Why a real run may not do what the dry run says."""
    refused = [] if admin else [f"would be refused: the token is not an admin's. {ADMIN}"]
    private = ["would make environments without reviewers if GitHub refuses those: this repository is private"]
    return refused + (private if facts["private"] else [])


def _apply(github: GitHub, actions: list[Action], wish: Wish) -> Present:
    """Carry out a plan and read back what came of it. Raises Refused where GitHub took it, but didn't do it."""
    reduced = apply(github, actions)
    after = read(github, wish.environments, wish.branch)
    left = [
        action.say
        for action in plan(after, wish)
        if not (isinstance(action, PutEnvironment) and action.name in reduced)
        and not (isinstance(action, AddBranch) and action.environment in reduced)
        and not (isinstance(action, AddRuleset) and RULESET in reduced)
    ]
    if left:
        raise Refused("\n".join(["GitHub took all of it, but this is still to be done:", *left, ADMIN]))
    return after


def _creation(github: GitHub, present: Present, wish: Wish, options: Document) -> list[str]:
    identity, location = _identity(github, present, options), options["location"]
    if identity is None or not location:
        say("For the lines that set up Azure give --subscription-id, --resource-group, --workspace and --location.")
        return []
    subjects, others = _subjects(github, wish), _others(github, present, identity, options)
    trusted: dict[str, dict[str, str]] = {name: {} for name in ("", *others)}  # "": the identity for all else
    for name, subject in subjects.items():
        whose = LOGINS.get(name, name)
        trusted[whose if whose in others else ""][azure.credential_name(github.repository, name)] = subject
    lines = azure.creation(identity, location, trusted[""])
    for name, other in others.items():
        lines += azure.login(other, location, trusted[name])
    if TRAIN in others:
        lines += training.lines(identity, jobs.read(), location)
    if wish.staging and jobs.FILE.is_file() and (production := _workspace(present.variables)):
        lines += training.reading(identity, production, jobs.read())
    if not wish.staging:
        lines.append(_other_way(github, options, bool(others)))
    again = azure.command(["--repository", github.repository, *["--staging"] * wish.staging, "--watch"])
    lines.append(f"# Once the endpoint serves, so that somebody watches it: {again}")
    own = {_own(name, wish.staging) for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID")}
    known = own <= {*present.variables, *wish.variables}
    known = known and all(f"{name.upper()}_{IDENTITY}" in present.variables for name in others)
    return lines if known else [*lines, azure.set_up_again(identity, _again(github, options), others)]


def _watching(github: GitHub, present: Present, options: Document) -> list[str]:
    if (identity := _identity(github, present, options)) is None:
        say("For the lines that let Azure watch give --subscription-id, --resource-group and --workspace.")
        return []
    lines = watching.creation(identity.workspace, _endpoint(present, options), *(options[name] for name in WATCHING))
    if logs := options["log_workspace"]:
        logins = [identity, *_others(github, present, identity, options).values()]
        lines += watching.reading(logs, logins, _again(github, options))
    return lines


def _endpoint(present: Present, options: Document) -> str:
    """As the options, the variables, or else the file name it."""
    values = repository_variables.pick({**present.variables, **_given(options)}, options["staging"])
    return values.get("ENDPOINT_NAME") or endpoint_name()


def _others(github: GitHub, present: Present, identity: Identity, options: Document) -> dict[str, Identity]:
    """The identities of single environments, where they are asked for, or are there; staging has one for all.

    What trains on a cluster always has its own.
    """
    if options["staging"]:
        return {}
    names = RIGHTS.keys() - {TRAIN}
    there = any(f"{name.upper()}_{IDENTITY}" in present.variables for name in names)
    asked = names if options["own_identities"] or there else set()
    asked = {*asked, TRAIN} if jobs.FILE.is_file() else asked
    return {name: azure.own(identity, github.repository, name) for name in RIGHTS if name in asked}


def _other_way(github: GitHub, options: Document, own: bool) -> str:
    """A comment in the shell: what else there is, and the command that prints it."""
    if own:
        return "# Without --own-identities: one identity for all, which any job that may deploy can go as far with."
    named = [*_again(github, options), "--location", options["location"], "--own-identities"]
    what = "production and rollback log in as identities of their own, with the least rights of each"
    return f"# The other way, for an Owner to run: {what}: {azure.command(named)}"


def _subjects(github: GitHub, wish: Wish) -> dict[str, str]:
    """The OIDC subject of each environment's jobs; none, and why, where GitHub doesn't tell.

    Production's identity isn't trusted for staging's jobs, which need no approval, nor staging's for production's.
    """
    others = {PRODUCTION, UNATTENDED} if wish.staging else {STAGING}
    try:
        prefix = github.subject_prefix()
    except CannotTell as why:
        say(f"The lines have no federated credentials, without which no workflow can log in: {why}")
        return {}
    return {name: f"{prefix}:environment:{name}" for name in wish.environments if name not in others}


def _removal(github: GitHub, present: Present, options: Document) -> list[str]:
    """Staging has an environment, variables and an identity of its own; the rest goes with production."""
    staging = options["staging"]
    environments = [name for name in present.environments if not staging or name == STAGING]
    names = [_own(name, staging) for name in repository_variables.VARIABLES]
    variables = [name for name in names if name in present.variables]
    paths = [f"repos/{github.repository}/environments/{quote(name, safe='')}" for name in environments]
    if not staging and repository_variables.staged(present.variables):
        say("Staging's identity and variables stay: `--undo --staging` prints their lines. Run those first.")
    rules = {} if staging else github.rulesets()
    paths += [f"repos/{github.repository}/rulesets/{rules[RULESET]}"] if RULESET in rules else []
    identity = _identity(github, present, options)
    own = [name for name in RIGHTS if f"{name.upper()}_{IDENTITY}" in variables or name in {TRAIN} & {*environments}]
    others = [azure.own(identity, github.repository, name) for name in own] if identity else []
    more = [*watching.removal(identity.workspace, _endpoint(present, options))] if identity else []
    if identity and TRAIN in own:
        more += _untrained(identity.workspace)
    return removal(identity, github.repository, paths, variables, others, more)


def _untrained(workspace: Workspace) -> list[str]:
    """What trains is named by the file alone."""
    try:
        return training.removal(workspace, jobs.read())
    except (Refused, FileNotFoundError) as why:
        say(f"The lines leave what trains: its names are those of {jobs.FILE}. {why}")
        return []


def _identity(github: GitHub, present: Present, options: Document) -> Identity | None:
    """For the workspace that the options, or else the variables, name; None where something of it is missing."""
    values = repository_variables.pick({**present.variables, **_given(options)}, options["staging"])
    name = options["identity_name"] or azure.identity_name(github.repository, options["staging"])
    workspace = _workspace(values)
    return Identity(workspace, name) if workspace else None


def _workspace(values: Mapping[str, str]) -> Workspace | None:
    """The one that they name, if they do."""
    named = [values.get(name, "") for name in repository_variables.WORKSPACE]
    return Workspace(*named) if all(named) else None


def _again(github: GitHub, options: Document) -> list[str]:
    """The arguments of this run that the next one needs, too."""
    named = [("--reviewer", login) for login in options["logins"]] + [("--team", team) for team in options["teams"]]
    named += [("--branch", options["branch"])] * bool(options["branch"])
    return ["--repository", github.repository, *sum(named, ()), *["--staging"] * options["staging"]]


def _lines(lines: list[str]) -> str | None:
    return "\n".join(lines) or None


if __name__ == "__main__":
    main()
