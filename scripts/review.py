"""Show a reviewer what is to be approved: green against blue, and what the approval will do."""

from __future__ import annotations

import json

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import names, option_types
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import endpoint_options
from scripts.lib.decisions.approval import Proposal, check, check_owner, propose
from scripts.lib.decisions.state import EndpointState, Refused, percentages
from scripts.lib.github import commits, review_text, step_output


@command()
@endpoint_options
@click.option(
    "--next", "job", default="", show_default=False, metavar="JOB", help="The job that asks for approval now, if any."
)
@click.option("--percent", type=option_types.SHARE, help="What that job gives green.")
@click.option("--bake", type=click.IntRange(0, 300), help="Minutes until blue is to be deleted, after 100 %.")
@click.option("--green", type=names.deployment, metavar="NAME", help="What `deploy` printed; else whoever is green.")
@click.option("--rollout", metavar="ID", help="Refuse unless green is this rollout's.")
@timeout_option(300)
def main(
    endpoint: OnlineEndpoint,
    job: str,
    percent: int | None,
    bake: int | None,
    green: str | None,
    rollout: str | None,
    timeout: float,
) -> str:
    """Compare green with blue for whoever approves JOB; prints the proposal as JSON, for --expect.

    It is the output `proposal`, too, which is empty where no job waits for it; `bake` is seconds. Refused where green
    is not healthy, and with --next where there is none.
    """
    if bake is not None and percent != 100:
        raise click.UsageError("--bake goes with --percent 100: blue is the way back until green has all.")
    endpoint.look.expect(green)
    state = endpoint.settled(Deadline(timeout)) or endpoint.read()
    proposal = propose(state, green)
    if proposal:
        _check(state, proposal, percent, bake, rollout)
        stage = bool(rollout)
        asks = review_text.consequence(proposal, job, percent, bake, stage) if job else "Nothing waits for approval."
        text = [
            *review_text.learnt(state),
            *review_text.age(proposal, commits.lost(proposal["blue_commit"], proposal["green_commit"])),
            review_text.comparison_table(state, proposal),
            f"Traffic now: **{percentages(state.traffic)}**",
            asks,
            *(review_text.side_effects(state, proposal, percent, stage) if job and percent else []),
        ]
    else:
        asks = f"In {state.name} there is nothing to promote: {percentages(state.traffic)}, and no green."
        text = [asks]
        if job:
            raise Refused(f"{asks} deploy makes one.")
    say(f"{percentages(state.traffic)}. {asks.replace('**', '')}")
    printed = json.dumps(proposal)  # null where there is no pair
    step_output.output(proposal=printed if job else "", bake="" if bake is None else str(60 * bake))
    step_output.summary(*text)
    return printed


def _check(
    state: EndpointState, proposal: Proposal, percent: int | None, bake: int | None, rollout: str | None
) -> None:
    """Raises Refused for what nobody should be asked to approve."""
    check(state, proposal)
    if rollout:
        check_owner(proposal, rollout)
    if not proposal["blue"] and (bake is not None or percent not in (None, 100)):
        raise Refused(
            f"{proposal['green']} is the endpoint's first deployment: it gets all traffic (--percent 100), and "
            "there is no blue to delete. Start promote.yml once more."
        )


if __name__ == "__main__":
    main()
