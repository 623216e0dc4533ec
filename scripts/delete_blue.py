"""Delete the deployment that the serving one has replaced."""

from __future__ import annotations

import json

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.judging import judged
from scripts.lib.azure.policy_file import of_the_file
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import names, option_types
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import endpoint_options
from scripts.lib.cli.taking_back import take_back_if_bad
from scripts.lib.decisions.approval import Proposal, check
from scripts.lib.decisions.state import EndpointState, Shift, percentages
from scripts.lib.decisions.way_back import plan_delete_blue
from scripts.lib.github import step_output


@command()
@endpoint_options
@click.argument("name", type=names.deployment)
@click.option("--expect", type=option_types.proposal, help="What `review` printed: refuse unless it still is so.")
@timeout_option(1800)
def main(endpoint: OnlineEndpoint, name: str, expect: Proposal | None, timeout: float) -> str:
    """Delete NAME; prints the split as JSON. From then on there is no rollback.

    Refused unless NAME has no traffic and the deployment with 100 % replaces it, and where versions or split are not
    what --expect says. With that live traffic is asked once more: an unhealthy green goes back instead. Gone already
    is no error.
    """
    deadline, policy = Deadline(timeout), of_the_file()

    def plan(state: EndpointState) -> Shift:
        step = plan_delete_blue(state, name)
        if expect and not step.done:
            check(state, expect)
            take_back_if_bad(endpoint, state, judged(endpoint, state, policy))  # the last moment for that
        return step

    endpoint.look.expect(name)
    step = endpoint.change(
        plan,
        lambda *_: endpoint.remove(name, deadline),
        deadline,
        busy=lambda state: state.busy or (name in state.deployments and state.deployments[name].busy),
    )
    say(step.say)
    step_output.summary(f"{step.say}; traffic: **{percentages(step.split)}**")
    return json.dumps(dict(step.split))


if __name__ == "__main__":
    main()
