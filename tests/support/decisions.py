"""What the tests of the pure decisions share: small endpoints, any endpoint, and how a plan leaves one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from scripts.lib.decisions.deploying import Plan, Wanted, plan_deploy
from scripts.lib.decisions.record import Record, Tags, claimed, mark, written
from scripts.lib.decisions.roles import pairs
from scripts.lib.decisions.settings import Settings
from scripts.lib.decisions.state import FIRST_ROLLOUT, Deployment, EndpointState, Model, Ref, Shift, positive

STATES = ["Succeeded", "Failed", "Creating", "Updating", "Scaling", "Deleting", "Canceled"]
NAMES = ["default", "xgboost-model-1", "xgboost-model-2", "xgboost-model-3"]
RUN, OTHER_RUN = "octo/heart/actions/runs/1/attempts/1", "octo/heart/actions/runs/2/attempts/1"


def born(number: int) -> str:
    """A creation time; the larger the number, the later."""
    return f"2026-01-{number:02}T12:00:00.123456+00:00"


def model(version: object) -> Model:
    return Model("heart", str(version), f"digest of {version}")


def deployment(name: str, version: int, replaces: Deployment | None = None, **facts: Any) -> Deployment:
    """One that a rollout made, on the day of its version."""
    known = {"model": model(version), "created": born(version), "rollout": RUN}
    return Deployment(name, **{**known, "replaces": replaces.ref if replaces else None, **facts})


def default(**facts: Any) -> Deployment:
    return deployment("default", 1, **facts)


def green(version: int = 2, replaces: Deployment | None = None, **facts: Any) -> Deployment:
    """What is to replace another one, which is `default` unless said."""
    return deployment(f"xgboost-model-{version}", version, replaces or default(), **facts)


def stranger(name: str = "experiment", **facts: Any) -> Deployment:
    """One that somebody made by hand."""
    return Deployment(name, Model("heart", "9"), created=born(9), **facts)


def endpoint(traffic: Mapping[str, int], *deployments: Deployment, **facts: Any) -> EndpointState:
    return EndpointState("heart", traffic, {d.name: d for d in deployments}, **facts)


def tagged(state: EndpointState, tags: Tags) -> EndpointState:
    """With tags written; None takes one away."""
    kept = {**state.tags, **tags}
    return replace(state, tags={name: value for name, value in kept.items() if value is not None})


def recorded(
    state: EndpointState,
    blue: Deployment | None,
    green: Deployment | None,
    rollout: str = RUN,
    split: Mapping[str, int] | None = None,
    back: bool = False,
) -> EndpointState:
    """With a record of who wrote its split, or another one."""
    found = Record(
        rollout, blue.ref if blue else None, green.ref if green else None, split or state.traffic, back, "then"
    )
    return tagged(state, written(state, found))


def begun(state: EndpointState, blue: Deployment, green: Deployment, rollout: str = OTHER_RUN) -> EndpointState:
    """Another rollout has taken green over."""
    ended = claimed(blue, rollout, None) if pairs(state).get(blue.name) == green.name else {}
    return tagged(state, {**claimed(green, rollout, blue.ref), **ended})


def marked(state: EndpointState, *deployments: Deployment) -> EndpointState:
    """With a mark of each."""
    for found in deployments:
        state = tagged(state, mark(found, "rolled back"))
    return state


def put(state: EndpointState, shift: Shift) -> EndpointState:
    """What a shift leaves: its split, and its tags in the same write."""
    return state if shift.done else tagged(replace(state, traffic=shift.split), shift.tags)


def portal(state: EndpointState, **traffic: int) -> EndpointState:
    """Somebody else writes a split, tags echoed: `xgboost_model_2=10`."""
    return replace(state, traffic=positive({name.replace("_", "-"): share for name, share in traffic.items()}))


def wanted(version: object, rollout: str = RUN, settings: str = "") -> Wanted:
    return Wanted(model(version), Settings(settings), rollout, "default", "xgboost-model")


def deploy(state: EndpointState, version: object, rollout: str = RUN, settings: str = "") -> Plan:
    return plan_deploy(state, wanted(version, rollout, settings))


def made(state: EndpointState, plan: Plan, asked: Wanted) -> Deployment:
    """What a plan creates, younger than all that is there."""
    blue = state.deployments[plan.blue].ref if plan.blue else None
    last = max([d.created for d in state.deployments.values()], default=born(1))
    return Deployment(
        plan.deployment,
        asked.model,
        "Creating",
        created=f"{last[:10]}T{int(last[11:13]) % 23 + 1:02}{last[13:]}" if state.deployments else last,
        replaces=blue,
        rollout=asked.rollout,
        settings=asked.settings.digest,
        instances=plan.instances,
    )


def steps(state: EndpointState, plan: Plan, asked: Wanted) -> Iterator[EndpointState]:
    """The endpoint after each step of a deploy: where a killed one can leave it."""
    if plan.first and plan.create and not state.first_rollout:
        yield (state := tagged(state, dict(FIRST_ROLLOUT)))
    for name in plan.remove:
        yield (state := without(state, name))
    if plan.create:
        new = made(state, plan, asked)
        yield (state := replace(state, deployments={**state.deployments, new.name: new}))
        yield (state := replace(state, deployments={**state.deployments, new.name: replace(new, state="Succeeded")}))
    if plan.scale:
        scaled = replace(state.deployments[plan.deployment], instances=plan.instances)
        yield (state := replace(state, deployments={**state.deployments, scaled.name: scaled}))
    if plan.take_over:
        yield (state := put(state, plan.take_over))
    for name in plan.after:
        yield (state := without(state, name))


def all_steps(state: EndpointState, asked: Wanted) -> Iterator[EndpointState]:
    """The endpoint after each step of a deploy, which plans anew until nothing is left to do."""
    for _ in range(9):
        if (plan := plan_deploy(state, asked)).done:
            return
        for state in steps(state, plan, asked):  # noqa: B020  # where this one leaves it the next begins
            yield state
    raise AssertionError("a deploy comes to no end")


def deployed(state: EndpointState, version: object, rollout: str = RUN, settings: str = "") -> EndpointState:
    """The endpoint after a deploy that nothing disturbed."""
    asked = wanted(version, rollout, settings)
    return [state, *all_steps(state, asked)][-1]


def without(state: EndpointState, name: str) -> EndpointState:
    """The endpoint once a deployment is deleted."""
    return replace(state, deployments={n: d for n, d in state.deployments.items() if n != name})


@st.composite
def splits(draw: st.DrawFn, names: list[str]) -> dict[str, int]:
    """A split over some of the names that sums to 100, or none."""
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=len(names))) if names else []
    if not chosen:
        return {}
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(chosen) - 1, max_size=len(chosen) - 1)))
    return positive({name: end - start for name, start, end in zip(chosen, [0, *cuts], [*cuts, 100], strict=True)})


days = st.integers(1, 4).map(born)
refs = st.none() | st.builds(Ref, st.sampled_from(NAMES), st.just("") | days)


@st.composite
def endpoints(draw: st.DrawFn) -> EndpointState:
    """Any endpoint: also those that no rollout leaves behind."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    deployments = [
        Deployment(
            name,
            draw(st.integers(1, 4).map(model)),
            state=draw(st.sampled_from(["Succeeded"] * 4 + STATES)),
            created=draw(days),
            replaces=draw(refs),
            rollout=draw(st.sampled_from(["", RUN, OTHER_RUN])),
            instances=draw(st.integers(1, 3)),
        )
        for name in names
    ]
    traffic = draw(splits(names))
    idle = [name for name in names if name not in traffic]
    mirror = {draw(st.sampled_from(idle)): 10} if idle and draw(st.integers(0, 4)) == 0 else {}
    state = endpoint(traffic, *deployments, mirror=mirror, tags=draw(st.sampled_from([{}, FIRST_ROLLOUT])))
    blue, new = draw(refs), draw(refs)
    if draw(st.booleans()):
        split = draw(st.just(traffic) | splits(NAMES)) or {"default": 100}
        found = Record(draw(st.sampled_from([RUN, OTHER_RUN])), blue, new, split, draw(st.booleans()), "then")
        state = tagged(state, written(state, found))
    if blue and (took := state.standing(new)) and draw(st.integers(0, 3)) == 0:
        state = tagged(state, claimed(took, OTHER_RUN, blue))
    return marked(state, *[d for d in deployments if draw(st.integers(0, 4)) == 0])
