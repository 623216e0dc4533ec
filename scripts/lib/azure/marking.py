"""What was learnt of a deployment is kept on the endpoint, for the next review."""

from __future__ import annotations

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import explain
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.decisions import record
from scripts.lib.decisions.state import Deployment, EndpointState, Shift

MARKING = 120.0  # seconds


def mark(endpoint: OnlineEndpoint, deployment: Deployment, what: str, rollout: str) -> None:
    """Mark it under the split that is there: `what`, the day, whose rollout. That this fails is no other failure."""
    text = f"{what} on {record.now()[:10]}, {rollout}"

    def plan(state: EndpointState) -> Shift:
        gone = state.standing(deployment.ref) is None
        return Shift(state.traffic, "marked", done=gone, tags=record.mark(deployment, text))

    try:
        endpoint.shift(plan, Deadline(MARKING))
    except Exception as error:
        if (why := explain(error)) is None:
            raise
        say(f"{deployment.name} is not marked for the next review: {why}")
