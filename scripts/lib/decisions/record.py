"""What an endpoint's tags tell: who wrote the split and whom a rollback leads to, whose each green is, what was learnt.

They are written in the same call as the split. A portal, or `az … --traffic`, echoes the tags under a split of its own:
where the split that is recorded differs from the live one, a stranger wrote that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from scripts.lib.decisions.state import Deployment, EndpointState, Ref, written_out

AT = "rollout-at"
TAGS = ("rollout", "rollout-blue", "rollout-green", "rollout-split", "rollout-direction", AT)
OF, MARK = "rollout-of-", "mark-"
BY_HAND = "by hand"
Tags = dict[str, str | None]


@dataclass(frozen=True)
class Record:
    """`rollout` (its id) wrote `split` at `at` (ISO text, UTC); `back` if it went back.

    `blue` is whom a rollback gives all traffic to: whom green replaces, or, once it went back, who serves again.
    `shares` are all that green was ever given, in their order: live traffic judges each of them.
    """

    rollout: str
    blue: Ref | None
    green: Ref | None
    split: Mapping[str, int]
    back: bool = False
    at: str = ""
    shares: tuple[int, ...] = ()


@dataclass(frozen=True)
class Claim:
    """Whose a deployment is (a rollout's id), and whom it is to replace, or replaces; None for nobody."""

    rollout: str
    blue: Ref | None


def record(state: EndpointState) -> Record | None:
    """What the tags record; None where they don't, or where somebody spoilt them."""
    rollout, blue, green, text, direction, at = (state.tags.get(name, "") for name in TAGS)
    split = dict(re.findall(r"([a-z0-9-]+)=([0-9]+)", text))
    if not rollout or direction not in ("forward", "back") or not split:
        return None
    shares = {name: int(percent) for name, percent in split.items()}
    had = tuple(int(share) for share in re.findall(r" ([0-9]+)", text))
    return Record(rollout, Ref.parse(blue), Ref.parse(green), shares, direction == "back", at, had)


def live(state: EndpointState) -> Record | None:
    """The record where it tells of the very split that is live."""
    found = record(state)
    return found if found and found.split == state.traffic else None


def claim(state: EndpointState, deployment: Deployment) -> Claim:
    """What was claimed of it last: by whoever took it over or wrote a split with it, else by its maker."""
    created, _, claimed = state.tags.get(OF + deployment.name, "").partition("|")
    blue, _, rollout = claimed.partition("|")
    if rollout and created == deployment.created:
        return Claim(rollout, Ref.parse(blue))
    return Claim(deployment.rollout, deployment.replaces)


def claimed(deployment: Deployment, rollout: str, blue: Ref | None) -> Tags:
    """The tag that makes it a rollout's own, to replace `blue`. It holds until the next one, whatever the split."""
    return {OF + deployment.name: f"{deployment.created}|{blue or ''}|{rollout}"}


def told(state: EndpointState) -> set[str]:
    """The names of all deployments that the tags tell of."""
    found = [Ref.parse(state.tags.get(name, "")) for name in ("rollout-blue", "rollout-green")]
    names = [name.removeprefix(prefix) for prefix in (OF, MARK) for name in state.tags if name.startswith(prefix)]
    return {*names, *(ref.name for ref in found if ref)}


def written_since(now: EndpointState, then: EndpointState) -> str:
    """Who wrote a record or a claim between two reads, "" where nobody did."""
    tags = now.tags.keys() | then.tags.keys()
    changed = [name for name in tags if name.startswith("rollout") and now.tags.get(name) != then.tags.get(name)]
    who = [now.tags[name].rpartition("|")[2] for name in changed if name.startswith(OF) and name in now.tags]
    return next(iter(who), now.tags.get("rollout") or "nobody says who") if changed else ""


def written(state: EndpointState, found: Record) -> Tags:
    """The tags that go with a split: the record, and the claims that it makes; nothing of who is gone.

    Green is the writer's from now on, to replace blue, and blue is nobody's green any more.
    """
    direction = "back" if found.back else "forward"
    values = (
        found.rollout,
        str(found.blue or ""),
        str(found.green or ""),
        _split(state, found)[:256],  # of more than seven deployments it is cut: then it tells of no live split
        direction,
        found.at or now(),
    )
    gone = [MARK + name for name in _marked(state) if name not in marks(state)]
    gone += [name for name in state.tags if name.startswith(OF) and name.removeprefix(OF) not in state.deployments]
    tags: Tags = {**dict.fromkeys(["first-rollout", *gone]), **dict(zip(TAGS, values, strict=True))}
    for ref, blue in ((found.green, found.blue), (found.blue, None)):
        if deployment := state.standing(ref):
            tags |= claimed(deployment, found.rollout, blue)
    return tags


def _split(state: EndpointState, found: Record) -> str:
    """The split, and the shares that this very green has had, each after a blank.

    Who gives it one again after another one's rollback begins anew; a rollout that is run again goes on.
    """
    last = record(state)
    goes_on = last and last.green == found.green and not (last.back and run_of(last.rollout) != run_of(found.rollout))
    had = last.shares if last and goes_on else ()
    new = [found.split[found.green.name]] if found.green and found.green.name in found.split else []
    return " ".join(map(str, [written_out(found.split), *had, *new]))


def run_of(rollout: str) -> str:
    """The rollout, whichever of its attempts."""
    return rollout.partition("/attempts/")[0]


def dated(tags: Tags, at: datetime) -> Tags:
    """The tags with another time of the split, where they record one."""
    return {**tags, AT: _told(at)} if AT in tags else tags


def mark(deployment: Deployment, text: str) -> Tags:
    """The tag that tells the next review what was learnt of a deployment."""
    return {MARK + deployment.name: f"{deployment.created} {text}"[:256]}


def marks(state: EndpointState) -> dict[str, str]:
    """What was learnt, by the name of each deployment that still is the one it was learnt of."""
    found = {name: state.tags[MARK + name].partition(" ") for name in _marked(state)}
    return {name: text for name, (created, _, text) in found.items() if state.standing(Ref(name, created))}


def now() -> str:
    """UTC, to the second, as ISO text."""
    return _told(datetime.now(timezone.utc))


def _told(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _marked(state: EndpointState) -> list[str]:
    return [name.removeprefix(MARK) for name in state.tags if name.startswith(MARK)]
