"""What GitHub lacks before a repository can roll out: pure decisions about what is there and what is wished.

An environment is always replaced as a whole (docs.github.com/rest/deployments/environments), so every replacement
begins with what is set already: nothing that somebody else has set is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from scripts.lib.decisions.state import Refused
from scripts.lib.github.environment import EVERY, LISTED, Environment, Policy, Reviewer

MOST_REVIEWERS = 6
NO_REVIEWERS = (
    "NOBODY APPROVES: GitHub offers required reviewers in public repositories and with Enterprise only. "
    "{} is made without. A rollout stops after its smoke test then, and somebody else than the commit's author "
    "starts promote.yml."
)


def says(environment: Environment) -> list[str]:
    """What its rules are, for people."""
    return [
        f"{environment.names} may approve, one is enough" if environment.reviewers else "nobody has to approve",
        *(["nobody approves their own"] if environment.prevent_self_review else []),
        *([f"{environment.wait_timer} minutes wait"] if environment.wait_timer else []),
        f"for {environment.deploying}",
    ]


@dataclass(frozen=True)
class Present:
    """What there is: environments by name, those that nobody has made left out, and the repository's variables."""

    environments: Mapping[str, Environment]
    variables: Mapping[str, str]
    guarded: bool = False  # whether a ruleset demands a pull request


@dataclass(frozen=True)
class Wish:
    """What there should be. `environments` tells of each whether somebody must approve."""

    environments: Mapping[str, bool]
    branch: str
    reviewers: tuple[Reviewer, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    staging: bool = False
    approvals: int | None = None  # that the ruleset demands; None for no ruleset


@dataclass(frozen=True)
class PutEnvironment:
    """`before` is None for a new one."""

    name: str
    before: Environment | None
    settings: Environment

    @property
    def say(self) -> str:
        after = "; ".join(says(self.settings))
        if self.before is None:
            return f"create the environment {self.name}: {after}"
        return f"change the environment {self.name} from: {'; '.join(says(self.before))}; to: {after}"


@dataclass(frozen=True)
class AddBranch:
    environment: str
    branch: str

    @property
    def say(self) -> str:
        return f"let the branch {self.branch} deploy to {self.environment}"


@dataclass(frozen=True)
class SetVariable:
    name: str
    value: str
    before: str | None

    @property
    def say(self) -> str:
        return f"set the variable {self.name} to {self.value}" + (f" (now: {self.before})" if self.before else "")


@dataclass(frozen=True)
class AddRuleset:
    branch: str
    approvals: int

    @property
    def say(self) -> str:
        return f"let changes into {self.branch} by pull request alone, with {self.approvals} approvals or more"


Action = PutEnvironment | AddBranch | SetVariable | AddRuleset


def plan(present: Present, wish: Wish) -> list[Action]:
    """What to do, in order; nothing when all is as wished. Raises Refused for more reviewers than GitHub allows."""
    asked = wish.approvals is not None and not present.guarded
    guard = [AddRuleset(wish.branch, wish.approvals or 0)] if asked else []
    return [*_environments(present, wish), *_variables_to_set(present, wish), *guard]


def _environments(present: Present, wish: Wish) -> Iterator[Action]:
    for name, needs_approval in wish.environments.items():
        there = present.environments.get(name)
        before = there or Environment()
        after = replace(before, deploying=LISTED)
        if needs_approval:
            reviewers = _together(name, before.reviewers, wish.reviewers)
            after = replace(after, reviewers=reviewers, prevent_self_review=bool(reviewers))
        if there is None or after.body() != before.body():
            yield PutEnvironment(name, there, after)
        if Policy(wish.branch) not in before.policies:
            yield AddBranch(name, wish.branch)


def _together(name: str, there: tuple[Reviewer, ...], given: tuple[Reviewer, ...]) -> tuple[Reviewer, ...]:
    together = tuple(dict.fromkeys((*there, *given)))
    if len(together) > MOST_REVIEWERS:
        who = ", ".join(reviewer.name for reviewer in there)
        raise Refused(
            f"{name} would have {len(together)} reviewers, GitHub allows {MOST_REVIEWERS}. Nothing is changed. "
            f"There are {who}: name fewer new ones, or take some away on the environment's page."
        )
    return together


def _variables_to_set(present: Present, wish: Wish) -> Iterator[Action]:
    for name, value in wish.variables.items():
        if present.variables.get(name) != value:
            yield SetVariable(name, value, present.variables.get(name))


def reductions(action: PutEnvironment) -> Iterator[tuple[Environment, str]]:
    """What is left to ask for where GitHub's plan lacks a rule, less each time, with what that means.

    Nothing where there were reviewers already: they would be lost.
    """
    name, wanted = action.name, action.settings
    if action.before and action.before.reviewers:
        return
    open_to_all = replace(wanted, reviewers=(), prevent_self_review=False)
    if wanted.reviewers:
        yield open_to_all, NO_REVIEWERS.format(name)
    yield replace(open_to_all, deploying=EVERY), f"Every branch may deploy to {name}: the plan has no rule for that."
