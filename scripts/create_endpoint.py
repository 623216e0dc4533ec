"""Create the endpoint of endpoints/endpoint.yml; one that exists gets the description and tags of the file."""

from __future__ import annotations

import re
from typing import Any

from scripts.lib.azure import endpoint_files
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import reason
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli.command import command, endpoint_options, timeout_option
from scripts.lib.decisions.creating import Change, plan_endpoint
from scripts.lib.decisions.state import FIRST_ROLLOUT, EndpointState, Overwritten, Refused, percentages, positive
from scripts.lib.github import step_output

TAKEN = re.compile(r"already an endpoint with this name|unique within|already taken|name '.*' is not available", re.I)
"""Azure's words, which have changed over time (Azure/mlops-project-template#29)."""


@command()
@endpoint_options
@timeout_option(900)
def main(endpoint: OnlineEndpoint, timeout: float) -> str:
    """Create the endpoint; prints its name.

    One that exists keeps everything, its traffic above all, but for the description and the tags of the file. Another
    way to log in, identity or network is refused. What a failed creation left is created anew.
    """
    deadline, file = Deadline(timeout), endpoint_files.endpoint(endpoint.name)

    def plan(state: EndpointState) -> Change:
        live = endpoint_files.described(endpoint.client.online_endpoints.get(endpoint.name))
        return plan_endpoint(state, live, endpoint_files.described(file, asked=True), _place(endpoint))

    def write(change: Change, state: EndpointState) -> None:
        _create(endpoint, file, deadline) if change.create else _update(endpoint, change, state, deadline)

    change = endpoint.change(plan, write, deadline, absent=Change("is created", create=True))
    say(f"{endpoint.name} {change.say}")
    step_output.output(endpoint=endpoint.name)
    step_output.summary(f"Endpoint **{endpoint.name}** {change.say}")
    return endpoint.name


def _create(endpoint: OnlineEndpoint, entity: Any, deadline: Deadline) -> None:
    from azure.core.exceptions import HttpResponseError

    entity.tags = {**entity.tags, **FIRST_ROLLOUT}
    try:
        endpoint.put(entity, f"creating endpoint {endpoint.name}", deadline)
    except HttpResponseError as error:
        if not TAKEN.search(why := reason(error)):
            raise
        raise Refused(
            f"another endpoint in this region is called {endpoint.name}: {why}\n"
            "Take another name: the variable ENDPOINT_NAME, or `name` in endpoints/endpoint.yml."
        ) from error


def _update(endpoint: OnlineEndpoint, change: Change, state: EndpointState, deadline: Deadline) -> None:
    """One call with the split as it was planned for: who changed it meanwhile is not written over."""
    entity: Any = endpoint.client.online_endpoints.get(endpoint.name)
    if (now := positive(entity.traffic)) != state.traffic:
        raise Overwritten(f"somebody changed the split meanwhile: {percentages(now)}. Nothing was written.")
    entity.description = change.description or entity.description
    entity.tags = {**(entity.tags or {}), **change.tags}
    endpoint.put(entity, f"writing description and tags of {endpoint.name}", deadline)


def _place(endpoint: OnlineEndpoint) -> str:
    return f"--resource-group {endpoint.workspace.resource_group} --workspace-name {endpoint.workspace.name}"


if __name__ == "__main__":
    main()
