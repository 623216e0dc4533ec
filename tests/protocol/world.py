"""An online endpoint in memory, what a read shows of it, and what really happened, told by no tag.

A deployment is known by its creation time. Each `Moment` holds the state and the truth about it; whoever reads keeps
the moment that he was shown, so that he is judged by what he could see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scripts.lib.decisions.deploying import Wanted
from scripts.lib.decisions.record import claim, told
from scripts.lib.decisions.settings import Settings
from scripts.lib.decisions.state import (
    FIRST_ROLLOUT,
    SUCCEEDED,
    Deployment,
    EndpointState,
    Model,
    Ref,
    Shift,
    positive,
)

STRANGER = "a stranger"
LATE = 6  # touches of the endpoint after which everybody sees a write
Key = str  # a creation time
OPEN = frozenset({"?"})  # nobody can tell, so a rollback may be red


class Lost(Exception):
    """A connection was lost: nobody knows whether the call had its effect."""


class Rejected(Exception):
    """Azure doesn't do it, whoever asks."""


@dataclass(frozen=True)
class Moment:
    """`writer` (a rollout's id) made the split, `forward` or back; going back leads to one of `before`.

    `owners` tells whose each deployment is now (one of those), `recorded` what was so when one of us last wrote.
    """

    state: EndpointState
    writer: str = ""
    forward: bool = True
    before: frozenset[Key] = frozenset()
    owners: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    recorded: tuple[Mapping[str, int], frozenset[Key]] = ({}, frozenset())

    def __str__(self) -> str:
        """What an error shows of it: creation times as numbers."""
        return f"{self.state}; truth: {self.writer!r}, forward {self.forward}, before {set(self.before)}"

    def keys(self, names: Mapping[str, int]) -> frozenset[Key]:
        """Who has shares, by creation time."""
        there = self.state.deployments
        return frozenset(there[name].created for name in names if name in there)


@dataclass(frozen=True)
class Deed:
    """What somebody did to the endpoint: `what`, by whom, what he had seen last, and how it was and is."""

    what: (
        str  # stage, promotion, first, to, back, own, portal; takeover, mark; create, delete, superfluous, delete-blue
    )
    rollout: str
    seen: Moment
    was: Moment
    now: Moment
    shift: Shift | None = None
    proposal: Mapping[str, Any] | None = None
    deployment: Deployment | None = None
    approved: bool = False
    planned: EndpointState | None = None  # what a creation was planned from


Judge = Callable[["World", Deed], None]


class World:
    """The endpoint, and what is known of each deployment by its creation time."""

    def __init__(self, judge: Judge) -> None:
        self.now = Moment(EndpointState("heart", tags=dict(FIRST_ROLLOUT)))
        self.judge = judge
        self.past: list[tuple[int, Moment]] = []  # with the touch at which each ended
        self.touches = self.clock = 0
        self.bad: set[Key] = set()  # would fail a smoke test
        self.tested: set[Key] = set()
        self.approved: set[Key] = set()
        self.served: set[Key] = set()  # had all traffic, or got some from a stranger
        self.had: set[Key] = set()  # some traffic, at some time
        self.retired: set[Key] = set()  # gave its traffic to a successor
        self.idle: set[str] = set()  # rollouts whose deploy had nothing to do

    def rest(self) -> None:
        """Time goes by: every read is up to date again."""
        self.past.clear()

    def shown(self, weather: str = "fine") -> Moment:
        """What a read shows now: perhaps an endpoint that is older, a list that is older, or lacks one."""
        self.touches += 1
        self.past = [(at, moment) for at, moment in self.past if at > self.touches - LATE]
        if weather == "lost":
            raise Lost
        state, old = self.now.state, self.past[0][1] if self.past else self.now
        if weather == "late" and old.state.traffic.keys() <= state.deployments.keys():
            return replace(old, state=replace(old.state, deployments=state.deployments))
        if weather in ("old list", "short list"):
            listed = dict(old.state.deployments if weather == "old list" else list(state.deployments.items())[:-1])
            named = {name: d for name, d in state.deployments.items() if name in _named(state, listed)}
            return replace(self.now, state=replace(state, deployments={**listed, **named}))
        return self.now

    def split(self, deed: str, by: Actor, shift: Shift, weather: str = "fine", **facts: Any) -> None:
        """A PUT of the endpoint: a split, with the tags that the writer read, and his own over them."""
        if weather == "lost":
            raise Lost
        split, state = positive(shift.split), self.now.state
        if not split.keys() <= state.deployments.keys() or sum(split.values()) not in (0, 100):
            raise Rejected(f"{split}: no such deployment")
        tags = {name: value for name, value in {**by.seen.state.tags, **shift.tags}.items() if value is not None}
        true = _truth(deed, by, split, facts.get("proposal"))
        makers = {d.created: frozenset({d.rollout}) for d in state.deployments.values()}
        owners = {**self.now.owners, **makers, **true.owners}  # whatever was claimed of whom he didn't see is gone
        if by.seen.keys(split) != self.now.keys(split):  # a name that came back under an old list
            true = replace(true, before=true.before | OPEN)
        after = replace(true, owners=owners, state=replace(state, traffic=split, tags=tags))
        self._happens(Deed(deed, by.rollout, by.seen, self.now, after, shift, **facts))
        if weather == "lost after":
            raise Lost

    def create(
        self, by: Actor, made: Deployment, good: bool, weather: str = "fine", planned: EndpointState | None = None
    ) -> Deployment:
        """A PUT of a deployment: it is being created, and known by the time it was."""
        if weather == "lost":
            raise Lost
        self.clock += 1
        made = replace(made, created=f"2026-11-26T{self.clock:015.6f}+00:00")
        if not good:
            self.bad.add(made.created)
        owners = {**self.now.owners, made.created: frozenset({by.rollout})}
        self._happens(
            Deed("create", by.rollout, by.seen, self.now, self._with(made, owners), deployment=made, planned=planned)
        )
        if weather == "lost after":
            raise Lost
        return made

    def changes(self, name: str, **fields: Any) -> None:
        """A deployment changes in place: its state, its count, its tags."""
        self._pass(self._with(replace(self.now.state.deployments[name], **fields), self.now.owners))

    def delete(self, by: Actor, name: str, weather: str = "fine", why: str = "delete") -> None:
        """A DELETE of a deployment: Azure refuses where it has traffic."""
        if weather == "lost":
            raise Lost
        state = self.now.state
        if name in state.traffic:
            raise Rejected(f"{name} has traffic")
        if gone := state.deployments.get(name):
            left = {other: d for other, d in state.deployments.items() if other != name}
            now = replace(self.now, state=replace(state, deployments=left))
            shown = by.seen.state.deployments.get(name, gone)
            self._happens(Deed(why, by.rollout, by.seen, self.now, now, deployment=shown))

    def erase(self) -> None:
        """The endpoint's tags get lost, as by an `az ml online-endpoint update` from a file."""
        makers = {d.created: frozenset({d.rollout}) for d in self.now.state.deployments.values()}
        self._pass(replace(self.now, owners=makers, state=replace(self.now.state, tags={})))

    def _with(self, made: Deployment, owners: Mapping[Key, frozenset[str]]) -> Moment:
        state = self.now.state
        return replace(
            self.now, owners=owners, state=replace(state, deployments={**state.deployments, made.name: made})
        )

    def _happens(self, deed: Deed) -> None:
        self.judge(self, deed)
        self._pass(deed.now)
        has, had = deed.now.keys(deed.now.state.traffic), deed.was.keys(deed.was.state.traffic)
        if len(has) == 1 or deed.rollout == STRANGER or deed.what == "to":
            self.served |= has
        if deed.what in ("stage", "promotion"):
            self.retired |= had - has
        self.retired -= has
        self.had |= has

    def _pass(self, moment: Moment) -> None:
        self.touches += 1
        self.past.append((self.touches, self.now))
        self.now = moment


class Actor:
    """Somebody who reads and writes: `rollout` is his id, `seen` what his last read showed."""

    def __init__(self, world: World, rollout: str) -> None:
        self.world, self.rollout = world, rollout
        self.weather = "fine"
        self.seen = world.now
        self.wrote = self.bad = False

    def read(self, fresh: bool = False) -> EndpointState:
        self.seen = self.world.shown("fine" if fresh else self.take_weather())
        return self.seen.state

    def take_weather(self) -> str:
        """The weather of the next call: it is fine again after that."""
        found, self.weather = self.weather, "fine"
        return found


def wanted(rollout: str, version: int, settings: int = 0) -> Wanted:
    """What a run deploys: a model's version, with settings that are a number here."""
    asked = Settings(f"{settings:04}", {"settings": str(settings)})
    return Wanted(model(version), asked, rollout, "default", "xgboost-model", asked)


def model(version: int) -> Model:
    return Model("heart", str(version), f"digest-{version}")


def deployment(name: str, wants: Wanted, replaces: Ref | None = None, instances: int = 1) -> Deployment:
    """As a rollout makes it."""
    tags = {"model": wants.model.name, "version": wants.model.version}
    facts = {"rollout": wants.rollout, "settings": wants.settings.digest, "fields": wants.settings.fields}
    return Deployment(name, wants.model, "Creating", replaces=replaces, instances=instances, tags=tags, **facts)


def by_hand(name: str, version: int) -> Deployment:
    """As somebody makes it without a rollout: no tag tells of it."""
    return Deployment(name, replace(model(version), digest=""), SUCCEEDED, fields={"settings": "0"})


def _named(state: EndpointState, listed: Mapping[str, Deployment]) -> set[str]:
    """Whom a read asks for by name: what the traffic, the endpoint's tags and the claims name."""
    refs = [claim(state, d).blue for d in listed.values()]
    return {*state.traffic, *told(state), *(ref.name for ref in refs if ref)}


def _truth(deed: str, by: Actor, split: Mapping[str, int], proposal: Mapping[str, Any] | None) -> Moment:
    """What is true after a write, by what its writer saw and meant."""
    seen = by.seen
    if deed in ("mark", "takeover"):
        green = (proposal or {}).get("green_created")
        took = replace(seen, owners={**seen.owners, green: frozenset({by.rollout})}) if green else seen
        if green not in seen.keys(split):
            return took
        before = seen.before | (seen.keys(split) | OPEN if seen.writer == STRANGER else frozenset())
        return replace(took, writer=by.rollout, forward=True, before=before)
    if deed == "portal" and split == seen.state.traffic:
        return seen
    names = seen.state.deployments
    has = frozenset(names[name].created for name in split if name in names)
    before = _before(deed, seen, split, has, proposal)
    if deed == "portal":
        recorded = seen.recorded
        before |= (recorded[1] or OPEN) if recorded[0] == split else frozenset()
        open_still = seen.writer == STRANGER or seen.before >= OPEN  # no record tells of the one before
        before |= OPEN if open_still else frozenset()
        return replace(seen, writer=STRANGER, before=before)
    if proposal:
        owners = {**seen.owners, proposal["green_created"]: frozenset({by.rollout})}
    else:  # whoever he sees as green is his
        owners = {key: whose | {by.rollout} for key, whose in seen.owners.items()}
    forward = deed not in ("back", "own") and not (len(has) == 1 and has <= seen.before)
    return replace(
        seen, writer=by.rollout, forward=forward, before=before, owners=owners, recorded=(dict(split), before)
    )


def _before(
    deed: str, seen: Moment, split: Mapping[str, int], has: frozenset[Key], proposal: Mapping[str, Any] | None
) -> frozenset[Key]:
    """Whom going back leads to, after a write: several where a stranger leaves it open."""
    had = seen.keys(seen.state.traffic)
    if deed in ("back", "own"):
        return has
    if proposal:
        return frozenset({proposal["blue_created"]} - {""})
    if deed == "to":
        return had | has | seen.before | OPEN  # a share by name: either of the two may be who is to serve
    if not had or not has:
        return had | seen.before | OPEN
    if len(has) == 1 and has <= seen.before and deed != "portal":
        return has if len(seen.before) == 1 else seen.before | OPEN
    if len(had) != 1 or has == had:
        return seen.before
    third = has - had - seen.before
    odd = seen.writer == STRANGER
    return had | (seen.before if odd or not third else frozenset())
