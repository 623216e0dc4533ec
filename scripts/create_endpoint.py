"""Create the endpoint of endpoints/endpoint.yml, unless it exists."""

from __future__ import annotations

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.endpoint_files import load_entity
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.azure.workspace import ENDPOINT
from scripts.lib.cli.command import command, endpoint_options, timeout_option
from scripts.lib.decisions.state import FIRST_ROLLOUT, EndpointState, Refused, Shift
from scripts.lib.github import step_output


@command()
@endpoint_options
@timeout_option(900)
def main(endpoint: OnlineEndpoint, timeout: float) -> str:
    """Create the endpoint; prints its name. One that exists keeps everything, its traffic above all."""
    deadline = Deadline(timeout)
    step = endpoint.change(plan, lambda *_: _create(endpoint, deadline), deadline, absent=Shift({}, "is created"))
    say(f"{endpoint.name} {step.say}")
    step_output.output(endpoint=endpoint.name)
    step_output.summary(f"Endpoint **{endpoint.name}** {step.say}")
    return endpoint.name


def plan(state: EndpointState) -> Shift:
    """What to do about an endpoint that exists: nothing."""
    if state.state == "Failed" and not state.deployments:
        raise Refused(f"{state.name} exists, but its creation failed. Run delete_endpoint, then this again.")
    return Shift(state.traffic, "is there already", done=True)


def _create(endpoint: OnlineEndpoint, deadline: Deadline) -> None:
    from azure.ai.ml import load_online_endpoint

    entity = load_entity(load_online_endpoint, ENDPOINT, name=endpoint.name)
    entity.tags = {**entity.tags, **FIRST_ROLLOUT}
    endpoint.put(entity, f"creating endpoint {endpoint.name}", deadline)


if __name__ == "__main__":
    main()
