"""Refuse a promotion that nobody has to approve: the reviewers it relies on may have gone, or never been there."""

from __future__ import annotations

import click

from scripts.lib.azure.waiting import say
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command
from scripts.lib.decisions.approval import Proposal
from scripts.lib.decisions.state import Refused
from scripts.lib.github import required_reviewers, step_output
from scripts.lib.github.api import CannotTell, GitHub
from scripts.lib.github.required_reviewers import NONE, PERSON, REVIEWERS


def _named(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("it is empty: name the environment whose reviewers must approve, `none` in staging.")
    return value


@command()
@click.argument("environment", callback=_named)
@click.option("--expect", type=option_types.proposal, help="What `review` printed: names green's commit.")
@click.option("--person", default="", metavar="LOGIN", help="Who promotes, in the place of reviewers.")
def main(environment: str, expect: Proposal | None, person: str) -> str:
    """Insist that ENVIRONMENT has required reviewers; prints `reviewers`, `person` or `none`.

    Without reviewers it must be a --person other than the author of green's commit. What GitHub doesn't tell counts
    as missing: exit code 1. Staging, which needs no approval, says `none` in the place of an environment.
    """
    try:
        relied_on = NONE if environment == NONE else _relied_on(environment, expect, person)
    except CannotTell as why:
        raise Refused(f"{why} Nothing is promoted. {required_reviewers.LET_READ}") from why
    told = {
        REVIEWERS: f"{environment} has required reviewers",
        PERSON: f"{environment} has no required reviewers; {person} is not the author of green",
        NONE: "nobody has to approve here",
    }[relied_on]
    say(told)
    step_output.summary(f"Reviewers: {told}")
    return relied_on


def _relied_on(environment: str, expect: Proposal | None, person: str) -> str:
    github = GitHub.here()
    why = required_reviewers.lacking(environment, github.environment(environment))
    if not why:
        return REVIEWERS
    if not person:
        raise Refused(f"{why} Nothing is promoted. {required_reviewers.mend(environment, github.page)}")
    sha = expect["green_commit"] if expect else ""
    required_reviewers.refuse_author(person, sha, github.commit(sha) if sha else None)
    return PERSON


if __name__ == "__main__":
    main()
