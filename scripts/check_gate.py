"""Refuse a promotion that nobody has to approve: the gate it relies on may have gone, or never been there."""

from __future__ import annotations

import click

from scripts.lib.azure.waiting import say
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command
from scripts.lib.decisions.approval import Reviewed
from scripts.lib.doctor.facts import AtGitHub
from scripts.lib.doctor.finding import WRONG
from scripts.lib.github import required_reviewers, step_output
from scripts.lib.github.api import CannotTell


@command()
@click.argument("environment")
@click.option("--expect", type=option_types.REVIEWED, help="What `review` printed: names green's commit.")
@click.option("--person", default="", metavar="LOGIN", help="Who promotes, in the place of reviewers.")
def main(environment: str, expect: Reviewed | None, person: str) -> str:
    """Insist that ENVIRONMENT has required reviewers; prints `reviewers`, `person` or `none`.

    Without reviewers it must be a --person other than the author of green's commit. What GitHub doesn't tell counts
    as missing: exit code 1. An empty ENVIRONMENT (staging) needs no gate.
    """
    relied_on = _relied_on(environment, expect, person) if environment else required_reviewers.NONE
    told = {
        required_reviewers.REVIEWERS: f"{environment} has required reviewers",
        required_reviewers.PERSON: f"{environment} has no required reviewers; {person} is not the author of green",
        required_reviewers.NONE: "this stage needs no approval",
    }[relied_on]
    say(told)
    step_output.summary(f"Gate: {told}")
    return relied_on


def _relied_on(environment: str, expect: Reviewed | None, person: str) -> str:
    github = AtGitHub()
    found = required_reviewers.gate(
        environment, github.environment(environment), f"{github.page}/settings/environments"
    )
    sha = expect.green.commit if expect else ""
    stands_in = person and sha and found.verdict == WRONG
    commit = github.ask(lambda known: known.commit(sha)) if stands_in else None
    if isinstance(commit, CannotTell):
        raise commit
    return required_reviewers.relies_on(found, person, sha, commit)


if __name__ == "__main__":
    main()
