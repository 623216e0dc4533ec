"""Refuse what nobody has approved: reviewers may have gone, or be ignored, and an administrator may go past them."""

from __future__ import annotations

import os
import time

import click

from scripts.lib.azure.waiting import say
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command
from scripts.lib.decisions.approval import Proposal
from scripts.lib.decisions.state import Refused
from scripts.lib.github import required_reviewers, step_output
from scripts.lib.github.api import CannotTell, GitHub
from scripts.lib.github.authors import authors
from scripts.lib.github.environment import UNATTENDED
from scripts.lib.github.required_reviewers import NONE, PERSON, REVIEWERS, approvers

LAG = 3.0  # seconds before a second look: what isn't seen once may be there


def _named(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("it is empty: name the environment whose reviewers must approve, `none` in staging.")
    return value


@command()
@click.argument("environment", callback=_named)
@click.option("--seen", type=click.IntRange(0), help="Approvals that the job before saw: one more must be there now.")
@click.option("--job-in", default="", show_default=False, metavar="NAME", help="The environment that the job is in.")
@click.option("--expect", type=option_types.proposal, help="What `review` printed: says whose work it is.")
@click.option(
    "--person",
    default="",
    show_default=False,
    metavar="LOGIN",
    help="Who started it, and decides where nobody reviews.",
)
def main(environment: str, seen: int | None, job_in: str, expect: Proposal | None, person: str) -> str:
    """Insist that a reviewer of ENVIRONMENT approved this job; prints `reviewers`, `person` or `none`.

    An approval is one of this very run and, by --seen, for one job. Without --seen, which is before anybody is asked,
    it is enough that somebody must approve. The output `approvals` is what the next job takes for --seen. In the
    environment `unattended` those that were seen are enough: the first was for what follows it, too. With --person
    no program may have started the run, and where the environment has no reviewers it must be somebody other than who
    wrote it all. What GitHub doesn't tell counts as missing: exit code 1. Staging, which needs no approval, says `none`
    in the place of an environment.
    """
    if environment == NONE:
        return _tell(NONE, 0, "nobody has to approve here")
    try:
        github = GitHub.here()
        if person:
            required_reviewers.refuse_programs(person, github.run(_run()))
        if why := required_reviewers.lacking(environment, github.environment(environment)):
            if not person:
                raise Refused(
                    f"{why} {required_reviewers.UNTOUCHED} {required_reviewers.mend(environment, github.page)}"
                )
            return _tell(PERSON, 0, f"{why} {_stands_in(github, person, expect)}")
        if alone := job_in.lower() == UNATTENDED:
            required_reviewers.refuse_open(github.environment(UNATTENDED))
        approved = _approved(github, environment, seen, alone)
        if seen is None:
            return _tell(REVIEWERS, len(approved), f"{environment} has required reviewers")
        told = f"{environment}: approved in this run by {', '.join(approved)}"
        told += ", for what follows, too" * alone
        return _tell(REVIEWERS, len(approved), told, _work(github, expect, approved))
    except CannotTell as why:
        raise Refused(f"{why} {required_reviewers.UNTOUCHED} {required_reviewers.LET_READ}") from why


def _approved(github: GitHub, environment: str, seen: int | None, alone: bool) -> list[str]:
    """Who approved jobs of the environment in this run. Raises Refused where those that were seen are not enough."""
    found = approvers(environment, github.approvals(_run()))
    if seen is not None and not required_reviewers.enough(seen, found, alone):
        time.sleep(LAG)
        found = approvers(environment, github.approvals(_run()))
        required_reviewers.refuse_unapproved(environment, seen, found, alone)
    return found


def _run() -> int:
    run = os.environ.get("GITHUB_RUN_ID", "")
    if not run.isdigit():
        raise CannotTell("which run? GITHUB_RUN_ID is not set: start promote.yml, or promote by scripts.promote.")
    return int(run)


def _stands_in(github: GitHub, person: str, expect: Proposal | None) -> str:
    if expect is None:
        raise Refused(f"--expect doesn't say whose work it is. {required_reviewers.UNTOUCHED}")
    required_reviewers.refuse_author(person, wrote := authors(github, expect))
    return f"{person} stands in. {wrote.told}"


def _work(github: GitHub, expect: Proposal | None, approved: list[str]) -> str:
    """Whose work it is, and whether its only author approved it: that is told, since the reviewers were chosen."""
    try:
        wrote = authors(github, expect) if expect else None
    except CannotTell as why:
        return f"Who wrote it can't be told: {why}"
    if wrote is None or wrote.sole.lower() not in map(str.lower, approved):
        return wrote.told if wrote else ""
    return f"⚠ **{wrote.sole} wrote all of it**, and approved in this run. {wrote.told}"


def _tell(relied_on: str, approvals: int, *told: str) -> str:
    lines = list(filter(None, told))
    say("\n".join(lines))
    step_output.output(approvals=str(approvals))
    step_output.summary(*lines)
    return relied_on


if __name__ == "__main__":
    main()
