"""Give all traffic back to what served before."""

from __future__ import annotations

import json
from functools import partial

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import names
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import endpoint_options, rollout_option
from scripts.lib.decisions.way_back import plan_own_rollback, plan_rollback
from scripts.lib.github import step_output

PATIENCE = 20.0  # seconds until blue's 100 % is written once more: that does no harm where it was only late


@command()
@endpoint_options
@click.option("--to", type=names.deployment, metavar="NAME", help="This deployment, instead of what served before.")
@click.option("--own", is_flag=True, help="Only from a split that the rollout --rollout wrote; all else is left alone.")
@rollout_option
@timeout_option(900)
def main(endpoint: OnlineEndpoint, to: str | None, own: bool, rollout: str, timeout: float) -> str:
    """Put all traffic on what served before, in one call; prints the split as JSON.

    Once there, another rollback changes nothing: it never goes further back. Whoever writes another split meanwhile is
    overruled, until --timeout. Refused where nothing proves what served before, or that is gone.
    """
    if to and own:
        raise click.UsageError("--to or --own, not both.")
    plan = partial(plan_own_rollback, rollout=rollout) if own else partial(plan_rollback, rollout=rollout, to=to)
    endpoint.look.expect(to)
    shift = endpoint.shift(plan, Deadline(timeout), patience=PATIENCE)
    say(shift.say)
    step_output.output(target=next(iter(shift.split), ""))
    step_output.summary(f"Rollback: {shift.say}")
    return json.dumps(dict(shift.split))


if __name__ == "__main__":
    main()
