"""A copy that nobody has begun to set up: its first run is no failure, and says what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.lib.doctor.facts import GitHubFacts
from scripts.lib.doctor.finding import Unknown
from scripts.lib.github import step_output
from scripts.lib.github.environment import EVERY, PRODUCTION
from scripts.lib.github.repository_variables import missing

NOT_SET_UP = "doctor"  # the stage after which such a run stops


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
    step_output.output(**{"reviewers": "none", "stop-after": NOT_SET_UP})
    step_output.notice(
        "Not set up yet",
        f"Nothing is rolled out: this repository has neither variables nor environments. {guide} leads through it: "
        f"`python -m scripts.setup_github` sets the variables ({github.page}/settings/variables/actions) and makes the "
        f"environments ({github.page}/settings/environments). Then start {github.page}/actions/workflows/rollout.yml.",
    )
    return True
