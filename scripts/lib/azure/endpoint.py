"""One online endpoint through the SDK: its state as the decisions see it, and the one loop that changes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf
from operator import attrgetter
from typing import NoReturn, Protocol, TypeVar

from scripts.lib.azure import entities
from scripts.lib.azure.errors import Passing, explain, signed_out
from scripts.lib.azure.resources import Resources
from scripts.lib.azure.trying import Tries, patiently
from scripts.lib.azure.waiting import Deadline, TimedOut
from scripts.lib.decisions.record import dated, written_since
from scripts.lib.decisions.roles import pairs
from scripts.lib.decisions.state import EndpointState, Overwritten, Refused, Shift, percentages
from scripts.lib.decisions.tags import fitting

LOOKING = 30.0  # seconds for which a verb that only looks goes on through what passes
LEFT = 5.0  # seconds for telling how the endpoint is left, when --timeout is used up
STEADY = 20.0  # seconds that a split reads the same before it is left to others
CHANGING = frozenset({"Updating", "Scaling"})
Busy = Callable[[EndpointState], bool]
S = TypeVar("S", bound="Step")


class Step(Protocol):
    """What a plan says is to be done; `done`: nothing."""

    @property
    def done(self) -> bool: ...


class OnlineEndpoint(Resources):
    """An endpoint of a workspace, which may not exist yet."""

    def find(self, deadline: Deadline | None = None, known: Iterable[str] = ()) -> EndpointState | None:
        """The endpoint's state, None where there is no such endpoint. `known`: deployments that are expected there."""
        deadline = deadline or Deadline(LOOKING)
        return patiently(self.workspace, deadline, lambda: self.look.state(deadline, known))

    def read(self, deadline: Deadline | None = None, known: Iterable[str] = ()) -> EndpointState:
        """The endpoint's state. Raises Refused where there is no such endpoint."""
        return self.find(deadline, known) or self._nowhere()

    @property
    def seen(self) -> EndpointState:
        """Its state as the last look saw it, for what follows at once."""
        return self.look.seen or self.read()

    def settled(
        self, deadline: Deadline, busy: Busy = attrgetter("busy"), known: Iterable[str] = ()
    ) -> EndpointState | None:
        """The state once no operation changes the endpoint (or what `busy` looks at), or as it is at the deadline."""
        while (state := self.find(deadline, known)) and busy(state) and not deadline.passed:
            names = [d.name for d in state.deployments.values() if d.busy]
            deadline.pause(f"waiting for an operation on {', '.join(names) or self.name} to end")
        return state

    def change(
        self,
        plan: Callable[[EndpointState], S],
        write: Callable[[S, EndpointState], None],
        deadline: Deadline,
        *,
        busy: Busy = attrgetter("busy"),
        absent: S | None = None,
        known: Iterable[str] = (),
        accepts: Callable[[S, EndpointState], bool] = lambda *_: True,
        stubborn: bool = False,
    ) -> S:
        """Look, plan, and write unless that is done: the one loop of all that changes an endpoint; gives the plan.

        What passes is waited for until the deadline; then all begins anew, from what is there now; `stubborn`: whatever
        ended the write. `absent` is the plan where there is no endpoint, else that is refused. What is done is looked
        at again until it is what `accepts` accepts.
        """
        tries = Tries(self.workspace, deadline, stubborn)
        while True:
            found = self.settled(deadline, busy, known)
            step = plan(found) if found else absent or self._nowhere()
            state = found or EndpointState(self.name)
            if step.done and accepts(step, state):
                return step
            try:
                if not step.done:
                    write(step, state)
                    return step
            except Exception as error:
                if tries.another(error):
                    continue
                if isinstance(error, Refused | TimedOut) or signed_out(error) or (message := explain(error)) is None:
                    raise
                raise Refused(f"{message}\n{self.how_it_is_left()}") from error

    def shift(
        self,
        plan: Callable[[EndpointState], Shift],
        deadline: Deadline,
        absent: Shift | None = None,
        patience: float = inf,
    ) -> Shift:
        """Write the split that `plan` makes of the settled state, with its tags, and look until it reads back.

        Raises Overwritten where somebody else wrote meanwhile, TimedOut where the old split is still there at the end.
        With `patience` (seconds until then) it is a rollback: that goes on, whatever ended its write, until the
        deadline, and waits for nobody's deployment.
        """
        forward = patience == inf
        steady = Steady()

        def write(shift: Shift, state: EndpointState) -> None:
            shift = replace(shift, tags=dated(dict(shift.tags), self.workspace.now()))  # Azure dates the traffic, too
            self._write(shift, state, deadline)
            self._read_back(shift, state, Deadline(min(patience, deadline.left)), tags=forward)

        def accepts(shift: Shift, state: EndpointState) -> bool:
            return not shift.hold or steady.so(shift, state, deadline)

        busy = pair_busy if forward else attrgetter("busy")
        return self.change(plan, write, deadline, busy=busy, absent=absent, accepts=accepts, stubborn=not forward)

    def how_it_is_left(self) -> str:
        """For the end of an error message."""
        try:
            state = self.look.state(Deadline(LEFT))
        except Exception as error:
            if explain(error) is None:
                raise
            return f"How {self.name} is left can't be read; show_endpoint tells later."
        if state is None:
            return f"There is no endpoint {self.name}."
        if state.busy or any(deployment.busy for deployment in state.deployments.values()):
            return f"An operation on {self.name} still runs: show_endpoint tells how that ends."
        return f"{self.name} is left with {percentages(state.traffic)}."

    def _nowhere(self) -> NoReturn:
        raise Refused(f"there is no endpoint {self.name} in workspace {self.workspace.name}. Run create_endpoint.")

    def _write(self, shift: Shift, planned: EndpointState, deadline: Deadline) -> None:
        entity = self.look.endpoint(deadline)
        if entity is None:
            raise Passing(f"the endpoint {self.name} is gone")
        now = entities.endpoint(entity)
        if now.traffic != planned.traffic:
            raise Overwritten(f"somebody changed the split meanwhile: {percentages(now.traffic)}. Nothing was written.")
        if who := written_since(now, planned):
            raise Overwritten(f"somebody took the rollout over meanwhile: {who}. Nothing was written.")
        entity.traffic = dict(shift.split)
        entity.mirror_traffic = {name: share for name, share in now.mirror.items() if name not in shift.split}
        entity.tags = fitting(now.tags, shift.tags, self.name)
        self.put(entity, f"setting the traffic to {percentages(shift.split)}", deadline)

    def _read_back(self, shift: Shift, before: EndpointState, deadline: Deadline, tags: bool) -> None:
        """What was written is eventually consistent (Azure/azure-dev#3881), and two writers may overwrite each other.

        `tags`: they must be there, too. A split that is there under another record is somebody else's.
        """
        ours = {tag: value or "" for tag, value in shift.tags.items()} if tags else {}
        old = {tag: before.tags.get(tag, "") for tag in ours}
        while True:
            state = self.read(deadline)
            found = {tag: state.tags.get(tag, "") for tag in ours}
            if (state.traffic, found) == (shift.split, ours):
                return
            echoed = state.traffic != shift.split and found == ours != old  # a late read would lack the tags, too
            if echoed or state.traffic not in (shift.split, before.traffic):
                raise Overwritten(
                    f"somebody else wrote another split right after this one: {percentages(state.traffic)}."
                )
            if state.traffic == shift.split and found not in (ours, old):
                raise Overwritten(
                    f"somebody else wrote the same split right after this one: {written_since(state, before)}."
                )
            if deadline.passed:  # late, or somebody wrote the old one again
                raise TimedOut(f"the split was written, but still reads back as {percentages(state.traffic)}")
            deadline.pause("waiting for the split to read back")


class Steady:
    """Whether an endpoint has read the same for a while: before that, a late read may hide this rollout's own write."""

    def __init__(self) -> None:
        self._seen: object = None
        self._since = 0.0
        self._changed = False

    def so(self, shift: Shift, state: EndpointState, deadline: Deadline) -> bool:
        """Pauses before the next look where it isn't. Raises TimedOut where it still changes at the deadline."""
        if self._seen != (seen := (dict(state.traffic), dict(state.tags))):
            self._changed = self._seen is not None
            self._seen, self._since = seen, time.monotonic()
        if time.monotonic() - self._since >= STEADY or (deadline.passed and not self._changed):
            return True
        if deadline.passed:
            raise TimedOut(f"{shift.say}; but --timeout ended before it had been so for {STEADY:.0f} s")
        deadline.pause(f"{shift.say}; looking for {STEADY:.0f} s whether that stays so")
        return False


def pair_busy(state: EndpointState) -> bool:
    """Whether the endpoint, or a deployment that is promoted or replaced, is being changed."""
    found = pairs(state)
    pair = {*state.traffic, *(green for green, blue in found.items() if blue in state.traffic)}
    return state.busy or any(state.deployments[name].state in CHANGING for name in pair)
