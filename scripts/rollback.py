"""Give all traffic back to what green replaces."""

from __future__ import annotations

import json

import click

from scripts import _github, _types
from scripts._command import command, endpoint_options, timeout_option
from scripts._endpoint import OnlineEndpoint
from scripts._rollout import Moved
from scripts._traffic import Shift, plan_rollback
from scripts._wait import Deadline, say

PATIENCE = 20.0  # seconds until blue's 100 % is written once more: that does no harm where it was only late


@command()
@endpoint_options
@click.option("--version", type=_types.VERSION, help="Only if green is this version: take back this rollout, no other.")
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
    _github.summary(f"Rollback: {shift.say}")
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
