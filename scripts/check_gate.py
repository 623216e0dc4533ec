"""Refuse a promotion that nobody has to approve: the gate it relies on may have gone, or never been there."""

from __future__ import annotations

import click

from scripts import _github, _types
from scripts._command import command
from scripts._doctor import gate
from scripts._doctor.facts import AtGitHub
from scripts._doctor.finding import WRONG
from scripts._github_api import CannotTell
from scripts._review import Reviewed
from scripts._wait import say


@command()
@click.argument("environment")
@click.option("--expect", type=_types.REVIEWED, help="What `review` printed: names green's commit.")
@click.option("--person", default="", metavar="LOGIN", help="Who promotes, in the place of reviewers.")
def main(environment: str, expect: Reviewed | None, person: str) -> str:
    """Insist that ENVIRONMENT has required reviewers; prints `reviewers`, `person` or `none`.

    Without reviewers it must be a --person other than the author of green's commit. What GitHub doesn't tell counts
    as missing: exit code 1. An empty ENVIRONMENT (staging) needs no gate.
    """
    relied_on = _relied_on(environment, expect, person) if environment else gate.NONE
    told = {
        gate.REVIEWERS: f"{environment} has required reviewers",
        gate.PERSON: f"{environment} has no required reviewers; {person} is not the author of green's commit",
        gate.NONE: "this stage needs no approval",
    }[relied_on]
    say(told)
    _github.summary(f"Gate: {told}")
    return relied_on


def _relied_on(environment: str, expect: Reviewed | None, person: str) -> str:
    github = AtGitHub()
    found = gate.gate(environment, github.environment(environment), f"{github.page}/settings/environments")
    sha = expect.green.commit if expect else ""
    stands_in = person and sha and found.verdict == WRONG
    commit = github.ask(lambda known: known.commit(sha)) if stands_in else None
    if isinstance(commit, CannotTell):
        raise commit
    return gate.relies_on(found, person, sha, commit)


if __name__ == "__main__":
    main()
