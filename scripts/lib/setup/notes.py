"""What stays for a person to know or to do once GitHub is set up: pure, like the plan."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.lib.github import repository_variables
from scripts.lib.github.environment import Environment, Policy
from scripts.lib.setup.plan import Present, Wish


def notes(present: Present, wish: Wish, page: str) -> list[str]:
    """What stays for a person to do or to know. `page` is where the repository's environments are set up."""
    found = [
        note
        for name, needs_approval in wish.environments.items()
        if (there := present.environments.get(name))
        for note in (_approved if needs_approval else _free)(name, there, page, wish.branch)
    ]
    variables = {**present.variables, **wish.variables}
    missing = repository_variables.missing(variables, wish.staging)
    if repository_variables.once(variables):
        found.append(
            "a rollout's first approval is for its later stages, too, as long as live traffic calls green healthy; "
            f"`gh variable delete {repository_variables.APPROVALS}` asks at each stage again"
        )
    if not present.guarded and wish.approvals is None:
        found.append(
            f"whoever may write to the repository rolls out by a push to {wish.branch}: --ruleset lets changes "
            "in by pull request alone; by default it asks for no approval, so that a lone owner can merge"
        )
    return [*found, *([f"still to be set: the variables {', '.join(missing)}"] if missing else [])]


def _approved(name: str, there: Environment, page: str, branch: str) -> Iterator[str]:
    """What weakens an approval. GitHub's API can tell of the administrators' way round it, but not change it."""
    if there.reviewers and there.admins_bypass is not False:
        yield (
            f"administrators can pass by the reviewers of {name}, and GitHub's API can't change that: "
            f"untick “Allow administrators to bypass configured protection rules” on {_page(there, page)}"
        )
    if [reviewer.kind for reviewer in there.reviewers] == ["User"]:
        yield f"only {there.reviewers[0].name} may approve, and never their own rollouts: name a second reviewer"
    yield from _others(name, there, branch)


def _free(name: str, there: Environment, page: str, branch: str) -> Iterator[str]:
    """What makes an environment wait that should not."""
    if there.reviewers or there.wait_timer:
        yield f"jobs in {name} must not wait, a rollback least of all: take the rules away on {_page(there, page)}"
    yield from _others(name, there, branch)


def _others(name: str, there: Environment, branch: str) -> Iterator[str]:
    for policy in there.policies:
        if policy != Policy(branch):
            yield f"{policy.kind} {policy.name} may deploy to {name}, too; to take that away: {policy.removal(name)}"


def _page(there: Environment, page: str) -> str:
    return f"{page}/{there.id}/edit" if there.id else page
