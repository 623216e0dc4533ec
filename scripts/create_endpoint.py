"""Create the endpoint of endpoints/endpoint.yml, unless it exists."""

from __future__ import annotations

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, again_on_conflict, say
from scripts.lib.azure.workspace import ENDPOINT, load_entity
from scripts.lib.cli.command import command, endpoint_options, timeout_option
from scripts.lib.decisions.state import FIRST_ROLLOUT, Refused
from scripts.lib.github import step_output


@command()
@endpoint_options
@timeout_option(900)
def main(endpoint: OnlineEndpoint, timeout: float) -> str:
    """Create the endpoint; prints its name. One that exists keeps everything, its traffic above all."""
    deadline = Deadline(timeout)
    created = again_on_conflict(lambda: _create_if_missing(endpoint, deadline), deadline)
    say(f"{endpoint.name} is {'created' if created else 'there already'}")
    step_output.output(endpoint=endpoint.name)
    step_output.summary(f"Endpoint **{endpoint.name}** {'created' if created else 'exists'}")
    return endpoint.name


def _create_if_missing(endpoint: OnlineEndpoint, deadline: Deadline) -> bool:
    state = endpoint.settled(deadline)
    if state is None:
        _create(endpoint, deadline)
        return True
    if state.state == "Failed" and not state.deployments:
        raise Refused(f"{endpoint.name} exists, but its creation failed. Run delete_endpoint, then this again.")
    return False


def _create(endpoint: OnlineEndpoint, deadline: Deadline) -> None:
    from azure.ai.ml import load_online_endpoint

    entity = load_entity(load_online_endpoint, ENDPOINT, name=endpoint.name)
    entity.tags = {**entity.tags, **FIRST_ROLLOUT}
    endpoint.put(entity, f"creating endpoint {endpoint.name}", deadline)


if __name__ == "__main__":
    main()
