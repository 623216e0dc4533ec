"""The way back: whom a rollback gives all traffic to, and when it may be deleted. Pure decisions, without Azure."""

from scripts.lib.decisions.state import EndpointState, Refused, Shift, candidates, percentages, unclear

SERVES = frozenset({"Succeeded", "Updating", "Scaling"})
"""States in which a deployment answers: one that is being changed does, with what it had before."""


def plan_rollback(endpoint: EndpointState, only_version: str | None = None) -> Shift:
    """Give all traffic to what green replaces. Without a blue there is nothing to do, which is no error.

    Which of several is green doesn't matter if all replace the same one. With a version only the rollout of that
    version is taken back: neither an earlier one that has ended well, nor what a person did who took all traffic away.
    Raises Refused then, and where it can't be told who blue is.
    """
    pairs = candidates(endpoint.traffic, endpoint.replaces)
    if len(set(pairs.values())) > 1:
        raise unclear("blue", endpoint.traffic, pairs)
    blue = next(iter(pairs.values()), None)
    greens = [deployment for deployment in endpoint.deployments.values() if deployment.replaces == blue]
    if blue is None or (only_version and only_version not in [green.model.version for green in greens]):
        return Shift(endpoint.traffic, f"nothing to go back to: {percentages(endpoint.traffic)}", done=True)
    split = {blue: 100}
    if split == endpoint.traffic:
        return Shift(split, f"already there: {percentages(split)}", done=True)
    if only_version and not endpoint.traffic:
        raise Refused(
            f"somebody took all traffic from {endpoint.name}, and the rollback of version {only_version} doesn't undo "
            f"that. To serve again: promote --to {blue} --percent 100"
        )
    if blue not in endpoint.traffic and endpoint.deployments[blue].state not in SERVES:
        raise Refused(f"{blue} is {endpoint.deployments[blue].state}: there is no way back.")
    return Shift(split, f"{percentages(endpoint.traffic)} → {percentages(split)}")


def plan_delete_blue(endpoint: EndpointState, name: str) -> Shift:
    """Delete `name`; done where it is gone already.

    Raises Refused unless it has no traffic and the deployment with all traffic replaces it.
    """
    if name not in endpoint.deployments:
        return Shift(endpoint.traffic, f"{name} is gone already", done=True)
    if name in endpoint.traffic or name in endpoint.mirror:
        raise Refused(f"{name} still gets traffic: {percentages({**endpoint.mirror, **endpoint.traffic})}. It stays.")
    serving = [endpoint.deployments[other] for other in endpoint.traffic]
    if len(serving) != 1 or serving[0].replaces != name:
        raise Refused(f"no deployment with all traffic replaces {name}: {percentages(endpoint.traffic)}. It stays.")
    if not serving[0].healthy:
        raise Refused(f"{serving[0].name}, which replaces {name}, is {serving[0].state}. {name} stays: the way back.")
    return Shift(endpoint.traffic, f"{name} is deleted")
