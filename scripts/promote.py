"""Give green a share of the traffic, if the endpoint still is what the reviewer saw; blue keeps the rest."""

from __future__ import annotations

import json

import click

from scripts import _github, _types
from scripts._command import command, endpoint_options, timeout_option
from scripts._endpoint import OnlineEndpoint
from scripts._review import Reviewed, plan_promotion
from scripts._rollout import percentages
from scripts._wait import Deadline, say


@command()
@endpoint_options
@click.option("--percent", type=_types.SHARE, required=True, help="Green's share.")
@click.option("--expect", type=_types.REVIEWED, help="What `review` printed: refuse unless it still is so.")
@timeout_option(900)
def main(endpoint: OnlineEndpoint, percent: int, expect: Reviewed | None, timeout: float) -> str:
    """Give green PERCENT of the traffic, and what it replaces the rest; prints the split as JSON.

    Refused where green is not healthy, and where versions or split are not what --expect says (without it: where
    anything but the pair has traffic). A split that is there already is done, so a repeated run goes on.
    """
    shift = endpoint.shift(lambda state: plan_promotion(state, percent, expect), Deadline(timeout))
    say(shift.say)
    _github.summary(f"Traffic: **{percentages(shift.split)}**")
    return json.dumps(dict(shift.split))


if __name__ == "__main__":
    main()
