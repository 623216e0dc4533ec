"""The verbs over the endpoint in memory: each is a generator that stops before each of its calls.

What they decide is decided by the real decisions; the loops are those of `scripts/`: settled look, plan, a second read
right before the PUT, PUT, read back. Whoever runs one may let others act at each stop, or never run it on: killed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

from scripts.lib.decisions.approval import Proposal, check, check_owner, plan_promotion, propose
from scripts.lib.decisions.deploying import Plan, Wanted, plan_deploy
from scripts.lib.decisions.record import live, mark, written_since
from scripts.lib.decisions.roles import roles
from scripts.lib.decisions.state import EndpointState, Overwritten, Ref, Refused, Shift
from scripts.lib.decisions.traffic import plan_first_traffic, plan_shift
from scripts.lib.decisions.way_back import plan_delete_blue, plan_own_rollback, plan_rollback, superfluous
from tests.protocol.world import Actor, Lost, Rejected, deployment

OFTEN = 4  # looks, after which time has gone by: a read is up to date
Steps = Generator[None, None, Any]
Planner = Callable[[EndpointState], Shift]


class Failed(Exception):
    """A verb ends red, for a reason that isn't the decisions'."""


def shift(me: Actor, deed: str, plan: Planner, overrule: bool = False, **facts: Any) -> Steps:
    """`OnlineEndpoint.shift`: gives the plan once it reads back. Raises Overwritten, but for who overrules."""
    while True:
        try:
            yield
            state = me.read()
            step = plan(state)
            if step.hold:
                yield from _hold(me, plan, step)
            if step.done:
                return step
            yield
            if me.read().traffic != state.traffic or written_since(me.seen.state, state):
                raise Overwritten("somebody wrote meanwhile: show_endpoint")
            yield
            me.wrote = me.wrote or deed not in ("mark", "takeover")
            me.world.split(deed, me, step, me.take_weather(), **facts)
            yield from _read_back(me, deed, state, step)
            return step
        except Lost:
            continue
        except Overwritten:
            if not overrule:
                raise


def _hold(me: Actor, plan: Planner, step: Shift) -> Steps:
    """A split is left to others only if it still is so after a while. Raises Overwritten to begin anew."""
    for look in range(OFTEN):
        yield
        if plan(me.read(fresh=look + 1 == OFTEN)) != step:
            raise Lost


def _read_back(me: Actor, deed: str, was: EndpointState, step: Shift) -> Steps:
    for look in range(OFTEN):
        yield
        state = me.read(fresh=look + 1 == OFTEN)
        if state.traffic == step.split and _recorded(state, step):
            return
        if state.traffic not in (step.split, was.traffic):
            break
    raise Overwritten("somebody else wrote another split right after this one. show_endpoint")


def _recorded(state: EndpointState, step: Shift) -> bool:
    return all(state.tags.get(name) == value for name, value in step.tags.items())


def deploy(me: Actor, wants: Wanted, good: bool) -> Steps:
    """deploy.py: one step at a time, each planned from what is there; gives the plan once nothing is left of it."""
    while True:
        with suppress(Lost):
            state = yield from _settled(me)
            plan = plan_deploy(state, wants)
            if plan.done:
                return plan
            yield from _step(me, plan, state, wants, good)


def _settled(me: Actor) -> Steps:
    for _ in range(OFTEN):
        yield
        if not any(d.busy for d in me.read().deployments.values()):
            break
    return me.seen.state


def _step(me: Actor, plan: Plan, state: EndpointState, wants: Wanted, good: bool) -> Steps:
    if plan.create:
        for name in plan.remove:
            yield
            me.world.delete(me, name, me.take_weather())
        yield from _create(me, plan, state, wants, good)
    elif plan.scale:
        yield
        if plan.deployment not in me.read(fresh=True).deployments:
            raise Lost  # gone meanwhile: all anew
        me.world.changes(plan.deployment, instances=plan.instances)
    elif plan.take_over:
        yield from _take_over(me, plan, wants)
    else:
        yield
        me.world.delete(me, plan.after[0], me.take_weather())


def _create(me: Actor, plan: Plan, state: EndpointState, wants: Wanted, good: bool) -> Steps:
    yield
    if plan.deployment in me.read(fresh=True).deployments:
        raise Lost  # somebody made it meanwhile: all anew
    blue = state.deployments[plan.blue].ref if plan.blue else None
    made = deployment(plan.deployment, wants, blue, plan.instances)
    made = me.world.create(me, made, good, me.take_weather(), state)
    yield
    found = me.world.now.state.deployments.get(made.name)
    if found is None or found.created != made.created:
        raise Failed(f"{made.name} was deleted meanwhile")
    if found.busy:
        me.world.changes(made.name, state="Failed" if me.take_weather() == "lost" else "Succeeded")
    if me.world.now.state.deployments[made.name].state == "Failed":
        me.world.delete(me, made.name)
        raise Failed(f"{made.name} did not become healthy")


def _take_over(me: Actor, plan: Plan, wants: Wanted) -> Steps:
    def planned(state: EndpointState) -> Shift:
        return plan_deploy(state, wants).take_over or Shift(state.traffic, "", done=True)

    green = me.seen.state.deployments[plan.deployment].created if plan.green else ""
    yield from shift(me, "takeover", planned, proposal={"green_created": green})


def smoke_test(me: Actor, name: str | None = None, marking: bool = True) -> Steps:
    """smoke_test.py: asks a deployment past the split; one that is bad gets a mark."""
    yield
    state = me.read()
    if name is None:
        name = roles(state)[1] or (next(iter(state.deployments)) if len(state.deployments) == 1 else None)
    there = me.world.now.state.deployments.get(name or "")
    if name is None or there is None or not there.healthy:
        raise Failed(f"{name} can't be asked")
    if there.created in me.world.bad:
        me.bad = True
        if marking:
            yield from shift(me, "mark", lambda state: _marked(state, there.name))
        raise Failed(f"{name} is bad")
    me.world.tested.add(there.created)


def _marked(state: EndpointState, name: str) -> Shift:
    if name not in state.deployments:
        return Shift(state.traffic, "", done=True)
    return Shift(state.traffic, "marked", tags=mark(state.deployments[name], "failed its smoke test"))


def first_traffic(me: Actor, first: Ref) -> Steps:
    """promote.py --first."""
    yield from shift(me, "first", lambda state: plan_first_traffic(state, first, me.rollout))


def review(me: Actor, green: str | None = None, own: bool = True) -> Steps:
    """review.py: gives what a person is asked to approve."""
    yield
    state = me.read()
    if proposal := propose(state, green):
        check(state, proposal)
        if own:
            check_owner(proposal, me.rollout)
    return proposal


def promote(me: Actor, proposal: Proposal, percent: int, stage: bool = True) -> Steps:
    """promote.py --expect: asks green, writes, and then deletes what that made superfluous."""

    def plan(state: EndpointState) -> Shift:
        return plan_promotion(state, percent, me.rollout, proposal, at_least=stage)

    yield from smoke_test(me, proposal["green"], marking=False)
    yield from shift(me, "stage" if stage else "promotion", plan, proposal=proposal)
    yield
    state = me.read()
    last = live(state)
    for name in superfluous(state) if last and last.rollout == me.rollout else []:
        yield
        me.world.delete(me, name, why="superfluous")


def promote_to(me: Actor, name: str, percent: int) -> Steps:
    """promote.py --to: somebody says whom."""
    yield from shift(me, "to", lambda state: plan_shift(state, name, percent, me.rollout))


def delete_blue(me: Actor, name: str, proposal: Proposal | None = None) -> Steps:
    """delete_blue.py: approved, or by hand."""
    while True:
        with suppress(Lost):
            yield
            state = me.read()
            step = plan_delete_blue(state, name)
            if proposal and not step.done:
                check(state, proposal)
            if not step.done:
                yield
                me.world.delete(me, name, me.take_weather(), why="delete-blue")
            return


def rollback(me: Actor, to: str | None = None) -> Steps:
    """rollback.py by hand, which overrules whoever writes meanwhile: gives the plan."""

    def plan(state: EndpointState) -> Shift:
        return plan_rollback(state, me.rollout, to)

    return (yield from shift(me, "back", plan, overrule=True, approved=to is not None))


def own_rollback(me: Actor) -> Steps:
    """rollback.py --own: the workflow's job."""
    return (yield from shift(me, "own", lambda state: plan_own_rollback(state, me.rollout), overrule=True))


def to_the_end(steps: Steps) -> Any:
    """Nobody comes between: what the verb gives."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


RED = (Refused, Failed, Rejected, Lost)
