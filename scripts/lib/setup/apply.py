"""Read how a repository is set up, and carry out a plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scripts.lib.azure.waiting import say
from scripts.lib.decisions.state import Refused
from scripts.lib.github.api import Denied, GitHub
from scripts.lib.github.environment import LISTED, Environment
from scripts.lib.setup.guard import RULESET, ruleset
from scripts.lib.setup.plan import (
    Action,
    AddBranch,
    AddRuleset,
    Present,
    PutEnvironment,
    reductions,
)

AGAIN = "What was done before stays. When this is mended run it again: it goes on from there."
ADMIN = (
    "The token must be an admin's: `gh auth token` of one, or a fine-grained one with Administration and Variables "
    "(write) and Actions (read). A reviewer must be able to read the repository."
)


def read(github: GitHub, environments: Iterable[str], branch: str) -> Present:
    """What there is of these environments, all variables, and whether `branch` is guarded. Raises CannotTell."""
    found = {name: there for name in environments if (there := _environment(github, name))}
    guarded = any(rule["type"] == "pull_request" for rule in github.rules(branch))
    return Present(found, github.variables(), guarded)


def apply(github: GitHub, actions: Iterable[Action]) -> dict[str, Environment]:
    """Do all of it; the environments for which GitHub's plan has fewer rules than planned, with what they got.

    Raises Refused, CannotTell.
    """
    reduced: dict[str, Environment] = {}
    for action in actions:
        try:
            reduced |= _do(github, action, reduced)
        except Denied as denied:
            raise Refused(f"{denied}\n{ADMIN}\n{AGAIN}") from denied
    return reduced


def _environment(github: GitHub, name: str) -> Environment | None:
    found = github.environment(name)
    if found is None or found.deploying != LISTED:
        return found
    return replace(found, policies=tuple(github.branch_policies(name)))


def _do(github: GitHub, action: Action, reduced: dict[str, Environment]) -> dict[str, Environment]:
    if isinstance(action, AddBranch) and not _has_list(action.environment, reduced):
        return {}
    say(action.say)
    if isinstance(action, PutEnvironment):
        got = _put(github, action)
        return {} if got == action.settings else {action.name: got}
    if isinstance(action, AddBranch):
        github.add_branch_policy(action.environment, action.branch)
    elif isinstance(action, AddRuleset):
        return _guard(github, action)
    else:
        github.set_variable(action.name, action.value)
    return {}


def _guard(github: GitHub, action: AddRuleset) -> dict[str, Environment]:
    try:
        github.add_ruleset(ruleset(action.branch, action.approvals))
    except Denied as denied:
        if not denied.for_lack_of_plan:
            raise
        say(f"Whoever may write can push to {action.branch}: the plan has no rulesets for a private repository.")
        return {RULESET: Environment()}
    return {}


def _has_list(environment: str, reduced: dict[str, Environment]) -> bool:
    """Whether the environment has got its list of branches, which a plan may lack."""
    return environment not in reduced or reduced[environment].deploying == LISTED


def _put(github: GitHub, action: PutEnvironment) -> Environment:
    """Set up an environment, with as many of its rules as GitHub's plan has.

    One that is refused may be there all the same, without any rule: GitHub makes it before it looks at the rules.
    """
    wanted = action.settings
    for less, why in reductions(action):
        try:
            github.put_environment(action.name, wanted.body())
        except Denied as denied:
            if not denied.for_lack_of_plan:
                raise
            say(why)
            wanted = less
        else:
            return wanted
    github.put_environment(action.name, wanted.body())
    return wanted
