"""Show the endpoint as JSON: its deployments, versions, split, and who is blue and green."""

from __future__ import annotations

import json
from typing import Any

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import say
from scripts.lib.cli.command import command
from scripts.lib.cli.place import endpoint_options
from scripts.lib.decisions.metrics import metrics
from scripts.lib.decisions.record import marks, record
from scripts.lib.decisions.roles import roles
from scripts.lib.decisions.situation import situation
from scripts.lib.decisions.state import Ambiguous, Deployment, EndpointState, Refused, percentages
from scripts.lib.github import step_output
from scripts.lib.github.api import GitHub
from scripts.lib.github.behind import behind

TAGS = ("digest", "data_sha256", "commit", "run")


@command()
@endpoint_options
def main(endpoint: OnlineEndpoint) -> str:
    """Print the endpoint's state as JSON, without keys; stderr says where in a rollout it is, if main is ahead."""
    state = endpoint.read()
    say(situation(state))
    say(_merged(state))
    step_output.summary(f"**{state.name}**: {percentages(state.traffic)}; {situation(state)}")
    return json.dumps(describe(state), indent=2)


def _merged(endpoint: EndpointState) -> str:
    """Whether what was merged last is what serves, as far as GitHub tells: without a token that is left open."""
    serving = max(endpoint.traffic, key=endpoint.traffic.__getitem__, default="")
    if not serving:
        return "nothing serves yet."
    try:
        return str(behind(GitHub.here(), endpoint.deployments[serving].tags.get("commit", "")))
    except Refused as why:
        return f"whether it is what was merged last can't be told: {why}"


def describe(endpoint: EndpointState) -> dict[str, Any]:
    """The state as a JSON object; `blue` and `green` are null where there is none or it can't be told."""
    try:
        blue, green = roles(endpoint)
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
        "record": _record(endpoint),
        "deployments": [_describe(d, endpoint) for d in endpoint.deployments.values()],
    }


def _record(endpoint: EndpointState) -> dict[str, Any] | None:
    """Who wrote the recorded split, and whom a rollback leads to; null where nothing is recorded."""
    found = record(endpoint)
    if found is None:
        return None
    return {
        "rollout": found.rollout,
        "direction": "back" if found.back else "forward",
        "blue": str(found.blue or ""),
        "green": str(found.green or ""),
        "split": dict(found.split),
        "at": found.at,
    }


def _describe(deployment: Deployment, endpoint: EndpointState) -> dict[str, Any]:
    return {
        "name": deployment.name,
        "model": deployment.model.name,
        "version": deployment.model.version,
        "state": deployment.state,
        "traffic": endpoint.traffic.get(deployment.name, 0),
        "instances": deployment.instances,
        "created": deployment.created,
        "replaces": deployment.replaces.name if deployment.replaces else "",
        "rollout": deployment.rollout,
        "learnt": marks(endpoint).get(deployment.name, ""),
        **{tag: deployment.tags[tag] for tag in (*metrics(deployment.tags), *TAGS) if tag in deployment.tags},
    }


if __name__ == "__main__":
    main()
