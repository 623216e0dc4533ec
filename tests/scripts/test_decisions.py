"""The pure decisions of a rollout: roles, deploy, shift, rollback, deletion of blue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scripts.lib.decisions.deploying import Plan, plan_deploy, plan_first_traffic
from scripts.lib.decisions.situation import situation
from scripts.lib.decisions.state import (
    FIRST_ROLLOUT,
    Ambiguous,
    Deployment,
    EndpointState,
    Model,
    Refused,
    Shift,
    percentages,
    positive,
    roles,
)
from scripts.lib.decisions.traffic import plan_shift
from scripts.lib.decisions.way_back import plan_delete_blue, plan_rollback

STATES = ["Succeeded", "Failed", "Creating", "Updating", "Scaling", "Deleting", "Canceled"]
NAMES = ["default", "xgboost-model-1", "xgboost-model-2", "xgboost-model-3"]


def model(version: int) -> Model:
    return Model("heart", str(version), f"digest of {version}")


def endpoint(traffic: Mapping[str, int], *deployments: Deployment, **facts: Any) -> EndpointState:
    return EndpointState("heart", traffic, {d.name: d for d in deployments}, **facts)


def default(**facts: Any) -> Deployment:
    return Deployment("default", model(1), **facts)


def green(version: int = 2, replaces: str = "default", **facts: Any) -> Deployment:
    return Deployment(f"xgboost-model-{version}", model(version), replaces=replaces, **facts)


def deploy(state: EndpointState, version: int) -> Plan:
    return plan_deploy(state, model(version), first="default", prefix="xgboost-model")


@st.composite
def splits(draw: st.DrawFn, names: list[str]) -> dict[str, int]:
    """A split over some of the names that sums to 100, or none."""
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=len(names))) if names else []
    if not chosen:
        return {}
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(chosen) - 1, max_size=len(chosen) - 1)))
    return positive({name: end - start for name, start, end in zip(chosen, [0, *cuts], [*cuts, 100], strict=True)})


@st.composite
def endpoints(draw: st.DrawFn) -> EndpointState:
    """Any endpoint: also those that no rollout leaves behind."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    deployments = [
        Deployment(
            name,
            draw(st.integers(1, 4).map(model)),
            state=draw(st.sampled_from(["Succeeded"] * 4 + STATES)),
            replaces=draw(st.sampled_from(["", *NAMES])),
            instances=draw(st.integers(1, 3)),
        )
        for name in names
    ]
    traffic = draw(splits(names))
    idle = [name for name in names if name not in traffic]
    mirror = {draw(st.sampled_from(idle)): 10} if idle and draw(st.integers(0, 4)) == 0 else {}
    return endpoint(traffic, *deployments, mirror=mirror, tags=draw(st.sampled_from([{}, FIRST_ROLLOUT])))


def steps(state: EndpointState, plan: Plan, wanted: Model) -> Iterator[EndpointState]:
    """The endpoint after each step of a plan: where a killed deploy can leave it."""
    if plan.first and not state.first_rollout:
        yield (state := replace(state, tags=FIRST_ROLLOUT))
    for name in plan.remove:
        yield (state := replace(state, deployments={n: d for n, d in state.deployments.items() if n != name}))
    if plan.create:
        made = Deployment(plan.deployment, wanted, "Creating", plan.blue, plan.instances)
        yield (state := replace(state, deployments={**state.deployments, made.name: made}))
        healthy = {**state.deployments, made.name: replace(made, state="Succeeded")}
        yield (state := replace(state, deployments=healthy))
    if plan.first:
        yield replace(state, traffic={plan.deployment: 100}, tags={})


# roles


def test_a_lone_deployment_with_all_traffic_is_blue() -> None:
    """Without a pair, what serves is blue and nobody is green."""
    assert roles({"default": 100}, {"default": ""}) == ("default", None)


def test_an_empty_endpoint_has_no_roles() -> None:
    """Without traffic and pair there is neither blue nor green."""
    assert roles({}, {}) == (None, None)


def test_a_replaced_deployment_that_is_gone_makes_no_pair() -> None:
    """A green whose blue was deleted is what serves: the next blue."""
    assert roles({"xgboost-model-2": 100}, {"xgboost-model-2": "default"}) == ("xgboost-model-2", None)


@given(splits(["default", "xgboost-model-2"]))
def test_a_pair_keeps_its_roles_at_any_split(traffic: dict[str, int]) -> None:
    """Blue is whom green replaces, before, during and after the promotion, and after a rollback."""
    assert roles(traffic, {"default": "", "xgboost-model-2": "default"}) == ("default", "xgboost-model-2")


@given(st.permutations(NAMES), splits(["blue", "green"]))
def test_names_carry_no_colour(names: list[str], traffic: dict[str, int]) -> None:
    """Rolling out an older version, or one called default, makes it green all the same."""
    named = {"blue": names[0], "green": names[1]}

    found = roles({named[role]: share for role, share in traffic.items()}, {names[0]: "", names[1]: names[0]})

    assert found == (names[0], names[1])


def test_the_end_of_a_chain_is_green() -> None:
    """Where a retired blue is still there, green is the one that nobody replaces."""
    chain = {"default": "", "xgboost-model-2": "default", "xgboost-model-3": "xgboost-model-2"}

    assert roles({"xgboost-model-2": 100}, chain) == ("xgboost-model-2", "xgboost-model-3")


def test_of_two_greens_the_one_with_traffic_counts() -> None:
    """A second deployment that claims to replace blue doesn't take green's role while it has no traffic."""
    both = {"default": "", "xgboost-model-2": "default", "xgboost-model-3": "default"}

    assert roles({"default": 90, "xgboost-model-3": 10}, both) == ("default", "xgboost-model-3")


def test_of_two_pairs_the_one_with_traffic_counts() -> None:
    """A pair that an older rollout left at 0 % has no say, also after the rollback of the newer one."""
    two = {"default": "", "xgboost-model-2": "default", "xgboost-model-3": "", "xgboost-model-4": "xgboost-model-3"}

    assert roles({"xgboost-model-4": 100}, two) == ("xgboost-model-3", "xgboost-model-4")
    assert roles({"xgboost-model-3": 100}, two) == ("xgboost-model-3", "xgboost-model-4")


@pytest.mark.parametrize(
    ("traffic", "replaces"),
    [
        ({"default": 100}, {"default": "", "xgboost-model-2": "default", "xgboost-model-3": "default"}),
        ({"one": 50, "two": 50}, {"one": "", "two": ""}),
        ({"one": 100}, {"one": "two", "two": "one"}),
    ],
)
def test_undecidable_roles_are_an_error_that_lists_them(traffic: dict[str, int], replaces: dict[str, str]) -> None:
    """Two equal candidates, two strangers that share the traffic, a circle: nobody guesses."""
    with pytest.raises(Ambiguous) as raised:
        roles(traffic, replaces)

    assert all(name in str(raised.value) for name in replaces)


@given(endpoints())
def test_roles_are_a_pair_by_the_tag(state: EndpointState) -> None:
    """Whoever is green replaces blue, and both exist."""
    try:
        blue, new = state.roles
    except Ambiguous:
        return

    assert blue is None or blue in state.deployments
    assert new is None or state.deployments[new].replaces == blue


# deploy


def test_the_first_rollout_creates_default_with_all_traffic() -> None:
    """A new endpoint has nobody to put at risk."""
    plan = deploy(endpoint({}), 1)

    assert (plan.deployment, plan.create, plan.first, plan.green) == ("default", True, True, "")


def test_a_failed_first_deployment_is_removed_first() -> None:
    """What a failed first rollout left is made anew."""
    plan = deploy(endpoint({}, default(state="Failed"), tags=FIRST_ROLLOUT), 1)

    assert (plan.remove, plan.create) == (("default",), True)


def test_a_first_rollout_killed_before_its_traffic_goes_on() -> None:
    """The tag on the endpoint tells an unfinished first rollout: only the traffic is missing."""
    plan = deploy(endpoint({}, default(), tags=FIRST_ROLLOUT), 1)

    assert (plan.deployment, plan.create, plan.remove, plan.first) == ("default", False, (), True)


def test_an_unfinished_first_rollout_of_another_model_is_made_anew() -> None:
    """A newer model doesn't go live as the one that never was."""
    plan = deploy(endpoint({}, default(), tags=FIRST_ROLLOUT), 2)

    assert (plan.remove, plan.create) == (("default",), True)


def test_an_endpoint_set_to_zero_stops_the_deploy() -> None:
    """Somebody took the traffic away for a reason; the error says how to give it back."""
    with pytest.raises(Refused, match="promote --to default --percent 100"):
        deploy(endpoint({}, default()), 2)


def test_green_is_created_next_to_what_serves() -> None:
    """A new model becomes green, which replaces what serves, with as many instances."""
    plan = deploy(endpoint({"default": 100}, default(instances=3)), 2)

    assert (plan.green, plan.blue, plan.create, plan.instances) == ("xgboost-model-2", "default", True, 3)
    assert plan.remove == ()


def test_a_model_that_serves_is_not_deployed_again() -> None:
    """The same content under a newer version changes nothing."""
    same = Model("heart", "7", model(1).digest)

    plan = plan_deploy(endpoint({"default": 100}, default()), same, "default", "xgboost-model")

    assert (plan.deployment, plan.green, plan.create, plan.remove) == ("default", "", False, ())


def test_without_digests_name_and_version_tell_the_model() -> None:
    """A deployment made without these scripts is recognised by the model it names."""
    serving = Deployment("default", Model("heart", "1"))

    plan = deploy(endpoint({"default": 100}, serving), 1)

    assert not plan.create


def test_a_promoted_model_leaves_its_old_blue_and_says_so() -> None:
    """Between promotion and deletion of blue, a deploy of the same model only says that blue is kept."""
    plan = deploy(endpoint({"xgboost-model-2": 100}, default(), green()), 2)

    assert (plan.remove, plan.green) == ((), "")
    assert "default" in plan.say


@pytest.mark.parametrize("share", [0, 10, 50])
def test_the_very_green_asked_for_is_taken_up_again(share: int) -> None:
    """A run that is repeated goes on with the green it has made."""
    traffic = positive({"default": 100 - share, "xgboost-model-2": share})

    plan = deploy(endpoint(traffic, default(), green()), 2)

    assert (plan.green, plan.blue, plan.create, plan.remove) == ("xgboost-model-2", "default", False, ())


def test_another_rollout_in_progress_refuses() -> None:
    """A green with traffic isn't removed under its users."""
    with pytest.raises(Refused, match="in progress: default 90 %, xgboost-model-2 10 %"):
        deploy(endpoint({"default": 90, "xgboost-model-2": 10}, default(), green()), 3)


@pytest.mark.parametrize(
    ("traffic", "deployments", "removed"),
    [
        ({"default": 100}, [default(), green()], "xgboost-model-2"),
        ({"xgboost-model-2": 100}, [default(), green()], "default"),
        ({"default": 100}, [default(), green(3, "", state="Failed")], "xgboost-model-3"),
        ({"default": 100}, [default(), green(3, state="Failed")], "xgboost-model-3"),
    ],
    ids=["a green never promoted", "a retired blue", "a failed one in the way", "this green, failed"],
)
def test_left_overs_are_removed_first(traffic: dict[str, int], deployments: list[Deployment], removed: str) -> None:
    """What an earlier rollout left at 0 % makes room."""
    plan = deploy(endpoint(traffic, *deployments), 3)

    assert (plan.remove, plan.green) == ((removed,), "xgboost-model-3")


def test_a_stranger_is_left_alone() -> None:
    """A deployment that has no part in the rollout is somebody else's."""
    stranger = Deployment("experiment", model(9))

    assert deploy(endpoint({"default": 100}, default(), stranger), 2).remove == ()


def test_a_stranger_with_greens_name_refuses() -> None:
    """A healthy deployment that no rollout made isn't deleted for having the name."""
    with pytest.raises(Refused, match="in the way"):
        deploy(endpoint({"default": 100}, default(), Deployment("xgboost-model-2", model(9))), 2)


def test_a_mirrored_left_over_refuses() -> None:
    """Somebody is watching the left-over by mirrored traffic."""
    with pytest.raises(Refused, match="mirrored"):
        deploy(endpoint({"default": 100}, default(), green(), mirror={"xgboost-model-2": 10}), 3)


def test_another_model_under_the_serving_name_refuses() -> None:
    """A version made anew under its old number would update in place what serves."""
    serving = Deployment("xgboost-model-2", Model("heart", "2", "another digest"))

    with pytest.raises(Refused, match="new version"):
        deploy(endpoint({"xgboost-model-2": 100}, serving), 2)


@given(endpoints(), st.integers(1, 4))
def test_no_deploy_touches_what_gets_requests(state: EndpointState, version: int) -> None:
    """Whatever the state: nothing with live or mirrored traffic is removed or made anew."""
    try:
        plan = deploy(state, version)
    except Refused:
        return

    busy = {*state.traffic, *state.mirror}
    assert not busy & set(plan.remove)
    assert not (plan.create and plan.deployment in busy)
    assert not (plan.create and plan.deployment in state.deployments.keys() - set(plan.remove))


@given(endpoints(), st.integers(1, 4))
def test_a_killed_deploy_ends_the_same_when_run_again(state: EndpointState, version: int) -> None:
    """Killed after any step, the next run reaches the state of an undisturbed one."""
    try:
        plan = deploy(state, version)
    except Refused:
        return
    whole = [state, *steps(state, plan, model(version))]

    for stopped in whole:
        again = deploy(stopped, version)
        end = [stopped, *steps(stopped, again, model(version))][-1]
        assert end == whole[-1]
    last = deploy(whole[-1], version)
    assert (last.create, last.remove, last.deployment) == (False, (), plan.deployment)
    assert last.done and plan.done == (len(whole) == 1)


def test_a_plan_is_done_once_nothing_is_created_and_nothing_waits_for_traffic() -> None:
    """Either alone is something to write: a green to be created, a first deployment that has no traffic yet."""
    plans = [Plan("default", "", create=create, first=first) for create in (False, True) for first in (False, True)]

    assert [plan.done for plan in plans] == [True, False, False, False]


def test_the_first_deployment_gets_all_traffic() -> None:
    """Once it is healthy; a second time there is nothing to write."""
    state = endpoint({}, default(), tags=FIRST_ROLLOUT)

    shift = plan_first_traffic(state, "default")

    assert (shift.split, shift.done) == ({"default": 100}, False)
    assert plan_first_traffic(replace(state, traffic=shift.split), "default").done


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (endpoint({}, default(state="Failed")), "it is Failed"),
        (endpoint({"xgboost-model-2": 100}, default(), green()), "xgboost-model-2 100 %"),
        (endpoint({"default": 50, "xgboost-model-2": 50}, default(), green()), "xgboost-model-2 50 %"),
        (endpoint({}, default(), mirror={"default": 10}), "it is Succeeded"),
    ],
    ids=["unhealthy", "another has all traffic", "another has some", "mirrored"],
)
def test_what_others_did_meanwhile_is_not_overwritten_by_a_first_rollout(state: EndpointState, why: str) -> None:
    """Somebody gave another deployment traffic while the first was being created, or it isn't healthy any more."""
    with pytest.raises(Refused, match=why):
        plan_first_traffic(state, "default")


# shift


def test_a_share_is_taken_from_the_counterpart() -> None:
    """What green gets, blue gives."""
    shift = plan_shift(endpoint({"default": 100}, default(), green()), "xgboost-model-2", 10)

    assert (shift.split, shift.done) == ({"xgboost-model-2": 10, "default": 90}, False)


def test_blue_can_be_given_a_share_too() -> None:
    """The counterpart of blue is green."""
    shift = plan_shift(endpoint({"xgboost-model-2": 100}, default(), green()), "default", 30)

    assert shift.split == {"default": 30, "xgboost-model-2": 70}


def test_a_split_that_is_there_is_done_whatever_was_expected() -> None:
    """A repeated step changes nothing, although the expectation of its first run is history."""
    state = endpoint({"default": 90, "xgboost-model-2": 10}, default(), green())

    assert plan_shift(state, "xgboost-model-2", 10, {"default": 100}).done


def test_an_unexpected_split_is_refused_and_named() -> None:
    """Somebody else's change stops the promotion, and the error says what it was."""
    state = endpoint({"default": 70, "xgboost-model-2": 30}, default(), green())

    with pytest.raises(Refused, match="expected default 90 %, xgboost-model-2 10 %, but it is default 70 %"):
        plan_shift(state, "xgboost-model-2", 50, {"default": 90, "xgboost-model-2": 10})


def test_missing_names_in_the_expectation_are_zero() -> None:
    """`default=100` and `default=100,xgboost-model-2=0` say the same."""
    state = endpoint({"default": 100}, default(), green())

    assert plan_shift(state, "xgboost-model-2", 10, {"default": 100, "xgboost-model-2": 0}) == plan_shift(
        state, "xgboost-model-2", 10, {"default": 100}
    )


def test_an_unknown_deployment_is_refused_with_those_there_are() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(Refused, match="has no deployment nobody; it has: default"):
        plan_shift(endpoint({"default": 100}, default()), "nobody", 10)


@pytest.mark.parametrize("state", [state for state in STATES if state != "Succeeded"])
def test_an_unhealthy_deployment_gets_no_more(state: str) -> None:
    """Traffic goes up only where the deployment is healthy."""
    with pytest.raises(Refused, match=state):
        plan_shift(endpoint({"default": 100}, default(), green(state=state)), "xgboost-model-2", 10)


def test_a_mirrored_deployment_gets_no_live_traffic() -> None:
    """Azure knows live or mirrored, not both."""
    state = endpoint({"default": 100}, default(), green(), mirror={"xgboost-model-2": 10})

    with pytest.raises(Refused, match="mirrored"):
        plan_shift(state, "xgboost-model-2", 10)


def test_traffic_on_a_third_deployment_is_refused() -> None:
    """A shift between two takes nothing from a third one."""
    third = Deployment("experiment", model(9))
    state = endpoint({"default": 80, "experiment": 20}, default(), green(), third)

    with pytest.raises(Refused, match="experiment 20 %"):
        plan_shift(state, "xgboost-model-2", 10)


def test_an_endpoint_at_zero_is_started_by_a_whole_shift_alone() -> None:
    """All traffic for one deployment is the way out of 0 %; a part of it has nobody to share with."""
    state = endpoint({}, default(), green())

    assert plan_shift(state, "default", 100).split == {"default": 100}
    with pytest.raises(Refused, match="no traffic"):
        plan_shift(state, "default", 90)


@pytest.mark.parametrize("percent", [0, 60, 99])
def test_a_share_without_a_counterpart_is_refused(percent: int) -> None:
    """Nobody is there for the rest."""
    with pytest.raises(Refused, match="no counterpart"):
        plan_shift(endpoint({"default": 100}, default()), "default", percent)


@given(endpoints(), st.sampled_from(NAMES), st.integers(0, 100), st.none() | splits(NAMES))
def test_every_shift_is_whole_and_final(
    state: EndpointState, to: str, percent: int, expect: dict[str, int] | None
) -> None:
    """Whatever the state: a split sums to 100, names what exists, gives what was asked, and is done once written."""
    try:
        shift = plan_shift(state, to, percent, expect)
    except Refused:
        return

    assert sum(shift.split.values()) == 100
    assert shift.split.keys() <= state.deployments.keys()
    assert shift.split.get(to, 0) == percent
    assert plan_shift(replace(state, traffic=shift.split), to, percent, expect).done


# rollback


@given(splits(["default", "xgboost-model-2"]))
def test_a_rollback_gives_blue_everything(traffic: dict[str, int]) -> None:
    """At any split of a rollout, green at 100 % included, one write brings blue back; at blue's 100 % none does."""
    assume(traffic)

    shift = plan_rollback(endpoint(traffic, default(), green()))

    assert (shift.split, shift.done) == ({"default": 100}, traffic == {"default": 100})


@pytest.mark.parametrize("state", [endpoint({}), endpoint({"default": 100}, default())])
def test_without_a_blue_a_rollback_does_nothing(state: EndpointState) -> None:
    """Nothing to go back to is no error."""
    shift = plan_rollback(state)

    assert shift == Shift(state.traffic, f"nothing to go back to: {percentages(state.traffic)}", done=True)


def test_a_rollback_needs_no_green_to_be_told() -> None:
    """Two deployments that both replace blue agree on the way back."""
    state = endpoint({"xgboost-model-2": 50, "xgboost-model-3": 50}, default(), green(2), green(3))

    assert plan_rollback(state).split == {"default": 100}


def test_a_rollback_with_two_ways_back_is_refused() -> None:
    """Nobody guesses where to go."""
    other = Deployment("other", model(9))
    state = endpoint({"xgboost-model-2": 50, "xgboost-model-3": 50}, default(), other, green(2), green(3, "other"))

    with pytest.raises(Ambiguous, match="xgboost-model-3 replaces other"):
        plan_rollback(state)


def test_a_rollback_takes_from_third_deployments_too() -> None:
    """All traffic means all."""
    third = Deployment("experiment", model(9))

    shift = plan_rollback(endpoint({"xgboost-model-2": 80, "experiment": 20}, default(), green(), third))

    assert shift.split == {"default": 100}


def test_a_rollback_by_hand_starts_a_stopped_endpoint() -> None:
    """A person who rolls back wants blue to serve, at any point."""
    assert plan_rollback(endpoint({}, default(), green())).split == {"default": 100}


def test_a_rollback_of_a_version_leaves_an_endpoint_at_zero() -> None:
    """A failed run doesn't undo what a person did; the error says how to serve again."""
    with pytest.raises(Refused, match="promote --to default --percent 100"):
        plan_rollback(endpoint({}, default(), green()), only_version="2")


def test_a_rollback_of_a_version_takes_back_that_version() -> None:
    """It may have part of the traffic or all of it."""
    for traffic in ({"default": 90, "xgboost-model-2": 10}, {"xgboost-model-2": 100}):
        assert plan_rollback(endpoint(traffic, default(), green(2)), only_version="2").split == {"default": 100}


def test_a_rollback_of_a_version_leaves_an_earlier_promotion() -> None:
    """A run that failed before it made its green does not take back what an earlier run promoted."""
    promoted = endpoint({"xgboost-model-2": 100}, default(), green(2))

    assert plan_rollback(promoted, only_version="3").done


def test_a_rollback_to_a_broken_blue_is_refused() -> None:
    """A blue that failed and serves nobody is no way back."""
    with pytest.raises(Refused, match="Failed"):
        plan_rollback(endpoint({"xgboost-model-2": 100}, default(state="Failed"), green()))


@pytest.mark.parametrize("state", ["Updating", "Scaling"])
def test_a_rollback_to_a_blue_that_is_being_changed_is_done(state: str) -> None:
    """A deployment that is being changed goes on answering."""
    promoted = endpoint({"xgboost-model-2": 100}, default(state=state), green())

    assert plan_rollback(promoted).split == {"default": 100}


@pytest.mark.parametrize("state", STATES)
def test_a_rollback_to_a_blue_that_answers_is_done(state: str) -> None:
    """Whatever Azure calls it: blue has traffic, and nobody has taken it away."""
    halfway = endpoint({"default": 50, "xgboost-model-2": 50}, default(state=state), green())

    assert plan_rollback(halfway).split == {"default": 100}


@given(endpoints())
def test_every_rollback_is_whole_and_final(state: EndpointState) -> None:
    """Whatever the state: it ends with all traffic on one existing deployment or as it was, and then it is done."""
    try:
        shift = plan_rollback(state)
    except Refused:
        return

    assert shift.done or list(shift.split.values()) == [100]
    assert shift.split.keys() <= state.deployments.keys()
    assert plan_rollback(replace(state, traffic=shift.split)).done


# delete blue


def test_a_replaced_blue_is_deleted() -> None:
    """The deployment with all traffic replaces it."""
    assert not plan_delete_blue(endpoint({"xgboost-model-2": 100}, default(), green()), "default").done


def test_a_blue_that_is_gone_is_no_error() -> None:
    """Deleting twice is deleting once."""
    assert plan_delete_blue(endpoint({"xgboost-model-2": 100}, green()), "default").done


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (endpoint({"default": 1, "xgboost-model-2": 99}, default(), green()), "default 1 %"),
        (endpoint({"xgboost-model-2": 100}, default(), green(), mirror={"default": 10}), "default 10 %"),
        (endpoint({"xgboost-model-2": 100}, default(), green(replaces="other")), "no deployment"),
        (endpoint({}, default(), green()), "no traffic"),
        (endpoint({"xgboost-model-2": 100}, default(), green(state="Failed")), "Failed"),
    ],
    ids=["has traffic", "is mirrored", "is replaced by nobody", "nobody serves", "the serving one failed"],
)
def test_a_blue_that_may_be_needed_stays(state: EndpointState, why: str) -> None:
    """Blue goes only once a healthy successor has everything."""
    with pytest.raises(Refused, match=why):
        plan_delete_blue(state, "default")


@given(endpoints(), st.sampled_from(NAMES))
def test_only_a_replaced_deployment_without_requests_is_deleted(state: EndpointState, name: str) -> None:
    """Whatever the state: what is deleted gets no requests, and what has all of them replaces it."""
    try:
        wanted = not plan_delete_blue(state, name).done
    except Refused:
        return

    if wanted:
        assert name not in state.traffic and name not in state.mirror
        assert [state.deployments[serving].replaces for serving in state.traffic] == [name]


# for people


@given(endpoints())
def test_every_state_has_an_explanation(state: EndpointState) -> None:
    """There is one line for whatever a person meets."""
    line = situation(state)

    assert line and "\n" not in line


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (endpoint({}, tags=FIRST_ROLLOUT), "the first rollout has not ended"),
        (endpoint({}, default()), "somebody took all traffic away"),
        (endpoint({"default": 100}, default()), "no rollout is in progress"),
        (endpoint({"default": 100}, default(), green()), "waits at 0 %"),
        (endpoint({"default": 90, "xgboost-model-2": 10}, default(), green()), "a rollout is in progress"),
        (endpoint({"xgboost-model-2": 100}, default(), green()), "rollback works until delete_blue"),
        (endpoint({"default": 100}, default(), green(state="Failed")), "xgboost-model-2 is Failed"),
    ],
)
def test_the_explanation_tells_where_the_rollout_is(state: EndpointState, words: str) -> None:
    """Each stage is told from the others."""
    assert words in situation(state)
