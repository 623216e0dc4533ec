"""The ruleset that lets changes into the branch of the rollouts by pull request alone."""

from __future__ import annotations

from scripts.lib.github.environment import Document

RULESET = "Rollouts begin with a pull request"
"""Its name: by that it is found again, and undone."""


def ruleset(branch: str, approvals: int = 0) -> Document:
    """As GitHub takes it (docs.github.com/rest/repos/rules): with 0 approvals a lone owner can merge."""
    asked = {
        "required_approving_review_count": approvals,
        "dismiss_stale_reviews_on_push": approvals > 0,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_review_thread_resolution": False,
    }
    return {
        "name": RULESET,
        "target": "branch",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": [f"refs/heads/{branch}"], "exclude": []}},
        "rules": [{"type": "pull_request", "parameters": asked}, {"type": "deletion"}, {"type": "non_fast_forward"}],
    }
