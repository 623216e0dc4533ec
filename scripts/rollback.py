"""Give all traffic back to what green replaces."""

from __future__ import annotations

import json

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command, endpoint_options, timeout_option
from scripts.lib.decisions.state import Moved
from scripts.lib.decisions.traffic import Shift, plan_rollback
from scripts.lib.github import step_output

PATIENCE = 20.0  # seconds until blue's 100 % is written once more: that does no harm where it was only late


@command()
@endpoint_options
@click.option(
    "--version", type=option_types.VERSION, help="Only if green is this version: take back this rollout, no other."
)
@timeout_option(900)
def main(endpoint: OnlineEndpoint, version: int | None, timeout: float) -> str:
    """Put all traffic on blue in one call, at any point while it exists; prints the split as JSON.

    Without a blue, or without the endpoint, there is nothing to go back to, and that is no error. Whoever writes
    another split meanwhile is overruled, until --timeout.
    """
    deadline = Deadline(timeout)
    if endpoint.find() is None:
        shift = Shift({}, f"nothing to go back to: there is no endpoint {endpoint.name}", done=True)
    else:
        shift = _back(endpoint, str(version) if version else None, deadline)
    say(shift.say)
    step_output.summary(f"Rollback: {shift.say}")
    return json.dumps(dict(shift.split))


def _back(endpoint: OnlineEndpoint, version: str | None, deadline: Deadline) -> Shift:
    while True:
        try:
            return endpoint.shift(lambda state: plan_rollback(state, version), deadline, PATIENCE)
        except Moved as moved:  # a promotion that is still running, say: going back is worth more
            if deadline.passed:
                raise
            deadline.pause(f"{moved} Going back once more")


if __name__ == "__main__":
    main()
