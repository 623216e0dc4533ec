"""What a deploy has to do, given an endpoint's state and a model: pure decisions, without Azure."""

from __future__ import annotations

from dataclasses import dataclass, field

from scripts.lib.decisions.file_rules import LONGEST, room
from scripts.lib.decisions.model_folder import short
from scripts.lib.decisions.record import Record, claim, claimed, marks, record, written
from scripts.lib.decisions.roles import owner, pairs, roles
from scripts.lib.decisions.settings import Settings, fits
from scripts.lib.decisions.state import (
    SERVES,
    Deployment,
    EndpointState,
    Model,
    Refused,
    Shift,
    end_mirroring,
    percentages,
)
from scripts.lib.decisions.way_back import kept, superfluous

MOST = 20  # deployments of an endpoint (how-to-manage-quotas)


@dataclass(frozen=True)
class Plan:
    """What to create, what to remove before and after that, and the one line that says why.

    `deployment` holds the model in the end; `green` is to be promoted over `blue`, both "" where nothing is; `first` is
    to get all traffic once it is tested. `instances` is the least count of what is created, or of what is used
    (`scale`). `take_over` is this rollout's claim on a green that stands already.
    """

    deployment: str
    say: str
    green: str = ""
    blue: str = ""
    create: bool = False
    scale: bool = False
    remove: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    instances: int = 1
    first: bool = False
    take_over: Shift | None = None

    @property
    def done(self) -> bool:
        return not (self.create or self.scale or self.after or self.take_over)


@dataclass(frozen=True)
class Wanted:
    """What is to be deployed: a model with settings, the rollout's id, and the names in the two deployment files.

    An endpoint's first deployment has settings of its own.
    """

    model: Model
    settings: Settings
    rollout: str
    first: str
    prefix: str
    first_settings: Settings = field(default_factory=Settings)

    def fits(self, deployment: Deployment) -> bool:
        return self.model.same(deployment.model) and fits(deployment, self.settings)


def plan_deploy(endpoint: EndpointState, wanted: Wanted) -> Plan:
    """Decide how a model gets onto the endpoint. What serves, and the way back, stays until green is approved.

    Raises Refused where it must not: somebody took all traffic away, a rollout is in progress, no name is free.
    """
    if not endpoint.traffic:
        return _first(endpoint, wanted)
    if len(endpoint.traffic) > 1:
        return _in_progress(endpoint, wanted)
    (serving,) = endpoint.traffic
    live_one = endpoint.deployments[serving]
    if wanted.fits(live_one):
        return Plan(serving, f"{serving} already serves this model with all traffic: nothing to deploy")
    return _green(endpoint, wanted, live_one)


def _in_progress(endpoint: EndpointState, wanted: Wanted) -> Plan:
    blue, green = roles(endpoint)
    if blue and green and wanted.fits(endpoint.deployments[green]) and endpoint.deployments[green].healthy:
        say = f"{green} is already being rolled out: {percentages(endpoint.traffic)}"
        return Plan(green, say, green, blue, take_over=_take_over(endpoint, wanted.rollout, blue, green))
    raise Refused(
        f"a rollout is in progress: {percentages(endpoint.traffic)}. "
        f"Finish it (promote --to {green} --percent 100) or go back (rollback), then deploy again."
    )


def _first(endpoint: EndpointState, wanted: Wanted) -> Plan:
    answering = [deployment.name for deployment in endpoint.deployments.values() if deployment.state in SERVES]
    if answering and not endpoint.first_rollout:
        raise Refused(
            f"somebody set {endpoint.name} to 0 %, and its deployments ({', '.join(answering)}) get nothing. "
            f"Start it again first: promote --to {answering[0]} --percent 100"
        )
    present = endpoint.deployments.get(wanted.first)
    if present and present.busy:
        raise _at_work(present)
    fit = present and wanted.model.same(present.model) and fits(present, wanted.first_settings)
    if present and present.healthy and fit:
        return Plan(present.name, f"{present.name} is there, healthy, at 0 %: the first", first=True)
    if present and present.healthy and (not present.ours or _foreign(endpoint, present, wanted.rollout)):
        raise _in_the_way(endpoint, [present.name])
    if why := room(wanted.prefix, wanted.model.version):  # not as late as with the second rollout
        raise Refused(f"endpoints/green-deployment.yml: `name` {why}. Nothing is deployed.")
    remove = (present.name,) if present else ()
    _check_not_mirrored(endpoint, remove)
    say = f"first rollout: {wanted.first} is created at 0 %, to get all traffic after its smoke test"
    return Plan(wanted.first, say, remove=remove, create=True, first=True)


def _green(endpoint: EndpointState, wanted: Wanted, blue: Deployment) -> Plan:
    if standing := _standing(endpoint, wanted, blue):
        shift = _take_over(endpoint, wanted.rollout, blue.name, standing.name)
        return Plan(
            standing.name,
            f"{standing.name} already stands, healthy, at 0 %: it is to replace {blue.name}",
            standing.name,
            blue.name,
            scale=standing.instances < blue.instances,
            after=_left_over(endpoint, wanted, blue, standing.name),
            instances=blue.instances,
            take_over=shift,
        )
    name = _name(endpoint, wanted, blue)
    if len(endpoint.deployments.keys() - {name}) >= MOST:
        raise Refused(f"{endpoint.name} has {MOST} deployments, as many as Azure allows. {make_room(endpoint)}")
    remove = (name,) if name in endpoint.deployments else ()
    after = _left_over(endpoint, wanted, blue, name)
    say = f"{name} is created at 0 % to replace {blue.name}"
    return Plan(name, say, name, blue.name, True, remove=remove, after=after, instances=blue.instances)


def make_room(endpoint: EndpointState) -> str:
    """Which command makes room for another deployment, where Azure doesn't allow one more."""
    old, waiting = kept(endpoint), (green for green, blue in pairs(endpoint).items() if blue in endpoint.traffic)
    can_go = [*superfluous(endpoint), *waiting, *([old.name] if old else [])]
    if idle := [name for name in can_go if name not in endpoint.traffic]:
        return f"To make room: delete_blue {idle[0]}; if that is the way back, there is none from then on."
    return "No deployment of it is idle: ask for more quota, or take a smaller instance_type or instance_count."


def _standing(endpoint: EndpointState, wanted: Wanted, blue: Deployment) -> Deployment | None:
    """A healthy deployment of that very model and settings, made by a rollout: best one that is to replace blue."""
    found = [
        d
        for d in endpoint.deployments.values()
        if d.ours and d.healthy and wanted.fits(d) and d.name not in (blue.name, *endpoint.mirror)
    ]
    waiting = pairs(endpoint)
    return min(found, key=lambda d: waiting.get(d.name) != blue.name, default=None)


def _take_over(endpoint: EndpointState, rollout: str, blue: str, green: str) -> Shift | None:
    """The tags that make a green this rollout's, written with the same split; None where it is already.

    A way back that was to be green again, in place of it, is only the way back from then on.
    """
    found, split, old, new = pairs(endpoint), endpoint.traffic, endpoint.deployments[blue], endpoint.deployments[green]
    mine = owner(endpoint, green) == rollout and found.get(green) == blue
    say = f"{green} is this rollout's now, not {owner(endpoint, green) or 'nobody'}'s"
    if green in split:
        last = record(endpoint)
        known = last.blue if last and endpoint.standing(last.green) == new else old.ref
        return None if mine else Shift(split, say, tags=written(endpoint, Record(rollout, known, new.ref, split)))
    tags = {} if mine else claimed(new, rollout, old.ref)
    for other in (old, kept(endpoint)):
        if other and other != new and found.get(other.name) in (blue, green):
            tags |= claimed(other, rollout, None)
            say += f"; {other.name} is no longer to replace {found[other.name]}"
    return Shift(split, say, tags=tags) if tags else None


def _name(endpoint: EndpointState, wanted: Wanted, blue: Deployment) -> str:
    """A free name for green: of its version, with its settings' digest where another has that.

    One that failed and never served is free. Raises Refused where even the longer name is taken, or gets too long.
    """
    base = f"{wanted.prefix}-{wanted.model.version}"
    names = [base, f"{base}-{wanted.settings.digest[:4]}", f"{base}-{short(wanted.model.digest)[:4]}"]
    for name in (name.rstrip("-") for name in names):
        present = endpoint.deployments.get(name)
        if present and present.busy:
            raise _at_work(present)
        if present is None or (present.ours and not _needed(endpoint, present)):
            if len(name) > LONGEST:
                raise Refused(f"{name} is longer than {LONGEST}: shorten `name` in endpoints/green-deployment.yml.")
            return name
    raise _in_the_way(endpoint, [name.rstrip("-") for name in names])


def _in_the_way(endpoint: EndpointState, names: list[str]) -> Refused:
    return Refused(
        f"in the way, and nobody's to delete but yours: {', '.join(dict.fromkeys(names))}. Delete one, then deploy "
        f"again: az ml online-deployment delete --endpoint-name {endpoint.name} --name NAME"
    )


def _at_work(present: Deployment) -> Refused:
    return Refused(f"{present.name} is {present.state}: another run is at it. When that has ended, deploy again.")


def _needed(endpoint: EndpointState, present: Deployment) -> bool:
    """Whether one of that name must stay: it works, serves, or is the way back."""
    return present.healthy or present.name in (*endpoint.traffic, *endpoint.mirror) or present == kept(endpoint)


def _left_over(endpoint: EndpointState, wanted: Wanted, blue: Deployment, green: str) -> tuple[str, ...]:
    """Greens that were rolled back or never promoted: not the way back, nor what waits for another repository."""
    found, learnt, old = pairs(endpoint), marks(endpoint), kept(endpoint)
    spared = {green, old.name if old else "", *endpoint.traffic, *endpoint.mirror}
    return tuple(
        d.name
        for d in endpoint.deployments.values()
        if d.ours
        and d.name not in spared
        and claim(endpoint, d).blue
        and (d.name in learnt or (found.get(d.name) == blue.name and not _foreign(endpoint, d, wanted.rollout)))
    )


def _foreign(endpoint: EndpointState, deployment: Deployment, ours: str) -> bool:
    """Whether it is another repository's: by its owner, or its maker where a person owns it."""
    rollouts = (owner(endpoint, deployment.name), deployment.rollout, ours)
    found = [repository for repository, run, _ in (rollout.partition("/actions/") for rollout in rollouts) if run]
    return "/actions/" in ours and found[0] != found[-1]


def _check_not_mirrored(endpoint: EndpointState, remove: tuple[str, ...]) -> None:
    if mirrored := [name for name in remove if name in endpoint.mirror]:
        raise Refused(
            f"the left-over {mirrored[0]} gets mirrored traffic. {end_mirroring(endpoint)}; then deploy again."
        )
