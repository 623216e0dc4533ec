"""Give a deployment a share of the traffic; its counterpart keeps the rest."""

from __future__ import annotations

import json

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command, endpoint_options, timeout_option
from scripts.lib.decisions.state import percentages
from scripts.lib.decisions.traffic import plan_shift
from scripts.lib.github import step_output


@command()
@endpoint_options
@click.option("--to", type=option_types.DEPLOYMENT, required=True, help="The deployment to give the share to.")
@click.option("--percent", type=option_types.PERCENT, required=True, help="Its share.")
@click.option(
    "--expect", type=option_types.SPLIT, help="Refuse unless the split is this now: default=90,xgboost-model-2=10"
)
@timeout_option(900)
def main(endpoint: OnlineEndpoint, to: str, percent: int, expect: dict[str, int] | None, timeout: float) -> str:
    """Give PERCENT of the traffic to one deployment and the rest to its counterpart; prints the split as JSON.

    Where the split is so already, nothing is written. Where it is not what --expect says (without it: not all on the
    pair), nothing is written either, and the exit code is 1.
    """
    shift = endpoint.shift(lambda state: plan_shift(state, to, percent, expect), Deadline(timeout))
    say(shift.say)
    step_output.summary(f"Traffic: **{percentages(shift.split)}**")
    return json.dumps(dict(shift.split))


if __name__ == "__main__":
    main()
