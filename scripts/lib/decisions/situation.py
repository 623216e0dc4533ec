"""Where in a rollout an endpoint is, in one line for people."""

from scripts.lib.decisions.record import live, marks, record
from scripts.lib.decisions.roles import roles
from scripts.lib.decisions.state import Ambiguous, EndpointState, percentages


def situation(endpoint: EndpointState) -> str:
    """There is a line for every state."""
    try:
        blue, green = roles(endpoint)
    except Ambiguous as why:
        return str(why)
    if not endpoint.traffic:
        if endpoint.first_rollout or not endpoint.deployments:
            return "nothing serves yet: the first rollout has not ended (deploy, then promote --percent 100)"
        return "nothing serves: somebody took all traffic away (promote --to NAME --percent 100 gives it back)"
    unhealthy = [f"{d.name} is {d.state}" for d in endpoint.deployments.values() if not d.healthy]
    learnt = [f"{name} {text}" for name, text in marks(endpoint).items()]
    foreign = ["no rollout wrote this split"] if record(endpoint) and not live(endpoint) else []
    return "; ".join([_progress(endpoint, blue, green), *foreign, *learnt, *unhealthy])


def _progress(endpoint: EndpointState, blue: str | None, green: str | None) -> str:
    if green is None:
        return f"{blue} serves; no rollout is in progress"
    percent = endpoint.traffic.get(green, 0)
    if percent == 100:
        return f"{green} serves; its blue {blue} is still there, so rollback works until delete_blue"
    if percent == 0:
        return f"{blue} serves; green {green} waits at 0 % (promote gives it a share)"
    return f"a rollout is in progress: {percentages(endpoint.traffic)} (promote goes on, rollback goes back)"
