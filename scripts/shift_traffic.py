"""Give a deployment a share of the traffic; its counterpart keeps the rest."""

from __future__ import annotations

import json

import click

from scripts import _github, _types
from scripts._command import command, endpoint_options, timeout_option
from scripts._endpoint import OnlineEndpoint
from scripts._rollout import percentages
from scripts._traffic import plan_shift
from scripts._wait import Deadline, say


@command()
@endpoint_options
@click.option("--to", type=_types.DEPLOYMENT, required=True, help="The deployment to give the share to.")
@click.option("--percent", type=_types.PERCENT, required=True, help="Its share.")
@click.option("--expect", type=_types.SPLIT, help="Refuse unless the split is this now: default=90,xgboost-model-2=10")
@timeout_option(900)
def main(endpoint: OnlineEndpoint, to: str, percent: int, expect: dict[str, int] | None, timeout: float) -> str:
    """Give PERCENT of the traffic to one deployment and the rest to its counterpart; prints the split as JSON.

    Where the split is so already, nothing is written. Where it is not what --expect says (without it: not all on the
    pair), nothing is written either, and the exit code is 1.
    """
    shift = endpoint.shift(lambda state: plan_shift(state, to, percent, expect), Deadline(timeout))
    say(shift.say)
    _github.summary(f"Traffic: **{percentages(shift.split)}**")
    return json.dumps(dict(shift.split))


if __name__ == "__main__":
    main()
