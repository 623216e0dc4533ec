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
    if not other and percent < 100:
        raise Refused(f"{to} has no counterpart for the other {100 - percent} %: no tag pairs it with a deployment.")
    before, split = endpoint.traffic, positive({to: percent, other: 100 - percent})
    if split == before:
        return Shift(split, f"already there: {percentages(split)}", done=True)
    if expect is not None and positive(expect) != before:
        found = percentages(before)
        raise Refused(f"the split has changed: expected {percentages(expect)}, but it is {found}. Nothing was written.")
    on_pair = before.keys() <= {to, other} if before else percent == 100  # all to one, after all was taken away
    if expect is None and not on_pair:
        raise Refused(
            f"traffic is not all on {to} and its counterpart ({other or 'none'}): {percentages(before)}. "
            "If that is meant, say so with --expect."
        )
    for name, share in split.items():
        if share > before.get(name, 0) and not endpoint.deployments[name].healthy:
            raise Refused(f"{name} is {endpoint.deployments[name].state}, not healthy: it gets no more traffic.")
        if name in endpoint.mirror:
            raise Refused(f"{name} gets mirrored traffic, so it can't get live traffic. End the mirroring first.")
    return Shift(split, f"{percentages(before)} → {percentages(split)}")


def _counterpart(endpoint: EndpointState, to: str) -> str:
    """The deployment that `to` replaces or is replaced by; of several, the only one with traffic; "" without one."""
    old = [name for name in [endpoint.replaces[to]] if name in endpoint.deployments]
    new = [name for name, replaced in endpoint.replaces.items() if replaced == to]
    found = [name for name in dict.fromkeys(old + new) if name != to]
    if len(found) > 1:
        found = [name for name in found if name in endpoint.traffic]
    return found[0] if len(found) == 1 else ""
