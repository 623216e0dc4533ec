"""Show the endpoint as JSON: its deployments, versions, split, and who is blue and green."""

from __future__ import annotations

import json
from typing import Any

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import say
from scripts.lib.cli.command import command, endpoint_options
from scripts.lib.decisions.metrics import metrics
from scripts.lib.decisions.situation import situation
from scripts.lib.decisions.state import Ambiguous, Deployment, EndpointState, percentages
from scripts.lib.github import step_output

TAGS = ("digest", "data_sha256", "commit", "run")


@command()
@endpoint_options
def main(endpoint: OnlineEndpoint) -> str:
    """Print the endpoint's state as JSON, without keys; one line on stderr says where in a rollout it is."""
    state = endpoint.read()
    say(situation(state))
    step_output.summary(f"**{state.name}**: {percentages(state.traffic)}; {situation(state)}")
    return json.dumps(describe(state), indent=2)


def describe(endpoint: EndpointState) -> dict[str, Any]:
    """The state as a JSON object; `blue` and `green` are null where there is none or it can't be told."""
    try:
        blue, green = endpoint.roles
    except Ambiguous:
        blue, green = None, None
    return {
        "endpoint": endpoint.name,
        "state": endpoint.state,
        "scoring_uri": endpoint.scoring_uri,
        "traffic": dict(endpoint.traffic),
        "mirror": dict(endpoint.mirror),
        "blue": blue,
        "green": green,
        "deployments": [_describe(d, endpoint) for d in endpoint.deployments.values()],
    }


def _describe(deployment: Deployment, endpoint: EndpointState) -> dict[str, Any]:
    return {
        "name": deployment.name,
        "model": deployment.model.name,
        "version": deployment.model.version,
        "state": deployment.state,
        "traffic": endpoint.traffic.get(deployment.name, 0),
        "instances": deployment.instances,
        "replaces": deployment.replaces,
        **{tag: deployment.tags[tag] for tag in (*metrics(deployment.tags), *TAGS) if tag in deployment.tags},
    }


if __name__ == "__main__":
    main()
