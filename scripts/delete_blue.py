"""Delete the deployment that the serving one has replaced."""

from __future__ import annotations

import json

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, again_on_conflict, say
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command, endpoint_options, timeout_option
from scripts.lib.decisions.approval import Proposal, check
from scripts.lib.decisions.state import percentages
from scripts.lib.decisions.traffic import plan_delete_blue
from scripts.lib.github import step_output


@command()
@endpoint_options
@click.argument("name", type=option_types.DEPLOYMENT)
@click.option("--expect", type=option_types.PROPOSAL, help="What `review` printed: refuse unless it still is so.")
@timeout_option(1800)
def main(endpoint: OnlineEndpoint, name: str, expect: Proposal | None, timeout: float) -> str:
    """Delete NAME; prints the split as JSON. From then on there is no rollback.

    Refused unless NAME has no traffic and the deployment with 100 % replaces it, and where versions or split are not
    what --expect says. Gone already is no error.
    """
    deadline = Deadline(timeout)
    deleted = again_on_conflict(lambda: _delete(endpoint, name, expect, deadline), deadline)
    done = f"{name} is {'deleted' if deleted else 'gone already'}"
    say(done)
    traffic = endpoint.read().traffic
    step_output.summary(f"{done}; traffic: **{percentages(traffic)}**")
    return json.dumps(dict(traffic))


def _delete(endpoint: OnlineEndpoint, name: str, expect: Proposal | None, deadline: Deadline) -> bool:
    endpoint.settled(deadline, also=lambda state: name in state.deployments and state.deployments[name].busy)
    state = endpoint.read()
    wanted = plan_delete_blue(state, name)
    if wanted and expect:
        check(state, expect)
    if wanted:
        endpoint.remove(name, deadline)
    return wanted


if __name__ == "__main__":
    main()
