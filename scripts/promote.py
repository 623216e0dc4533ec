"""Give green a share of the traffic, if the endpoint still is what the reviewer saw; blue keeps the rest."""

from __future__ import annotations

import json
from functools import partial

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import names, option_types
from scripts.lib.cli.command import command, endpoint_options, rollout_option, timeout_option
from scripts.lib.decisions.approval import plan_promotion
from scripts.lib.decisions.state import percentages
from scripts.lib.decisions.traffic import plan_shift
from scripts.lib.github import step_output


@command()
@endpoint_options
@click.option("--percent", type=click.IntRange(0, 100), required=True, help="Its share.")
@click.option("--to", type=names.deployment, metavar="NAME", help="A deployment by its name, instead of green.")
@click.option(
    "--expect",
    help="Refuse unless it is so now: what `review` printed, or with --to the split, default=90,xgboost-model-2=10.",
)
@click.option("--at-least", is_flag=True, help="Done where green has more already: only a person lowers its share.")
@rollout_option
@timeout_option(900)
def main(
    endpoint: OnlineEndpoint,
    percent: int,
    to: str | None,
    expect: str | None,
    at_least: bool,
    rollout: str,
    timeout: float,
) -> str:
    """Give green PERCENT of the traffic, and what it replaces the rest; prints the split as JSON.

    With --to another deployment gets it, 0 included, and its counterpart the rest. Refused where what gets more is not
    healthy, and where the endpoint is not what --expect says (without it: where anything but the pair has traffic).
    A split that is there already is done, so a repeated run goes on.
    """
    if to:
        split = None if expect is None else option_types.split(expect)
        plan = partial(plan_shift, to=to, percent=percent, rollout=rollout, expect=split)
    else:
        proposal = None if expect is None else option_types.proposal(expect)
        share = option_types.SHARE(percent)
        plan = partial(plan_promotion, percent=share, rollout=rollout, expected=proposal, at_least=at_least)
    shift = endpoint.shift(plan, Deadline(timeout))
    say(shift.say)
    step_output.summary(f"Traffic: **{percentages(shift.split)}**")
    return json.dumps(dict(shift.split))


if __name__ == "__main__":
    main()
