"""What GitHub lacks before a repository can roll out: pure decisions about what is there and what is wished.

An environment is always replaced as a whole (docs.github.com/rest/deployments/environments), so every replacement
begins with what is set already: nothing that somebody else has set is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scripts.lib.decisions.state import Refused

MOST_REVIEWERS = 6
EVERY, PROTECTED, LISTED = "every branch", "protected branches only", "listed branches only"
NO_REVIEWERS = (
    "There is NO GATE: GitHub offers required reviewers in public repositories and with Enterprise only. "
    "{} is made without. A rollout stops after its smoke test then, and somebody else than the commit's author "
    "starts promote.yml."
)
Document = dict[str, Any]


@dataclass(frozen=True)
class Reviewer:
    """A `User` or a `Team` by GitHub's id; its name, a login or `ORG/SLUG`, is for people."""

    kind: str
    id: int
    name: str = field(compare=False)


@dataclass(frozen=True)
class Settings:
    """What is set of an environment. `deploying` is one of the three above, `branches` the list for the last."""

    reviewers: tuple[Reviewer, ...] = ()
    prevent_self_review: bool = False
    wait_timer: int = 0  # minutes
    deploying: str = EVERY
    branches: tuple[str, ...] = ()
    admins_bypass: bool = True
    id: int | None = None

    def body(self) -> Document:
        """The body of the PUT that sets all this, but for the list of branches."""
        rule = {"protected_branches": self.deploying == PROTECTED, "custom_branch_policies": self.deploying == LISTED}
        return {
            "wait_timer": self.wait_timer,
            "prevent_self_review": self.prevent_self_review,
            "reviewers": [{"type": reviewer.kind, "id": reviewer.id} for reviewer in self.reviewers] or None,
            "deployment_branch_policy": None if self.deploying == EVERY else rule,
        }

    def says(self) -> list[str]:
        """The same for people."""
        who = ", ".join(reviewer.name for reviewer in self.reviewers)
        return [
            f"{who} may approve, one is enough" if who else "nobody has to approve",
            *(["nobody approves their own"] if self.prevent_self_review else []),
            *([f"{self.wait_timer} minutes wait"] if self.wait_timer else []),
            f"for {self.deploying}",
        ]


@dataclass(frozen=True)
class Present:
    """What there is: environments by name, those that nobody has made left out, and the repository's variables."""

    environments: Mapping[str, Settings]
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Wish:
    """What there should be. `environments` tells of each whether somebody must approve."""

    environments: Mapping[str, bool]
    branch: str
    reviewers: tuple[Reviewer, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    stage: str = ""


@dataclass(frozen=True)
class PutEnvironment:
    """`before` is None for a new one."""

    name: str
    before: Settings | None
    settings: Settings

    @property
    def say(self) -> str:
        after = "; ".join(self.settings.says())
        if self.before is None:
            return f"create the environment {self.name}: {after}"
        return f"change the environment {self.name} from: {'; '.join(self.before.says())}; to: {after}"


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


Action = PutEnvironment | AddBranch | SetVariable


def settings(document: Document, branches: list[str]) -> Settings:
    """An environment as GitHub tells it, with the names of its branch policies."""
    rules: dict[str, Document] = {rule["type"]: rule for rule in document.get("protection_rules") or ()}
    required, policy = rules.get("required_reviewers", {}), document.get("deployment_branch_policy") or {}
    listed = LISTED if policy.get("custom_branch_policies") else EVERY
    return Settings(
        reviewers=tuple(_reviewer(entry) for entry in required.get("reviewers") or ()),
        prevent_self_review=bool(required.get("prevent_self_review")),
        wait_timer=int(rules.get("wait_timer", {}).get("wait_timer", 0)),
        deploying=PROTECTED if policy.get("protected_branches") else listed,
        branches=tuple(branches),
        admins_bypass=bool(document.get("can_admins_bypass", True)),
        id=document.get("id"),
    )


def plan(present: Present, wish: Wish) -> list[Action]:
    """What to do, in order; nothing when all is as wished. Raises Refused for more reviewers than GitHub allows."""
    return [*_environments(present, wish), *_variables_to_set(present, wish)]


def _environments(present: Present, wish: Wish) -> Iterator[Action]:
    for name, needs_approval in wish.environments.items():
        there = present.environments.get(name)
        before = there or Settings()
        after = replace(before, deploying=LISTED)
        if needs_approval:
            reviewers = _together(name, before.reviewers, wish.reviewers)
            after = replace(after, reviewers=reviewers, prevent_self_review=bool(reviewers))
        if there is None or after.body() != before.body():
            yield PutEnvironment(name, there, after)
        if wish.branch not in before.branches:
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


def reductions(action: PutEnvironment) -> Iterator[tuple[Settings, str]]:
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


def _reviewer(entry: Document) -> Reviewer:
    who = entry["reviewer"]
    return Reviewer(entry["type"], who["id"], who.get("login") or who.get("slug") or str(who["id"]))
