"""Delete the endpoint with all its deployments."""

from __future__ import annotations

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, again_on_conflict, say, wait
from scripts.lib.cli.command import command, endpoint_options, timeout_option
from scripts.lib.decisions.state import Endpoint, percentages
from scripts.lib.github import step_output


@command()
@endpoint_options
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--confirm", metavar="NAME", help="Don't ask: delete if this is exactly the endpoint's name.")
@timeout_option(1800)
def main(endpoint: OnlineEndpoint, yes: bool, confirm: str | None, timeout: float) -> None:
    """Delete the endpoint and all its deployments, after asking. Registered models stay."""
    if yes and confirm is not None:
        raise click.UsageError("--yes or --confirm, not both.")
    if confirm is not None and confirm != endpoint.name:
        raise click.BadParameter(f"{confirm!r} is not {endpoint.name}. Nothing is deleted.", param_hint="--confirm")
    state = endpoint.find()
    if state is None:
        say(f"there is no endpoint {endpoint.name}")
        return
    if not yes and confirm is None:
        click.confirm(_question(state), abort=True, err=True)
    deadline = Deadline(timeout)
    again_on_conflict(lambda: _delete(endpoint, deadline), deadline)
    say(f"{endpoint.name} is deleted")
    step_output.summary(f"Endpoint **{endpoint.name}** deleted")


def _question(state: Endpoint) -> str:
    deployments = ", ".join(state.deployments) or "no deployments"
    return f"Delete {state.name} with {deployments}? It serves {percentages(state.traffic)}"


def _delete(endpoint: OnlineEndpoint, deadline: Deadline) -> None:
    poller = endpoint.client.online_endpoints.begin_delete(name=endpoint.name)
    wait(poller, f"deleting endpoint {endpoint.name}", deadline)


if __name__ == "__main__":
    main()
