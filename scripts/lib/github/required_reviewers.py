"""Whether somebody must approve a promotion, or may stand in for that: pure decisions about GitHub's answers.

An environment that a workflow names but nobody made is created by GitHub without any rule: it looks like one with
reviewers. So what is not known counts as none here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scripts.lib.decisions.state import Refused
from scripts.lib.github.environment import Environment

REVIEWERS, PERSON, NONE = "reviewers", "person", "none"
"""What a promotion can rely on: reviewers of the environment, another person than the author, nothing (staging)."""
LET_READ = "Let GITHUB_TOKEN read it: in a job by `actions: read`, by hand GITHUB_TOKEN=$(gh auth token)."


def lacking(name: str, environment: Environment | None) -> str:
    """Why nobody would have to approve in an environment, None being one that nobody has made; "" if somebody must."""
    if environment is None:
        return f"nobody has made the environment {name}; GitHub would make it without any rule."
    return "" if environment.reviewers else f"the environment {name} has no required reviewers: nobody would be asked."


def mend(name: str, page: str) -> str:
    """How an environment gets reviewers. `page` is the repository's."""
    return (
        f"Add required reviewers to {name} at {page}/settings/environments, or run `python -m scripts.setup_github`. "
        "Where GitHub offers none (a private repository without Enterprise): somebody else than the commit's author "
        "starts promote.yml."
    )


def refuse_author(person: str, sha: str, commit: Mapping[str, Any] | None) -> None:
    """Raises Refused unless `person`, a login, is somebody other than who made green's commit.

    `sha` is that commit, "" where the deployment doesn't tell; `commit` is GitHub's answer for it. What isn't known
    refuses, too.
    """
    who = "without reviewers, somebody other than the commit's author has to start promote.yml"
    if person.lower().endswith("[bot]"):
        raise Refused(f"{who}, and {person} is nobody: it is a program. Nothing is promoted.")
    if not re.fullmatch("[0-9a-f]{40}", sha):
        raise Refused(f"{who}, but green has no tag `commit` that names one. Roll it out by rollout.yml.")
    if commit is None:
        raise Refused(f"{who}, but this repository has no commit {sha}. Roll green out by rollout.yml.")
    logins = {role: str((commit.get(role) or {}).get("login") or "") for role in ("author", "committer")}
    if unknown := [role for role, login in logins.items() if not login]:
        raise Refused(
            f"{who}, but GitHub knows no account of the {' and the '.join(unknown)} of {sha}. "
            "Commit with an address that belongs to an account, or have reviewers."
        )
    if person.lower() in {login.lower() for login in logins.values()}:
        raise Refused(
            f"{who}, and {person} is the author of {sha}. Nothing is promoted; ask somebody else to start it."
        )
