"""What the doctor asks of GitHub by hand only: it stops no rollout, and a job's token mostly may not read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from scripts.lib.doctor import checks
from scripts.lib.doctor.facts import GitHubFacts, told
from scripts.lib.doctor.finding import Finding, Unknown
from scripts.lib.github import triggers


def hidden(github: GitHubFacts, name: str, variables: Mapping[str, str]) -> Iterator[Finding]:
    """What the page of an environment has beside its rules, of those that are there."""
    if github.environment(name) is None:
        return
    yield from checks.app_rules(name, github.ask(lambda it: it.apps(name)), f"{github.page}/settings/environments")
    yield checks.environment_variables(name, github.ask(lambda it: it.environment_variables(name)), variables)


def beginning(github: GitHubFacts) -> Iterator[Finding]:
    """Where rollouts begin: on the default branch, by a merge."""
    branch = github.default_branch
    pushes = {path: told(partial(triggers.push, path)) for path in (triggers.ROLLOUT, triggers.CHECKS)}
    there = {path: push for path, push in pushes.items() if not isinstance(push, Unknown)}
    yield checks.starts(branch, there, {path: triggers.line(path) for path in there})
    if not isinstance(branch, Unknown):
        rules, protected = github.ask(lambda it: it.rules(branch)), github.is_protected(branch)
        yield checks.guard(
            branch, protected if isinstance(protected, Unknown) else rules, protected is True, github.page
        )
