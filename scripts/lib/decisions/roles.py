"""Who is blue and who is green on an endpoint, and whose rollout it is: pure decisions, without Azure.

Claims tell: the last one made of a deployment (by a takeover, or with a split), else its maker's, in its own tags.
Names and ages decide nothing: a version that still stands may be rolled out over a younger one.
"""

from __future__ import annotations

from collections.abc import Mapping

from scripts.lib.decisions.record import claim, marks, record
from scripts.lib.decisions.state import Ambiguous, Deployment, EndpointState, percentages


def roles(endpoint: EndpointState) -> tuple[str | None, str | None]:
    """Name (blue, green), None where there is none: green replaces blue, whichever has the traffic.

    Raises Ambiguous when the evidence leaves several answers, or none for a split between two.
    """
    found, traffic = pairs(endpoint), endpoint.traffic
    if len(traffic) == 1:
        (serving,) = traffic
        green = _waiting(endpoint, found, serving)
        if green:
            return serving, green
        return (found[serving], serving) if serving in found else (serving, None)
    if not traffic:
        return _resting(endpoint, found)
    inside = {green: blue for green, blue in found.items() if green in traffic and blue in traffic}
    if len(inside) != 1:
        raise unclear(endpoint, inside)
    ((green, blue),) = inside.items()
    return blue, green


def pairs(endpoint: EndpointState) -> dict[str, str]:
    """Whom each deployment replaces, by name, of those that stand: {green: blue}."""
    return {d.name: blue for d in endpoint.deployments.values() if (blue := _claimed(endpoint, d))}


def owner(endpoint: EndpointState, green: str) -> str:
    """The id of the rollout whose green it is now, "" where nobody knows."""
    return claim(endpoint, endpoint.deployments[green]).rollout


def unclear(endpoint: EndpointState, found: Mapping[str, str]) -> Ambiguous:
    """What to tell where it can't be told who replaces whom: the candidates, and the commands that lead on."""
    claims = ", ".join(f"{green} replaces {blue}" for green, blue in found.items()) or "nothing says who replaces whom"
    names = ", ".join(endpoint.traffic or endpoint.deployments)
    return Ambiguous(
        f"can't tell blue from green on {endpoint.name}: {claims} ({percentages(endpoint.traffic)}). Name the one that "
        f"is to serve ({names}): rollback --to NAME gives it all traffic, promote --to NAME --percent N a share."
    )


def _claimed(endpoint: EndpointState, green: Deployment) -> str:
    """Whom it replaces; "" if that is gone. A claim without a time can't be of somebody younger."""
    ref = claim(endpoint, green).blue
    blue = endpoint.standing(ref)
    if ref is None or blue is None or blue.name == green.name:
        return ""
    return "" if not ref.created and blue.created > green.created else blue.name


def _waiting(endpoint: EndpointState, found: Mapping[str, str], serving: str) -> str | None:
    """Who, at 0 %, is to replace the one that serves. One that was rolled back only if nobody else is."""
    waiting, learnt = {green: blue for green, blue in found.items() if blue == serving}, marks(endpoint)
    spared = {green: blue for green, blue in waiting.items() if green not in learnt}
    if len(waiting := spared or waiting) > 1:
        raise unclear(endpoint, waiting)
    return next(iter(waiting), None)


def _resting(endpoint: EndpointState, found: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Somebody took all traffic away, or none was there yet."""
    last = record(endpoint)
    if last and last.green and last.green.name in found:
        return found[last.green.name], last.green.name
    heads = {green: blue for green, blue in found.items() if green not in found.values()}
    if len(heads) > 1:
        raise unclear(endpoint, heads)
    return next(((blue, green) for green, blue in heads.items()), (None, None))
