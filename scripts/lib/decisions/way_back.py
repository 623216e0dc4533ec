"""The way back: whom a rollback gives all traffic to, and when it may be deleted. Pure decisions, without Azure."""

from __future__ import annotations

from scripts.lib.decisions.record import Record, Tags, mark, marks, now, record, written
from scripts.lib.decisions.roles import owner, pairs, roles, unclear
from scripts.lib.decisions.state import SERVES, Deployment, EndpointState, Ref, Refused, Shift, percentages
from scripts.lib.decisions.words import counted


def plan_rollback(endpoint: EndpointState, rollout: str, to: str | None = None) -> Shift:
    """By hand: give all traffic to what served before, or to `to`; done where that has it, never further back.

    Raises Refused where there is no way back that the record or a claim proves, with the command that leads on.
    """
    target = endpoint.named(to) if to else way_back(endpoint)
    if endpoint.traffic == {target.name: 100}:
        return _already_there(endpoint)
    return _back(endpoint, target, rollout)


def plan_own_rollback(endpoint: EndpointState, rollout: str) -> Shift:
    """The workflow's: go back only from a split that this very rollout wrote; all else is left alone, and told.

    Where the record is lost, green's own claim tells. Raises Refused where blue is gone.
    """
    found, now_is = record(endpoint), percentages(endpoint.traffic)
    if found is None:
        mine = {
            green: blue
            for green, blue in pairs(endpoint).items()
            if green in endpoint.traffic and owner(endpoint, green) == rollout
        }
        if len(mine) != 1:
            return _hold(endpoint, f"nothing tells that this rollout wrote the split: {now_is}")
        return _back(endpoint, endpoint.deployments[next(iter(mine.values()))], rollout)
    if found.rollout != rollout:
        return _hold(endpoint, f"{found.rollout} wrote the split ({found.at}), not this rollout: {now_is}")
    if found.split != endpoint.traffic:
        said = f"this rollout wrote {percentages(found.split)}, somebody outside the workflows since then {now_is}"
        return _hold(endpoint, said)
    if found.back or found.blue is None:
        return _already_there(endpoint)
    return _back(endpoint, endpoint.standing(found.blue) or _gone(endpoint, found.blue), rollout)


def way_back(endpoint: EndpointState) -> Deployment:
    """What served before. Raises Refused where it is gone or nothing tells, Ambiguous where too much does."""
    found = record(endpoint)
    if found is None:
        return _claimed(endpoint)
    back = _recorded(endpoint, found)
    if back is None:
        raise Refused(f"nothing served before {', '.join(endpoint.traffic)}. {_deploy_another(endpoint)}")
    return endpoint.standing(back) or _gone(endpoint, back)


def plan_delete_blue(endpoint: EndpointState, name: str) -> Shift:
    """Delete `name`; done where it is gone already.

    Raises Refused unless it has no traffic, and the deployment with all traffic replaces it, or was to be replaced
    by it.
    """
    if name not in endpoint.deployments:
        return Shift(endpoint.traffic, f"{name} is gone already", done=True)
    if name in endpoint.traffic or name in endpoint.mirror:
        shares = percentages({**endpoint.mirror, **endpoint.traffic})
        raise Refused(f"{name} still gets traffic: {shares}. It stays. promote, or rollback, takes that away first.")
    found, serving = pairs(endpoint), [endpoint.deployments[other] for other in endpoint.traffic]
    replaced = len(serving) == 1 and found.get(serving[0].name) == name
    if len(serving) != 1 or not (replaced or found.get(name) == serving[0].name or name in superfluous(endpoint)):
        said = f"no deployment with all traffic replaces {name}: {percentages(endpoint.traffic)}. It stays."
        raise Refused(f"{said} Look with show_endpoint.")
    if not serving[0].healthy:
        said = (
            f"{serving[0].name}, which replaces {name}, is {serving[0].state}. {name} stays: the way back (rollback)."
        )
        raise Refused(said)
    return Shift(endpoint.traffic, f"{name} is deleted")


def kept(endpoint: EndpointState) -> Deployment | None:
    """The way back, as far as it stands: by the record, where that is lost by the claim of the one that serves."""
    claims = [old for green, old in pairs(endpoint).items() if endpoint.traffic.keys() == {green}]
    found = record(endpoint)
    old = endpoint.standing(_recorded(endpoint, found)) if found else None
    return old or next((endpoint.deployments[name] for name in claims), None)


def superfluous(endpoint: EndpointState) -> list[str]:
    """What rollouts have left: at 0 %, and neither of the pair that is blue and green, nor the way back.

    Nothing where somebody took all traffic away: whoever starts it again may need any of them. Where neither record
    nor claim tells of a way back, it may be any that isn't marked.
    """
    if not endpoint.traffic:
        return []
    learnt, old = marks(endpoint), kept(endpoint)
    waiting = {green for green, blue in pairs(endpoint).items() if blue in endpoint.traffic and green not in learnt}
    spared = {*endpoint.traffic, *endpoint.mirror, *waiting} | ({old.name} if old else set())
    if not record(endpoint) and not any(endpoint.deployments[name].replaces for name in endpoint.traffic):
        spared |= endpoint.deployments.keys() - learnt.keys()
    return [d.name for d in endpoint.deployments.values() if d.ours and d.name not in spared]


def _recorded(endpoint: EndpointState, found: Record) -> Ref | None:
    """Whom the record leads back to; None for an endpoint's first."""
    if endpoint.traffic.keys() <= {d.name for ref in (found.blue, found.green) if (d := endpoint.standing(ref))}:
        if found.blue is None and endpoint.traffic.keys() <= set(pairs(endpoint).values()):
            return found.green  # the first, which served; what is to replace it has nothing yet
        return found.blue
    whole = len(found.split) == 1 and not found.back
    return found.green if whole else found.blue  # a stranger's third: whoever had it all by the record, served before


def _claimed(endpoint: EndpointState) -> Deployment:
    """By the claims alone, where nothing is recorded: the blue of what serves, else the one that serves."""
    found = pairs(endpoint)
    if len(endpoint.traffic) == 1 and (old := found.get(next(iter(endpoint.traffic)))):
        return endpoint.deployments[old]
    blue, green = roles(endpoint)
    if blue is None or green is None:
        if not endpoint.traffic and len(endpoint.deployments) > 1:
            raise unclear(endpoint, found)
        lost = [d.replaces for d in endpoint.deployments.values() if d.name in endpoint.traffic and d.replaces]
        if lost:
            _gone(endpoint, lost[0])
        raise Refused(f"nothing tells what served before: {percentages(endpoint.traffic)}. {_deploy_another(endpoint)}")
    return endpoint.deployments[blue]


def _back(endpoint: EndpointState, target: Deployment, rollout: str) -> Shift:
    if target.name not in endpoint.traffic and target.state not in SERVES:
        raise Refused(
            f"{target.name} is {target.state}, so it can't get the traffic: {percentages(endpoint.traffic)} stays. "
            + _deploy_another(endpoint)
        )
    split, last = {target.name: 100}, record(endpoint)
    shares = dict(endpoint.traffic)
    if not shares and last:  # somebody took it all away
        had = [d.name for ref in (last.green, last.blue) if (d := endpoint.standing(ref))]
        shares = {name: last.split[name] for name in had if name in last.split}
    left = [endpoint.deployments[name] for name in sorted(shares, key=lambda name: -shares[name]) if name not in split]
    learnt: Tags = {}
    for deployment in left:
        learnt |= mark(deployment, f"rolled back from {shares[deployment.name]} % on {now()}, {rollout}")
    found = Record(rollout, target.ref, left[0].ref if left else None, split, back=True)
    tags = {**written(endpoint, found), **learnt}
    say = f"{percentages(endpoint.traffic)} → {percentages(split)}"
    for more in [d for d in left if d.capacity > target.capacity][:1]:
        say += f"; {target.name} answers {counted(target.capacity, 'request')} at once, {more.name} {more.capacity}"
    return Shift(split, say, tags=tags)


def _already_there(endpoint: EndpointState) -> Shift:
    """Nothing to write, if that still is so after a while: a late read shows the split before green's."""
    return Shift(endpoint.traffic, f"already there: {percentages(endpoint.traffic)}", done=True, hold=True)


def _hold(endpoint: EndpointState, why: str) -> Shift:
    return Shift(endpoint.traffic, f"left alone: {why}", done=True, hold=True)


def _gone(endpoint: EndpointState, ref: Ref) -> Deployment:
    version = f" (model version {ref.version})" if ref.version else ""
    again = f"deploy --version {ref.version or 'N'}"
    if others := [d.name for d in endpoint.deployments.values() if d.state in SERVES and not endpoint.traffic]:
        again += f"; before that, since nobody has traffic: promote --to {others[0]} --percent 100"
    raise Refused(
        f"{ref.name}{version}, which served before, is gone: {percentages(endpoint.traffic)} stays. "
        f"Roll that version out again: rollout.yml with it as `version`, or {again}."
    )


def _deploy_another(endpoint: EndpointState) -> str:
    others = [name for name, d in endpoint.deployments.items() if name not in endpoint.traffic and d.state in SERVES]
    if others:
        return f"rollback --to NAME gives another one all traffic ({', '.join(others)})."
    return "Roll another version out: rollout.yml with its `version`, or deploy --version N."
