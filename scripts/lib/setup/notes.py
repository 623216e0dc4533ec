"""What stays for a person to know or to do once GitHub is set up: pure, like the plan."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.lib.github import repository_variables
from scripts.lib.github.environment import Environment
from scripts.lib.setup.plan import Present, Wish


def notes(present: Present, wish: Wish, page: str) -> list[str]:
    """What stays for a person to do or to know. `page` is where the repository's environments are set up."""
    found = [
        note
        for name, needs_approval in wish.environments.items()
        if (there := present.environments.get(name))
        for note in (_approved(name, there, page) if needs_approval else _free(name, there, page))
    ]
    missing = repository_variables.missing({**present.variables, **wish.variables}, wish.staging)
    return [*found, *([f"still to be set: the variables {', '.join(missing)}"] if missing else [])]


def _approved(name: str, there: Environment, page: str) -> Iterator[str]:
    """What weakens an approval. GitHub's API can tell of the administrators' way round it, but not change it."""
    if there.reviewers and there.admins_bypass is not False:
        yield (
            f"administrators can pass by the reviewers of {name}, and GitHub's API can't change that: "
            f"untick “Allow administrators to bypass configured protection rules” on {_page(there, page)}"
        )
    if [reviewer.kind for reviewer in there.reviewers] == ["User"]:
        yield f"only {there.reviewers[0].name} may approve, and never their own rollouts: name a second reviewer"
    yield from _others(name, there, page)


def _free(name: str, there: Environment, page: str) -> Iterator[str]:
    """What makes an environment wait that should not."""
    if there.reviewers or there.wait_timer:
        yield f"jobs in {name} must not wait, a rollback least of all: take the rules away on {_page(there, page)}"
    yield from _others(name, there, page)


def _others(name: str, there: Environment, page: str) -> Iterator[str]:
    if len(there.branches) > 1:
        yield f"{', '.join(there.branches)} may all deploy to {name}; if one should not: {_page(there, page)}"


def _page(there: Environment, page: str) -> str:
    return f"{page}/{there.id}/edit" if there.id else page
