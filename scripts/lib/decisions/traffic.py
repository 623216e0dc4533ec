"""What a split becomes, and whether it may: pure decisions, without Azure."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.lib.decisions.record import MARK, Record, Tags, record, written
from scripts.lib.decisions.roles import pairs
from scripts.lib.decisions.state import (
    EndpointState,
    Ref,
    Refused,
    Shift,
    end_mirroring,
    percentages,
    positive,
    written_out,
)
from scripts.lib.decisions.words import counted


def plan_shift(
    endpoint: EndpointState, to: str, percent: int, rollout: str, expect: Mapping[str, int] | None = None
) -> Shift:
    """Give `percent` of the traffic to one deployment, the rest to its counterpart.

    Raises Refused where `to` is unknown or unfit, or the present split is not `expect` (without it: not on the pair).
    """
    other = _counterpart(endpoint, endpoint.named(to).name)
    if not other and percent < 100:
        raise Refused(
            f"{to} has no counterpart for the other {100 - percent} %: no claim pairs it with a deployment. "
            f"Look with show_endpoint; promote --to {to} --percent 100 gives it all."
        )
    before, split = endpoint.traffic, positive({to: percent, other: 100 - percent})
    if split == before:
        return Shift(split, f"already there: {percentages(split)}", done=True)
    if expect is not None and positive(expect) != before:
        found = percentages(before)
        said = f"the split has changed: expected {percentages(expect)}, but it is {found}. Nothing was written."
        raise Refused(f"{said} Look with show_endpoint.")
    on_pair = before.keys() <= {to, other} if before else percent == 100  # all to one, after all was taken away
    if not on_pair and not before:
        raise Refused(
            f"{endpoint.name} gets no traffic: promote --to {to} --percent 100 gives it back, then the share."
        )
    if expect is None and not on_pair:
        raise Refused(
            f"traffic is not all on {to} and its counterpart ({other or 'none'}): {percentages(before)}. "
            f"If that is meant: promote --to {to} --percent {percent} --expect {written_out(before)}"
        )
    _check_fit(endpoint, split)
    if pairs(endpoint).get(other) != to:  # going back is never too much for blue
        _check_capacity(endpoint, to, percent)
    tags = _tags(endpoint, to, other, split, rollout)
    return Shift(split, f"{percentages(before)} → {percentages(split)}", tags=tags)


def plan_first_traffic(endpoint: EndpointState, first: Ref, rollout: str) -> Shift:
    """All traffic for the first deployment. Raises Refused where it isn't healthy, or somebody else gets requests.

    With a creation time it must be that very one: another may have its name by now.
    """
    name, split = first.name, {first.name: 100}
    if name in endpoint.deployments and not endpoint.standing(first):
        raise Refused(
            f"{name} is another deployment than the one that was made and tested. It gets no traffic: "
            "smoke_test it, then promote --percent 100, or deploy again."
        )
    if split == endpoint.traffic:
        return Shift(split, f"already there: {percentages(split)}", done=True)
    if name not in endpoint.deployments:
        raise Refused(f"{endpoint.name} has no deployment {name}. deploy makes it.")
    if endpoint.traffic or endpoint.mirror or not endpoint.deployments[name].healthy:
        raise Refused(
            f"{name} gets no traffic: it is {endpoint.deployments[name].state}; {percentages(endpoint.traffic)}. "
            "Look with show_endpoint; another rollout makes it anew, or makes a green."
        )
    if not endpoint.first_rollout:
        raise Refused(f"{endpoint.name} has served before: promote --to {name} --percent 100 starts it again.")
    kept = Record(rollout, None, endpoint.deployments[name].ref, split)
    return Shift(split, f"{name} gets all traffic", tags=written(endpoint, kept))


def gaining(endpoint: EndpointState, shift: Shift) -> list[str]:
    """Who gets more than before, but not who gets back what its successor loses: going back asks nobody."""
    found = pairs(endpoint)
    before, after = endpoint.traffic, shift.split
    regains = {found[name] for name in before if name in found and after.get(name, 0) < before[name]}
    return [name for name in after if after[name] > before.get(name, 0) and name not in regains]


def _counterpart(endpoint: EndpointState, to: str) -> str:
    """The deployment that `to` replaces or is replaced by; of several, the only one with traffic; "" without one."""
    found = [green if blue == to else blue for green, blue in pairs(endpoint).items() if to in (green, blue)]
    if len(found) > 1:
        found = [name for name in found if name in endpoint.traffic]
    return found[0] if len(found) == 1 else ""


def _check_fit(endpoint: EndpointState, split: Mapping[str, int]) -> None:
    """Raises Refused where who gets more isn't healthy, or who gets any is mirrored to."""
    for name, share in split.items():
        if share > endpoint.traffic.get(name, 0) and not endpoint.deployments[name].healthy:
            said = f"{name} is {endpoint.deployments[name].state}, not healthy: it gets no more traffic."
            raise Refused(f"{said} rollback goes back; deploy makes another one.")
        if name in endpoint.mirror:
            raise Refused(f"{name} gets mirrored traffic, so it can't get live traffic. {end_mirroring(endpoint)}")


def _check_capacity(endpoint: EndpointState, name: str, percent: int) -> None:
    """Raises Refused where a share of what serves now is more than the deployment can answer."""
    deployment = endpoint.deployments[name]
    served = max((endpoint.deployments[other].capacity for other in endpoint.traffic), default=0)
    if percent <= endpoint.traffic.get(name, 0) or deployment.capacity * 100 >= percent * served:
        return
    count = -(-percent * served // (100 * deployment.concurrency))
    answers = f"{name} answers {counted(deployment.capacity, 'request')} at once"
    raise Refused(
        f"{answers} ({deployment.instances} × {deployment.concurrency}), "
        f"what serves now {served}: too little for {percent} %. Nothing is written. Scale it, then promote again: "
        f"az ml online-deployment update --endpoint-name {endpoint.name} --name {name} --set instance_count={count}"
    )


def _tags(endpoint: EndpointState, to: str, other: str, split: Mapping[str, int], rollout: str) -> Tags:
    """The record of a split that a person or a stage wrote; green's mark goes, since that was approved knowing it."""
    green, blue = (to, other) if pairs(endpoint).get(to) == other else (other, to)
    last, back = record(endpoint), split == {blue: 100} and bool(green)
    if not other:  # nobody is paired with it: the way back stays what it was
        blue_ref = last.blue if last and last.blue and last.blue.name != to else None
        alone = Record(rollout, blue_ref, endpoint.deployments[to].ref, split)
        return {**written(endpoint, alone), MARK + to: None}
    found = Record(rollout, endpoint.deployments[blue].ref, endpoint.deployments[green].ref, split, back)
    tags = written(endpoint, found)
    return tags if back else {**tags, MARK + green: None}
