"""Whether somebody must approve a promotion, or may stand in for that: pure decisions about GitHub's answers.

An environment that a workflow names but nobody made is created by GitHub without any rule: a gate that isn't there
looks like one that is. So what is not known counts as no gate here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scripts.lib.decisions.state import Refused
from scripts.lib.doctor.finding import OK, WRONG, Finding, cannot_tell, ok, wrong
from scripts.lib.github.api import CannotTell

Document = dict[str, Any]
WEB_FLOW = "web-flow"  # the account that GitHub itself commits as, for merges and edits on its pages
REVIEWERS, PERSON, NONE = "reviewers", "person", "none"
"""What a promotion can rely on: reviewers of the environment, another person than the author, nothing (staging)."""


def gate(name: str, environment: Document | CannotTell | None, settings: str) -> Finding:
    """Whether an environment has at least one required reviewer. `settings` is the page where that is set.

    None is an environment that nobody has made
    (docs.github.com/rest/deployments/environments#get-an-environment).
    """
    check = f"gate {name}"
    mend = (
        f"Add required reviewers to {name} at {settings}, or run `python -m scripts.setup_github`. Where GitHub offers "
        "none (a private repository without Enterprise): somebody else than the commit's author starts promote.yml."
    )
    if isinstance(environment, CannotTell):
        mend = "Let GITHUB_TOKEN read it: in a job by `actions: read`, by hand GITHUB_TOKEN=$(gh auth token)."
        return cannot_tell(check, environment, mend)
    if environment is None:
        return wrong(check, f"nobody has made the environment {name}; GitHub would make it without any rule.", mend)
    reviewers = names(rule(environment, "required_reviewers"))
    if not reviewers:
        return wrong(
            check, f"the environment {name} has no required reviewers: promotions would wait for nobody.", mend
        )
    return ok(check, f"{', '.join(reviewers)} must approve: one of them is enough.")


def rule(environment: Document, kind: str) -> Document:
    """A protection rule of an environment by its type; empty without one."""
    rules = environment.get("protection_rules") or []
    return next((found for found in rules if found.get("type") == kind), {})


def names(reviewers: Document) -> list[str]:
    """Who can approve, from the rule `required_reviewers`: logins of people, slugs of teams."""
    found = [entry.get("reviewer") or {} for entry in reviewers.get("reviewers") or []]
    return [str(who.get("login") or who.get("slug") or "somebody") for who in found]


def relies_on(found: Finding, person: str, sha: str, commit: Document | None) -> str:
    """REVIEWERS, or PERSON where there are none but a person other than green's author promotes.

    `sha` is green's commit, "" where its deployment doesn't tell; `commit` is GitHub's answer for it.
    Raises Refused for anything else, and for all that isn't known.
    """
    if found.verdict == OK:
        return REVIEWERS
    if not person or found.verdict != WRONG:
        raise Refused(f"{found.say} Nothing is promoted. {found.mend}")
    _refuse_author(person, sha, commit)
    return PERSON


def _refuse_author(person: str, sha: str, commit: Document | None) -> None:
    who = "without reviewers, somebody other than the commit's author has to start promote.yml"
    if person.lower().endswith("[bot]"):
        raise Refused(f"{who}, and {person} is nobody: it is a program. Nothing is promoted.")
    if not re.fullmatch("[0-9a-f]{40}", sha):
        raise Refused(f"{who}, but green has no tag `commit` that names one. Roll it out by rollout.yml.")
    if commit is None:
        raise Refused(f"{who}, but this repository has no commit {sha}. Roll green out by rollout.yml.")
    unknown = [role for role in ("author", "committer") if not login(commit, role)]
    if unknown:
        raise Refused(
            f"{who}, but GitHub knows no account of the {' and the '.join(unknown)} of {sha}. "
            "Commit with an address that belongs to an account, or have reviewers."
        )
    if person.lower() in authors(commit):
        raise Refused(
            f"{who}, and {person} is the author of {sha}. Nothing is promoted; ask somebody else to start it."
        )


def authors(commit: Document) -> set[str]:
    """Who made a commit, as logins in lower case; GitHub itself counts for nobody."""
    return {login(commit, role).lower() for role in ("author", "committer")} - {WEB_FLOW, ""}


def login(commit: Mapping[str, Any], role: str) -> str:
    """The account of a commit's author or committer, "" where GitHub knows none."""
    return str((commit.get(role) or {}).get("login") or "")
