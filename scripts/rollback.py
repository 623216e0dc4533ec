"""Give all traffic back to what green replaces."""

from __future__ import annotations

import json

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli.command import command, endpoint_options, timeout_option
from scripts.lib.decisions.state import Shift
from scripts.lib.decisions.way_back import plan_rollback
from scripts.lib.github import step_output

PATIENCE = 20.0  # seconds until blue's 100 % is written once more: that does no harm where it was only late


@command()
@endpoint_options
@click.option(
    "--only-version",
    type=click.IntRange(min=1),
    help="Only if green is this version: take back this rollout, no other.",
)
@click.option("--version", hidden=True)
@timeout_option(900)
def main(endpoint: OnlineEndpoint, only_version: int | None, version: str | None, timeout: float) -> str:
    """Put all traffic on blue in one call, at any point while it exists; prints the split as JSON.

    Without a blue, or without the endpoint, there is nothing to go back to, and that is no error. Whoever writes
    another split meanwhile is overruled, until --timeout.
    """
    if version is not None:
        raise click.UsageError(
            "--version is --only-version now: it takes that version back, and doesn't go back to it. "
            "To serve an older version again, deploy it."
        )
    nowhere = Shift({}, f"nothing to go back to: there is no endpoint {endpoint.name}", done=True)
    only = str(only_version) if only_version else None
    shift = endpoint.shift(lambda state: plan_rollback(state, only), Deadline(timeout), nowhere, PATIENCE)
    say(shift.say)
    step_output.summary(f"Rollback: {shift.say}")
    return json.dumps(dict(shift.split))


if __name__ == "__main__":
    main()
