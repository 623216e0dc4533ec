"""What must hold at every step, whoever is at work: asked of the endpoint as it really is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from scripts.lib.decisions.approval import propose
from scripts.lib.decisions.deploying import Wanted, plan_deploy
from scripts.lib.decisions.record import BY_HAND
from scripts.lib.decisions.roles import owner, pairs, roles
from scripts.lib.decisions.situation import situation
from scripts.lib.decisions.state import SERVES, SUCCEEDED, Deployment, EndpointState, Refused, Shift
from scripts.lib.decisions.traffic import plan_shift
from scripts.lib.decisions.way_back import plan_delete_blue, plan_rollback
from tests.protocol.invariants import Broken
from tests.protocol.world import OPEN, World, wanted
from tests.workflows import files

ROOT = Path(__file__).parents[2]
PROMOTE = r"promote --to ([a-z0-9-]+) --percent ([0-9]+)(?: --expect ([a-z0-9=,-]+))?"
VERBS = {path.stem for path in (ROOT / "scripts").glob("[!_]*.py")}
WORKFLOWS = {f"{name}.yml" for name in files.WORKFLOWS}  # the template's own, whatever else there is
NEW = wanted("octo/heart/actions/runs/0/attempts/1", 99)


def going_back_leads_to_what_served_before(world: World) -> None:
    """A rollback by hand gives all traffic to what served before, wherever that still stands, and never goes further;
    else it is red. Where the record is lost it may be red, too."""
    moment, state = world.now, world.now.state
    recorded = bool(state.tags.get("rollout"))
    there = {d.created: d.state in SERVES or d.name in state.traffic for d in state.deployments.values()}
    able = [there.get(key, False) for key in moment.before]
    try:
        shift = plan_rollback(state, BY_HAND)
    except Refused as why:
        if recorded and able and all(able):
            raise Broken(f"a rollback is red, though what served before stands: {why}\n{moment}") from why
        return
    (name,) = shift.split
    led = state.deployments[name].created
    stays = shift.done and not moment.before  # the first serves, and what is to replace it waits
    if led not in moment.before and not stays and not moment.before >= OPEN and (recorded or led not in world.served):
        raise Broken(f"a rollback leads to {name}, which isn't what served before: {moment}")


def every_refusal_leads_on(world: World) -> None:
    """What a refusal names exists, and one of the commands that it spells out can be given."""
    state = world.now.state
    for plan in _plans(state):
        try:
            plan()
        except Refused as why:
            leads_on(state, str(why))


def no_two_replace_each_other(world: World) -> None:
    """What was green once and is blue now replaces nobody, also after an older version was rolled out again."""
    found = pairs(world.now.state)
    if any(found.get(blue) == green for green, blue in found.items()):
        raise Broken(f"two replace each other: {found}: {world.now}")


def whoever_took_a_green_last_owns_it(world: World) -> None:
    """Who made it, took it over, or wrote a split with it, whoever wrote others since."""
    state = world.now.state
    for name in pairs(state):
        deployment, found = state.deployments[name], owner(state, name)
        if found and deployment.rollout and found not in (true := world.now.owners[deployment.created]):
            raise Broken(f"{name} is {set(true)}'s, not {found}'s: {world.now}")


def there_is_a_line_for_every_state(world: World) -> None:
    """show_endpoint always tells."""
    if not situation(world.now.state):
        raise Broken("no line")


def _plans(state: EndpointState) -> list[Callable[[], object]]:
    serving = next(iter(state.traffic), "default")
    return [
        lambda: roles(state),
        lambda: propose(state),
        lambda: plan_rollback(state, BY_HAND),
        lambda: plan_deploy(state, NEW),
        lambda: plan_shift(state, serving, 50, BY_HAND),
    ]


def leads_on(state: EndpointState, message: str, depth: int = 3) -> None:
    """Raises Broken where a message names nothing, or nothing of what it spells out can be done."""
    if not names_a_command(message):
        raise Broken(f"names no command: {message}")
    state = replace(state, deployments={name: _ended(d) for name, d in state.deployments.items()})
    if (tried := _spelt_out(state, message)) and not any(_works(state, plan, depth) for plan in tried):
        raise Broken(f"leads nowhere: {message}\n{state}")


def names_a_command(message: str) -> bool:
    """Whether a message names a verb or a workflow that exists, or a command of az."""
    words = {word.strip(".") for word in re.findall(r"[\w.-]+", message)}
    known = {word for word in words if word.endswith(".yml")} <= WORKFLOWS | {"green-deployment.yml"}
    return known and bool(words & (VERBS | WORKFLOWS) or "az ml " in message)


def _spelt_out(state: EndpointState, message: str) -> list[Callable[[], Shift]]:
    """The commands that a message gives whole; `rollback --to NAME` for everybody who can serve."""
    able = [name for name, d in state.deployments.items() if d.state in SERVES or name in state.traffic]
    tried: list[Callable[[], Shift]] = []
    for name in able if "rollback --to NAME" in message else re.findall(r"rollback --to ([a-z0-9-]+)", message):
        tried.append(lambda name=name: plan_rollback(state, BY_HAND, name))  # type: ignore[misc]
    for name, percent, expect in re.findall(PROMOTE, message):
        split = {part.partition("=")[0]: int(part.partition("=")[2]) for part in expect.split(",") if part} or None
        tried.append(
            lambda name=name, share=int(percent), split=split: plan_shift(state, name, share, BY_HAND, split)  # type: ignore[misc]
        )
    for name in re.findall(r"delete_blue ([a-z0-9-]+)", message):
        tried.append(lambda name=name: plan_delete_blue(state, name))  # type: ignore[misc]
    if "(rollback)" in message:
        tried.append(lambda: plan_rollback(state, BY_HAND))
    return tried


def _ended(deployment: Deployment) -> Deployment:
    """What is being done to it has been done."""
    return replace(deployment, state=SUCCEEDED) if deployment.busy else deployment


def _works(state: EndpointState, plan: Callable[[], Shift], depth: int) -> bool:
    try:
        plan()
    except Refused as why:
        if depth == 0:
            return False
        leads_on(state, str(why), depth - 1)
    return True


PROBES = [
    going_back_leads_to_what_served_before,
    every_refusal_leads_on,
    no_two_replace_each_other,
    whoever_took_a_green_last_owns_it,
    there_is_a_line_for_every_state,
]


def nothing_to_deploy_is_true(state: EndpointState, wants: Wanted) -> None:
    """A run ends without anything to promote only where that very model serves with those settings."""
    serving = [state.deployments[name] for name in state.traffic]
    if not any(d.model.same(wants.model) and d.settings in ("", wants.settings.digest) for d in serving):
        raise Broken(f"nothing to deploy, though {wants.model} with {wants.settings} doesn't serve: {state}")


def an_own_rollback_leaves_nothing(world: World, rollout: str) -> None:
    """When the job rollback has ended well, no share is left that its rollout gave, however late its reads were."""
    moment = world.now
    if moment.state.tags.get("rollout") == rollout == moment.writer and moment.forward and moment.before - OPEN:
        raise Broken(f"the job rollback of {rollout} left its own split: {moment}")


def what_is_left_alone_is_there(world: World, shift: Shift) -> None:
    """Whoever says that nothing is to be done has seen what is so, not what was."""
    if shift.done and shift.split != world.now.state.traffic:
        raise Broken(f"{shift.say}: that was so once; now: {world.now}")
