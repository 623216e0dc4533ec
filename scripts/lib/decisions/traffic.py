"""What a split becomes, and whether it may: pure decisions, without Azure."""

from collections.abc import Mapping

from scripts.lib.decisions.state import EndpointState, Refused, Shift, percentages, positive


def plan_shift(endpoint: EndpointState, to: str, percent: int, expect: Mapping[str, int] | None = None) -> Shift:
    """Give `percent` of the traffic to one deployment, the rest to its counterpart.

    Raises Refused where `to` is unknown or unfit, or the present split is not `expect` (without it: not on the pair).
    """
    if to not in endpoint.deployments:
        raise Refused(f"{endpoint.name} has no deployment {to}; it has: {', '.join(endpoint.deployments) or 'none'}.")
    other = _counterpart(endpoint, to)
    split = _split(endpoint, to, percent, other)
    if split == endpoint.traffic:
        return Shift(split, f"already there: {percentages(split)}", done=True)
    if expect is None:
        _check_pair(endpoint, to, percent, other)
    elif positive(expect) != endpoint.traffic:
        found = percentages(endpoint.traffic)
        raise Refused(f"the split has changed: expected {percentages(expect)}, but it is {found}. Nothing was written.")
    _check_fit(endpoint, split)
    return Shift(split, f"{percentages(endpoint.traffic)} → {percentages(split)}")


def _counterpart(endpoint: EndpointState, to: str) -> str | None:
    """The deployment that `to` replaces or is replaced by; of several, the only one with traffic."""
    old = [name for name in [endpoint.replaces[to]] if name in endpoint.deployments]
    new = [name for name, replaced in endpoint.replaces.items() if replaced == to]
    found = [name for name in dict.fromkeys(old + new) if name != to]
    if len(found) > 1:
        found = [name for name in found if name in endpoint.traffic]
    return found[0] if len(found) == 1 else None


def _split(endpoint: EndpointState, to: str, percent: int, other: str | None) -> dict[str, int]:
    if percent == 100:
        return {to: 100}
    if other is None:
        raise Refused(f"{to} has no counterpart for the other {100 - percent} %: no tag pairs it with a deployment.")
    return positive({to: percent, other: 100 - percent})


def _check_pair(endpoint: EndpointState, to: str, percent: int, other: str | None) -> None:
    if not endpoint.traffic and percent == 100:
        return  # somebody had taken all traffic away; giving it to one deployment is the way out
    if not endpoint.traffic or not endpoint.traffic.keys() <= {to, other}:
        raise Refused(
            f"traffic is not all on {to} and its counterpart ({other or 'none'}): {percentages(endpoint.traffic)}. "
            "If that is meant, say so with --expect."
        )


def _check_fit(endpoint: EndpointState, split: Mapping[str, int]) -> None:
    for name, percent in split.items():
        deployment = endpoint.deployments[name]
        if percent > endpoint.traffic.get(name, 0) and not deployment.healthy:
            raise Refused(f"{name} is {deployment.state}, not healthy: it gets no more traffic.")
        if name in endpoint.mirror:
            raise Refused(f"{name} gets mirrored traffic, so it can't get live traffic. End the mirroring first.")
