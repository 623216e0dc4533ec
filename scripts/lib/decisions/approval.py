"""What a reviewer approves, and whether the endpoint still is so: pure decisions, without Azure.

An approval may come days after the question: what the reviewer saw travels along as JSON, and is compared then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scripts.lib.decisions.record import live
from scripts.lib.decisions.roles import owner, pairs, roles
from scripts.lib.decisions.state import Deployment, EndpointState, Ref, Refused, Shift, percentages, positive
from scripts.lib.decisions.traffic import plan_first_traffic, plan_shift

Proposal = Mapping[str, Any]
"""Flat facts. `traffic` is the split (percentages above zero); the others are texts, "" if not known: `endpoint`, the
`owner` (a rollout's id), the deployments `blue` ("" for an endpoint's first) and `green`, and of both `blue_created`,
`blue_model`, `blue_version`, `blue_digest`, `blue_commit`, `blue_rollout` (whose deploy made it)."""
OF_A_MODEL = ("created", "model", "version", "digest", "commit", "rollout")
TEXTS = [f"{role}{fact}" for role in ("blue", "green") for fact in ("", *(f"_{fact}" for fact in OF_A_MODEL))]
FACTS = {"traffic": dict, **dict.fromkeys(["endpoint", "owner", *TEXTS], str)}


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


def propose(state: EndpointState, green: str | None = None) -> Proposal | None:
    """What there is to review: `green`, or who is; None without one.

    Raises Ambiguous where it can't be told who is who, Refused where `green` replaces nobody.
    """
    if green is None:
        old, new = roles(state)
        if new is None and not state.traffic and state.first_rollout and len(state.deployments) == 1:
            (new,) = state.deployments  # the endpoint's first, which waits for its traffic
    elif (old := pairs(state).get(green)) is None:
        raise Refused(
            f"{green} replaces nobody on {state.name}: {percentages(state.traffic)}. Look with show_endpoint."
        )
    else:
        new = green
    if new is None:
        return None
    return _facts(state, old or "", new)


def offer(
    state: EndpointState,
    job: str = "",
    percent: int | None = None,
    then: bool = False,
    green: str | None = None,
    rollout: str = "",
) -> Proposal | None:
    """The proposal that `job` asks approval of ("": none does). Raises Refused where nobody should be asked that.

    `percent`, and whether blue's deletion is asked for `then`, are what would be approved; `rollout`: green must be
    its own.
    """
    proposal = propose(state, green)
    if proposal is None:
        if job:
            split = percentages(state.traffic)
            raise Refused(f"In {state.name} there is nothing to promote: {split}, and no green. deploy makes one.")
        return None
    check(state, proposal)
    if rollout:
        check_owner(proposal, rollout)
    if not proposal["blue"] and (then or percent not in (None, 100)):
        raise Refused(
            f"{proposal['green']} is the endpoint's first deployment: it gets all traffic (--percent 100), and "
            "there is no blue to delete. Start promote.yml once more."
        )
    return proposal


def has_share(proposal: Proposal) -> bool:
    """Whether live traffic can tell of green beside blue."""
    return bool(proposal["blue"] and proposal["traffic"].get(proposal["green"]))


def serving(state: EndpointState) -> Proposal:
    """What deleting the endpoint takes away: what serves (most), as green, without a blue."""
    if not state.deployments:
        return {**dict.fromkeys(FACTS, ""), "endpoint": state.name, "traffic": {}}
    return _facts(state, "", max(state.deployments, key=lambda name: (state.traffic.get(name, 0), name)))


def check_serving(state: EndpointState, expected: Proposal) -> None:
    """Raises Refused unless what is to be deleted is what the reviewer saw."""
    if serving(state) != expected:
        raise Refused(
            f"{state.name} is not what was reviewed any more: {percentages(state.traffic)}. Nothing is deleted. "
            "Look with show_endpoint; start teardown.yml once more."
        )


def _facts(state: EndpointState, old: str, new: str) -> Proposal:
    proposal: dict[str, Any] = {"endpoint": state.name, "owner": owner(state, new), "traffic": dict(state.traffic)}
    nobody = Deployment("", state.deployments[new].model)
    for role, found in (("blue", state.deployments[old] if old else nobody), ("green", state.deployments[new])):
        model = found.model
        facts = (found.created, model.name, model.version, model.digest, found.tags.get("commit", ""), found.rollout)
        keys = (role, *(f"{role}_{fact}" for fact in OF_A_MODEL))
        proposal |= dict(zip(keys, (found.name, *facts) if found.name else [""] * len(keys), strict=True))
    return proposal


def check_owner(proposal: Proposal, rollout: str) -> None:
    """Raises Refused where green is another rollout's by now: a run offers only what its own deploy made or took."""
    if proposal["owner"] != rollout:
        raise Refused(
            f"{proposal['green']} is {proposal['owner'] or 'nobody'}'s now, not {rollout}'s: this rollout ends here. "
            f"{percentages(proposal['traffic'])} stays. Look with show_endpoint; promote.yml goes on with it."
        )


def check(state: EndpointState, expected: Proposal, rollout: str = "", aim: Mapping[str, int] | None = None) -> None:
    """Raises Refused, with every difference, unless the endpoint is what the reviewer saw and green is healthy.

    A split that is `aim` already is no difference: the promotion was made, and its job killed. Nor is an owner that is
    `rollout` now, for the same reason.
    """
    standing = expected["green"] in state.deployments and pairs(state).get(expected["green"]) == expected["blue"]
    first = not expected["blue"] and expected["green"] in state.deployments
    pair = propose(state, expected["green"]) if standing else propose(state) if first else None
    now = pair or {"endpoint": state.name, "traffic": state.traffic}
    was = {**expected, "traffic": aim} if aim == state.traffic else expected
    if pair and pair["owner"] == rollout:
        was = {**was, "owner": rollout}
    differences = [
        f"{fact.replace('_', ' ')} was {_shown(was[fact])} when it was reviewed, now it is {_shown(now[fact])}"
        for fact in now
        if now[fact] != was[fact]
    ]
    if pair is None:
        differences.append("the pair that was reviewed is gone")
    elif not (green := state.deployments[pair["green"]]).healthy:
        differences.append(f"green {green.name} is {green.state}, not healthy")
    elif pair["blue"] not in ("", *state.traffic) and state.traffic.keys() - {pair["green"]}:
        differences.append(f"{pair['blue']}, which {green.name} is to replace, serves no more")
    if differences:
        raise Refused(
            f"{'; '.join(differences)}. Nothing is written: {percentages(state.traffic)} stays. "
            "Look with show_endpoint; promote.yml, or another rollout, asks for a new approval."
        )


def plan_promotion(
    state: EndpointState, percent: int, rollout: str, expected: Proposal | None = None, at_least: bool = False
) -> Shift:
    """Give `percent` to green, the rest to blue; done where it is so already, as after a crash.

    `at_least`: done, too, where green has more; only a person lowers. An endpoint's first deployment gets 100.
    Raises Refused without a green, where green isn't healthy, where the endpoint is not what the reviewer saw, or,
    without that, where a third deployment has traffic.
    """
    seen = expected or propose(state)
    if seen is None:
        last = live(state)
        if percent == 100 and last and not last.back and last.blue is None:  # the first: given it, and the job killed
            return Shift(state.traffic, f"already there: {percentages(state.traffic)}", done=True)
        raise Refused(f"there is no green to promote: {percentages(state.traffic)}. `deploy` makes one.")
    aim = positive({seen["green"]: percent, seen["blue"]: 100 - percent})
    if seen["blue"] or aim != state.traffic:  # the first that has it all was given it, and the job killed
        check(state, seen, rollout, aim)
    if not seen["blue"]:
        if percent < 100:
            raise Refused(f"{seen['green']} is the first deployment, with nobody for the rest: promote --percent 100.")
        return plan_first_traffic(state, Ref(seen["green"], seen["green_created"]), rollout)
    has = state.traffic.get(seen["green"], 0)
    if at_least and has >= percent:
        return Shift(state.traffic, f"{seen['green']} has {has} % already: {percentages(state.traffic)}", done=True)
    return plan_shift(state, seen["green"], percent, rollout, expected["traffic"] if expected else None)


def _shown(value: Any) -> str:
    return percentages(value) if isinstance(value, Mapping) else value or "unknown"
