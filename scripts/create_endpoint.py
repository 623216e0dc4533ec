"""Create the endpoint of endpoints/endpoint.yml; one that exists gets the description and tags of the file."""

from __future__ import annotations

from typing import Any

from scripts.lib.azure import endpoint_files, entities
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import Passing
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import endpoint_options
from scripts.lib.decisions.creating import Change, plan_endpoint
from scripts.lib.decisions.state import FIRST_ROLLOUT, EndpointState, percentages
from scripts.lib.decisions.tags import fitting
from scripts.lib.github import step_output


@command()
@endpoint_options
@timeout_option(900)
def main(endpoint: OnlineEndpoint, timeout: float) -> str:
    """Create the endpoint; prints its name.

    One that exists keeps everything, its traffic above all, but for the description and the tags of the file. Another
    way to log in, identity or network is refused. What a failed creation left is created anew.
    """
    deadline, file = Deadline(timeout), endpoint_files.endpoint(endpoint.name)

    wanted, place = endpoint_files.described(file, asked=True), _place(endpoint)

    def plan(state: EndpointState) -> Change:
        return plan_endpoint(state, endpoint_files.described(endpoint.look.entity), wanted, place)

    def write(change: Change, state: EndpointState) -> None:
        if change.create:
            file.tags = {**file.tags, **FIRST_ROLLOUT}
            endpoint.put(file, f"creating endpoint {endpoint.name}", deadline)
        else:
            _update(endpoint, change, state, deadline)

    change = endpoint.change(plan, write, deadline, absent=Change("is created", create=True))
    say(f"{endpoint.name} {change.say}")
    step_output.output(endpoint=endpoint.name)
    step_output.summary(f"Endpoint **{endpoint.name}** {change.say}")
    return endpoint.name


def _update(endpoint: OnlineEndpoint, change: Change, state: EndpointState, deadline: Deadline) -> None:
    """One call with the split as it was planned for: what somebody wrote meanwhile isn't written over."""
    entity: Any = endpoint.look.endpoint(deadline)
    now = entities.split(entity.traffic) if entity else {}
    if entity is None or now != state.traffic:
        raise Passing(f"somebody changed {endpoint.name} meanwhile: {percentages(now)}")
    entity.description = change.description or entity.description
    entity.tags = fitting(entity.tags or {}, change.tags, endpoint.name)
    endpoint.put(entity, f"writing description and tags of {endpoint.name}", deadline)


def _place(endpoint: OnlineEndpoint) -> str:
    return f"--resource-group {endpoint.workspace.resource_group} --workspace-name {endpoint.workspace.name}"


if __name__ == "__main__":
    main()
