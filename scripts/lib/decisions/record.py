"""What an endpoint's tags tell of a rollout: who wrote the split, whom a rollback leads to, what was learnt.

They are written in the same call as the split. A portal, or `az … --traffic`, echoes the tags under a split of its own:
where the split that is recorded differs from the live one, a stranger wrote that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from scripts.lib.decisions.state import Deployment, EndpointState, Ref, written_out

TAGS = ("rollout", "rollout-blue", "rollout-green", "rollout-split", "rollout-direction", "rollout-at")
TAKEOVER = ("takeover", "takeover-blue", "takeover-green")
MARK = "mark-"
BY_HAND = "by hand"
Tags = dict[str, str | None]


@dataclass(frozen=True)
class Record:
    """`rollout` (its id) wrote `split` at `at` (ISO text, UTC); `back` if it went back.

    `blue` is whom a rollback gives all traffic to: whom green replaces, or, once it went back, who serves again.
    """

    rollout: str
    blue: Ref | None
    green: Ref | None
    split: Mapping[str, int]
    back: bool = False
    at: str = ""


@dataclass(frozen=True)
class Takeover:
    """`rollout` goes on with `green`, which stands at 0 % already, to replace `blue`. Until the next written split."""

    rollout: str
    blue: Ref
    green: Ref


def record(state: EndpointState) -> Record | None:
    """What the tags record; None where they don't, or where somebody spoilt them."""
    rollout, blue, green, text, direction, at = (state.tags.get(name, "") for name in TAGS)
    split = dict(re.findall(r"([a-z0-9-]+)=([0-9]+)", text))
    if not rollout or direction not in ("forward", "back") or not split:
        return None
    shares = {name: int(percent) for name, percent in split.items()}
    return Record(rollout, Ref.parse(blue), Ref.parse(green), shares, direction == "back", at)


def before(state: EndpointState) -> Deployment | None:
    """Whom the record leads back to, as far as that very one still stands."""
    found = record(state)
    return state.standing(found.blue) if found else None


def live(state: EndpointState) -> Record | None:
    """The record where it tells of the very split that is live."""
    found = record(state)
    return found if found and found.split == state.traffic else None


def takeover(state: EndpointState) -> Takeover | None:
    """Who goes on with a green at 0 %; None where nobody does, one of the two is gone, or blue serves no more."""
    rollout, blue, green = (state.tags.get(name, "") for name in TAKEOVER)
    old, new = Ref.parse(blue), Ref.parse(green)
    if not (rollout and old and new and state.standing(old) and state.standing(new)):
        return None
    waits = new.name not in state.traffic and old.name in state.traffic
    return Takeover(rollout, old, new) if waits else None


def written(state: EndpointState, found: Record) -> Tags:
    """The tags that go with a split: the record; no takeover, no pending first rollout, no mark of who is gone."""
    direction = "back" if found.back else "forward"
    values = (
        found.rollout,
        str(found.blue or ""),
        str(found.green or ""),
        written_out(found.split)[:256],  # of more than seven deployments it is cut: then it tells of no live split
        direction,
        found.at or now(),
    )
    gone = [MARK + name for name in _marked(state) if name not in marks(state)]
    return {**dict.fromkeys([*TAKEOVER, "first-rollout", *gone]), **dict(zip(TAGS, values, strict=True))}


def taken_over(found: Takeover) -> Tags:
    """The tags of a takeover."""
    return dict(zip(TAKEOVER, (found.rollout, str(found.blue), str(found.green)), strict=True))


def mark(deployment: Deployment, text: str) -> Tags:
    """The tag that tells the next review what was learnt of a deployment."""
    return {MARK + deployment.name: f"{deployment.created} {text}"[:256]}


def marks(state: EndpointState) -> dict[str, str]:
    """What was learnt, by the name of each deployment that still is the one it was learnt of."""
    found = {name: state.tags[MARK + name].partition(" ") for name in _marked(state)}
    return {name: text for name, (created, _, text) in found.items() if state.standing(Ref(name, created))}


def now() -> str:
    """UTC, to the second, as ISO text."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _marked(state: EndpointState) -> list[str]:
    return [name.removeprefix(MARK) for name in state.tags if name.startswith(MARK)]
