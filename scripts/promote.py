"""Give green a share of the traffic, if the endpoint still is what the reviewer saw; blue keeps the rest."""

from __future__ import annotations

import json

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command, endpoint_options, timeout_option
from scripts.lib.decisions.approval import Reviewed, plan_promotion
from scripts.lib.decisions.state import percentages
from scripts.lib.github import step_output


@command()
@endpoint_options
@click.option("--percent", type=option_types.SHARE, required=True, help="Green's share.")
@click.option("--expect", type=option_types.REVIEWED, help="What `review` printed: refuse unless it still is so.")
@timeout_option(900)
def main(endpoint: OnlineEndpoint, percent: int, expect: Reviewed | None, timeout: float) -> str:
    """Give green PERCENT of the traffic, and what it replaces the rest; prints the split as JSON.

    Refused where green is not healthy, and where versions or split are not what --expect says (without it: where
    anything but the pair has traffic). A split that is there already is done, so a repeated run goes on.
    """
    shift = endpoint.shift(lambda state: plan_promotion(state, percent, expect), Deadline(timeout))
    say(shift.say)
    step_output.summary(f"Traffic: **{percentages(shift.split)}**")
    return json.dumps(dict(shift.split))


if __name__ == "__main__":
    main()
