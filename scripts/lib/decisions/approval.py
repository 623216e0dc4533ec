"""What a reviewer approves, and whether the endpoint still is so: pure decisions, without Azure.

An approval may come days after the question: what the reviewer saw travels along as JSON, and is compared then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scripts.lib.decisions.state import EndpointState, Refused, Shift, percentages, positive
from scripts.lib.decisions.traffic import plan_shift

Proposal = Mapping[str, Any]
"""Flat facts. `traffic` is the split (percentages above zero); the others are texts, "" if not known: `endpoint`, the
deployments `blue` and `green`, and of both `blue_model`, `blue_version`, `blue_digest`, `blue_commit`."""
OF_A_MODEL = [f"{role}_{fact}" for role in ("blue", "green") for fact in ("model", "version", "digest", "commit")]
FACTS = {"traffic": dict, **dict.fromkeys(["endpoint", "blue", "green", *OF_A_MODEL], str)}


def parse(text: str) -> Proposal:
    """What `review` printed. Raises ValueError for any other text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not what `review` prints: {error!r}") from error
    types = {fact: type(value) for fact, value in found.items()} if isinstance(found, dict) else {}
    if types != FACTS or not all(type(percent) is int for percent in found["traffic"].values()):
        raise ValueError("not what `review` prints: other facts, or facts of another type")
    return dict(found)


def propose(state: EndpointState) -> Proposal | None:
    """What there is to review, None without a green. Raises Ambiguous where it can't be told who is who."""
    blue, green = state.roles
    if blue is None or green is None:
        return None
    proposal: dict[str, Any] = {"endpoint": state.name, "traffic": dict(state.traffic)}
    for role, found in (("blue", state.deployments[blue]), ("green", state.deployments[green])):
        proposal |= {role: found.name, f"{role}_model": found.model.name, f"{role}_version": found.model.version}
        proposal |= {f"{role}_digest": found.model.digest, f"{role}_commit": found.tags.get("commit", "")}
    return proposal


def check(state: EndpointState, expected: Proposal, aim: Mapping[str, int] | None = None) -> None:
    """Raises Refused, with every difference, unless the endpoint is what the reviewer saw and green is healthy.

    A split that is `aim` already is no difference: the promotion was made, and its job killed.
    """
    pair = propose(state)
    now = pair or {"endpoint": state.name, "traffic": state.traffic}
    was = {**expected, "traffic": aim} if aim == state.traffic else expected
    differences = [
        f"{fact.replace('_', ' ')} was {_shown(was[fact])} when it was reviewed, now it is {_shown(now[fact])}"
        for fact in now
        if now[fact] != was[fact]
    ]
    if pair is None:
        differences.append("the pair that was reviewed is gone")
    elif not (green := state.deployments[pair["green"]]).healthy:
        differences.append(f"green {green.name} is {green.state}, not healthy")
    if differences:
        raise Refused(
            f"{'; '.join(differences)}. So nothing is changed. "
            "Look with show_endpoint; promote.yml, or another rollout, asks for a new approval."
        )


def plan_promotion(state: EndpointState, percent: int, expected: Proposal | None = None) -> Shift:
    """Give `percent` to green, the rest to blue; done where it is so already, as after a crash.

    Raises Refused without a green, where green isn't healthy, where the endpoint is not what the reviewer saw, or,
    without that, where a third deployment has traffic.
    """
    seen = expected or propose(state)
    if seen is None:
        raise Refused(f"there is no green to promote: {percentages(state.traffic)}. `deploy` makes one.")
    check(state, seen, aim=positive({seen["green"]: percent, seen["blue"]: 100 - percent}))
    return plan_shift(state, seen["green"], percent, expected["traffic"] if expected else None)


def _shown(value: Any) -> str:
    return percentages(value) if isinstance(value, Mapping) else value or "unknown"
