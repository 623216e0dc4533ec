"""Runs with nothing to do, which say what comes next: a copy not set up yet, one in which nothing is trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from scripts.lib.decisions.state import Refused
from scripts.lib.doctor.facts import GitHubFacts
from scripts.lib.doctor.finding import Unknown
from scripts.lib.github import step_output
from scripts.lib.github.environment import EVERY, PRODUCTION
from scripts.lib.github.repository_variables import missing

HERE = "doctor"  # the stage after which such a run stops
TRAINING = Path("model/train.py")


def fresh(variables: Mapping[str, str], github: GitHubFacts) -> bool:
    """Whether nobody has begun to set this copy up, or it is the template itself; then what to do next is told.

    GitHub starts a rollout when it makes a copy, and the environment `deploy`, without any rule.
    """
    lacking, repository = missing(variables), github.repository
    template = not isinstance(repository, Unknown) and repository.get("is_template") is True
    if not lacking or (any(variables.values()) and not template):
        return False
    made = github.environment(PRODUCTION)
    if isinstance(made, Unknown) or (made and (made.reviewers or made.deploying != EVERY)):
        return False
    guide = f"{github.page}/blob/HEAD/docs/MAKE_IT_YOURS.md"
    step_output.output(**{"reviewers": "none", "stop-after": HERE})
    step_output.notice(
        "Not set up yet",
        f"Nothing is rolled out: this repository has neither variables nor environments. {guide} leads through it: "
        f"`python -m scripts.setup_github` sets the variables ({github.page}/settings/variables/actions) and makes the "
        f"environments ({github.page}/settings/environments). Then start {github.page}/actions/workflows/rollout.yml.",
    )
    return True


def untrained() -> bool:
    """Whether the models come from elsewhere, so that a push rolls nothing out: then that is told.

    Raises Refused where it is no push: somebody wants something rolled out.
    """
    if TRAINING.is_file():
        return False
    said = f"Nothing is trained here: there is no {TRAINING}. Start rollout.yml with a registered `version`"
    if os.environ.get("GITHUB_EVENT_NAME") != "push":
        raise Refused(f"{said}.")
    step_output.output(**{"reviewers": "none", "stop-after": HERE})
    step_output.notice("Nothing to roll out", f"{said}, if one is to have what was merged (docs/TRAINED_ELSEWHERE.md).")
    return True
