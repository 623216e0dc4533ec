"""What a deploy has to do, given an endpoint's state and a model: pure decisions, without Azure."""

from dataclasses import dataclass

from scripts.lib.decisions.state import Deployment, EndpointState, Model, Refused, Shift, percentages


@dataclass(frozen=True)
class Plan:
    """What to remove, what to create, whether it gets all traffic at once, and the one line that says why.

    `deployment` holds the model in the end; `green` is to be promoted over `blue`, both "" where nothing is.
    `instances` is the least instance count of what is created.
    """

    deployment: str
    say: str
    green: str = ""
    blue: str = ""
    remove: tuple[str, ...] = ()
    create: bool = False
    instances: int = 1
    first: bool = False

    @property
    def done(self) -> bool:
        return not self.create and not self.first


def plan_deploy(endpoint: EndpointState, model: Model, first: str, prefix: str) -> Plan:
    """Decide how `model` gets onto the endpoint; `first` and `prefix` are the names in the two deployment YAMLs.

    Raises Refused where it must not: somebody took all traffic away, a rollout is in progress, a name is taken.
    """
    if not endpoint.traffic:
        return _first(endpoint, model, first)
    if len(endpoint.traffic) > 1:
        blue, green = endpoint.roles
        if green and blue and model.same(endpoint.deployments[green].model) and endpoint.deployments[green].healthy:
            return Plan(green, f"{green} is already being rolled out: {percentages(endpoint.traffic)}", green, blue)
        raise Refused(
            f"a rollout is in progress: {percentages(endpoint.traffic)}. "
            f"Finish it (promote --to {green} --percent 100) or go back (rollback), then deploy again."
        )
    (serving,) = endpoint.traffic
    live = endpoint.deployments[serving]
    if not model.same(live.model):
        return _green(endpoint, model, live, f"{prefix}-{model.version}")
    old = live.replaces if live.replaces in endpoint.deployments else ""
    kept = f"; {old}, which it replaced, stays at 0 % until delete_blue or the next deploy" if old else ""
    return Plan(serving, f"{serving} already serves this model with all traffic: nothing to deploy{kept}")


def plan_first_traffic(endpoint: EndpointState, name: str) -> Shift:
    """All traffic for the first deployment. Raises Refused where it isn't healthy, or somebody else gets requests."""
    split = {name: 100}
    if split == endpoint.traffic:
        return Shift(split, f"already there: {percentages(split)}", done=True)
    if endpoint.traffic or endpoint.mirror or not endpoint.deployments[name].healthy:
        raise Refused(
            f"{name} gets no traffic: it is {endpoint.deployments[name].state}; {percentages(endpoint.traffic)}."
        )
    return Shift(split, f"{name} gets all traffic")


def _first(endpoint: EndpointState, model: Model, name: str) -> Plan:
    healthy = [deployment.name for deployment in endpoint.deployments.values() if deployment.healthy]
    if healthy and not endpoint.first_rollout:
        raise Refused(
            f"somebody set {endpoint.name} to 0 %, and its deployments ({', '.join(healthy)}) get nothing. "
            f"Start it again first: promote --to {healthy[0]} --percent 100"
        )
    present = endpoint.deployments.get(name)
    if present and present.healthy and model.same(present.model):
        return Plan(name, f"{name} is there and gets all traffic", first=True)
    remove = (name,) if present else ()
    _check_not_mirrored(endpoint, remove)
    say = f"first rollout: {name} gets all traffic once it is healthy"
    return Plan(name, say, remove=remove, create=True, first=True)


def _green(endpoint: EndpointState, model: Model, live: Deployment, name: str) -> Plan:
    present = endpoint.deployments.get(name)
    if present and present.healthy and present.replaces == live.name and model.same(present.model):
        return Plan(name, f"{name} is already there, healthy, at 0 %", name, live.name)
    remove = tuple(d.name for d in endpoint.deployments.values() if d != live and _is_left_over(d, live, name))
    if name == live.name:
        raise Refused(f"{name} serves another model under this version's name. Register the model as a new version.")
    if present and name not in remove:
        raise Refused(f"a deployment {name} that no rollout made is in the way. Delete it, then deploy again.")
    _check_not_mirrored(endpoint, remove)
    say = f"{name} is created at 0 % to replace {live.name}"
    return Plan(name, say, name, live.name, remove, create=True, instances=live.instances)


def _is_left_over(deployment: Deployment, live: Deployment, wanted: str) -> bool:
    """Whether an earlier rollout made it, and it can't be of use: a green never promoted, a retired blue, our name."""
    if deployment.name == wanted:
        return bool(deployment.replaces) or not deployment.healthy
    return deployment.replaces == live.name or deployment.name == live.replaces


def _check_not_mirrored(endpoint: EndpointState, remove: tuple[str, ...]) -> None:
    if mirrored := [name for name in remove if name in endpoint.mirror]:
        raise Refused(f"the left-over {mirrored[0]} gets mirrored traffic. End the mirroring, then deploy again.")
