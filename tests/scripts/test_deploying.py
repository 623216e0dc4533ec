"""What a deploy has to do: pure decisions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scripts.lib.decisions.deploying import MOST, Plan, Wanted, make_room, plan_deploy
from scripts.lib.decisions.roles import owner, pairs, roles
from scripts.lib.decisions.settings import Settings, fits
from scripts.lib.decisions.state import FIRST_ROLLOUT, Deployment, EndpointState, Model, Ref, Refused, Shift, positive
from scripts.lib.decisions.way_back import plan_rollback
from tests.support.decisions import (
    OTHER_RUN,
    RUN,
    all_steps,
    begun,
    born,
    default,
    deploy,
    deployed,
    deployment,
    endpoint,
    endpoints,
    green,
    marked,
    model,
    recorded,
    stranger,
    wanted,
)

SERVING = endpoint({"default": 100}, default())

# the first rollout


def test_the_first_deployment_is_created_at_0() -> None:
    """It gets all traffic once it was tested, so its plan says that it is the first."""
    plan = deploy(endpoint({}), 1)

    assert (plan.deployment, plan.create, plan.first, plan.green, plan.take_over) == ("default", True, True, "", None)


def test_a_failed_first_deployment_is_removed_first() -> None:
    """What a failed first rollout left is made anew, whatever the endpoint's tags."""
    for tags in (FIRST_ROLLOUT, {}):
        plan = deploy(endpoint({}, default(state="Failed"), tags=tags), 1)

        assert (plan.remove, plan.create) == (("default",), True)


def test_a_first_deployment_that_stands_is_used() -> None:
    """A first rollout that was killed, or failed its smoke test: the same model need not be made anew."""
    plan = deploy(endpoint({}, default(), tags=FIRST_ROLLOUT), 1)

    assert (plan.deployment, plan.create, plan.remove, plan.first) == ("default", False, (), True)


@pytest.mark.parametrize(("version", "settings"), [(2, ""), (1, "other settings")])
def test_a_first_deployment_that_never_served_is_made_anew(version: int, settings: str) -> None:
    """Another model, or other settings, don't go live as the one that never was."""
    plan = deploy(endpoint({}, default(settings="settings"), tags=FIRST_ROLLOUT), version, settings=settings)

    assert (plan.remove, plan.create, plan.first) == (("default",), True, True)


def test_an_endpoint_set_to_zero_stops_the_deploy() -> None:
    """Somebody took the traffic away for a reason; the error says how to give it back."""
    with pytest.raises(Refused, match="promote --to default --percent 100"):
        deploy(endpoint({}, default()), 2)


def test_an_endpoint_set_to_zero_while_it_is_changed_stops_the_deploy() -> None:
    """What is being updated or scaled has served and will again."""
    with pytest.raises(Refused, match="promote --to default --percent 100"):
        deploy(endpoint({}, default(state="Updating")), 1)


def test_a_first_deployment_that_another_run_makes_is_left_alone() -> None:
    """Two first rollouts at once: the second is told to deploy again later."""
    with pytest.raises(Refused, match="default is Creating: another run is at it"):
        deploy(endpoint({}, default(state="Creating"), tags=FIRST_ROLLOUT), 2)


def test_a_mirrored_first_deployment_is_not_made_anew() -> None:
    """Somebody watches what failed; removing it would end that."""
    with pytest.raises(Refused, match="the left-over default gets mirrored traffic"):
        deploy(endpoint({}, default(state="Failed"), mirror={"default": 10}), 1)


# a green


def test_green_is_created_next_to_what_serves() -> None:
    """A new model becomes green, which replaces what serves, with as many instances."""
    plan = deploy(endpoint({"default": 100}, default(instances=3)), 2)

    assert (plan.green, plan.blue, plan.create, plan.instances) == ("xgboost-model-2", "default", True, 3)
    assert (plan.remove, plan.after, plan.first) == ((), (), False)


def test_a_model_that_serves_is_not_deployed_again() -> None:
    """The same content under a newer version changes nothing, and offers nothing."""
    same = Wanted(Model("heart", "7", model(1).digest), Settings(), OTHER_RUN, "default", "xgboost-model")

    plan = plan_deploy(SERVING, same)

    assert plan == Plan("default", plan.say) and plan.done


def test_digests_that_are_made_otherwise_are_not_compared() -> None:
    """What an older release deployed has another one: then name and version tell, as where there is none."""
    older, newer = Model("heart", "7", "ab" * 32), Model("heart", "7", "2:" + "cd" * 32)

    assert older.same(newer) and newer.same(older)
    assert not newer.same(replace(newer, digest="2:" + "ab" * 32))
    assert not older.same(replace(newer, version="8"))


def test_without_digests_name_and_version_tell_the_model() -> None:
    """A deployment made without these scripts is recognised by the model it names."""
    assert deploy(endpoint({"default": 100}, Deployment("default", Model("heart", "1"))), 1).done
    assert deploy(endpoint({"default": 100}, Deployment("default", Model("lungs", "1"))), 1).create


def test_a_promoted_model_has_nothing_to_deploy() -> None:
    """Between promotion and deletion of blue another run of the same model leaves everything as it is."""
    state = recorded(endpoint({"xgboost-model-2": 100}, default(), green()), default(), green())

    plan = deploy(state, 2, OTHER_RUN)

    assert plan.done and (plan.deployment, plan.green, plan.blue) == ("xgboost-model-2", "", "")


# settings


@pytest.mark.parametrize(
    ("live", "asked", "same"),
    [
        ({"settings": "a"}, Settings("a"), True),
        ({"settings": "a"}, Settings("b"), False),
        ({"settings": "a", "fields": {"x": 1}}, Settings("b", {"x": 1}), False),
        ({"fields": {"x": 1, "y": 2}}, Settings("b", {"x": 1}), True),
        ({"fields": {"x": 1}}, Settings("b", {"x": 2}), False),
        ({"fields": {}}, Settings("b", {"x": 2}), True),
    ],
)
def test_settings_are_compared_by_digest_else_by_live_fields(
    live: dict[str, object], asked: Settings, same: bool
) -> None:
    """Who was made before there were digests is judged by what the file names and Azure tells."""
    assert fits(default(**live), asked) is same


def test_a_change_of_settings_alone_is_a_green_with_a_name_of_its_own() -> None:
    """The same model with another machine is rolled out like another model."""
    serving = endpoint({"xgboost-model-2": 100}, green(settings="aaaaaa"))

    plan = deploy(serving, 2, settings="bbbbbb")

    assert (plan.green, plan.blue, plan.create) == ("xgboost-model-2-bbbb", "xgboost-model-2", True)
    assert plan.remove == ()


def test_the_first_s_settings_roll_out_under_greens_name() -> None:
    """What serves as `default` gets a green of the same version."""
    assert deploy(endpoint({"default": 100}, default(settings="aa")), 1, settings="bb").green == "xgboost-model-1"


def test_a_name_that_gets_too_long_is_refused() -> None:
    """Azure takes 32 letters; the error says where to shorten it."""
    prefix = "x" * 31

    with pytest.raises(Refused, match=r"longer than 32: shorten `name` in endpoints/green-deployment.yml"):
        plan_deploy(SERVING, replace(wanted(2), prefix=prefix))
    assert plan_deploy(SERVING, replace(wanted(2), prefix=prefix[1:])).create


@pytest.mark.parametrize(("letters", "version", "fits"), [(22, 1, True), (23, 1, False), (19, 20261127, False)])
def test_a_green_s_name_is_refused_before_there_is_one(letters: int, version: int, fits: bool) -> None:
    """At the first rollout, which makes `default`: there is room for four digits, or as many as the version has."""
    first = replace(wanted(version), prefix="x" * letters)

    if fits:
        assert plan_deploy(endpoint({}), first).create
        return
    with pytest.raises(Refused, match=rf"green-deployment.yml: `name` has {letters} letters, but with a version of"):
        plan_deploy(endpoint({}), first)


# what stands already


@pytest.mark.parametrize("share", [0, 10, 50])
def test_the_very_green_asked_for_is_taken_up_again(share: int) -> None:
    """A run that is repeated goes on with the green it has made, and writes nothing for it."""
    traffic = positive({"default": 100 - share, "xgboost-model-2": share})

    plan = deploy(endpoint(traffic, default(), green()), 2)

    assert (plan.green, plan.blue, plan.done) == ("xgboost-model-2", "default", True)


@pytest.mark.parametrize("share", [0, 50])
def test_a_green_of_another_run_is_taken_over(share: int) -> None:
    """In one write, with the same split; from then on it is this rollout's, and the other run's no more."""
    traffic = positive({"default": 100 - share, "xgboost-model-2": share})
    state = endpoint(traffic, default(), green())

    plan = deploy(state, 2, OTHER_RUN)
    after = deployed(state, 2, OTHER_RUN)

    assert plan.take_over and plan.take_over.split == traffic and not plan.create
    assert (owner(state, "xgboost-model-2"), owner(after, "xgboost-model-2")) == (RUN, OTHER_RUN)
    assert roles(after) == ("default", "xgboost-model-2") and after.traffic == traffic
    assert deploy(after, 2, OTHER_RUN).done


def test_what_still_stands_is_used_to_go_back() -> None:
    """v2 serves, v1 was kept; v1 rolled out again is not built anew, but is to replace v2."""
    state = recorded(endpoint({"xgboost-model-2": 100}, default(), green()), default(), green())

    plan = deploy(state, 1, OTHER_RUN)
    after = deployed(state, 1, OTHER_RUN)

    assert (plan.green, plan.blue, plan.create, plan.remove, plan.after) == (
        "default",
        "xgboost-model-2",
        False,
        (),
        (),
    )
    assert roles(after) == ("xgboost-model-2", "default")


def test_what_stands_gets_as_many_instances_as_what_serves() -> None:
    """A green never starts below blue's live count; one that has more keeps it."""
    old = endpoint({"xgboost-model-2": 100}, default(instances=1), green(instances=3))
    more = endpoint({"xgboost-model-2": 100}, default(instances=5), green(instances=3))

    assert (deploy(old, 1).scale, deploy(old, 1).instances) == (True, 3)
    assert not deploy(more, 1).scale


@pytest.mark.parametrize("state", ["Failed", "Canceled"])
def test_what_stands_unhealthy_is_made_anew(state: str) -> None:
    """Failed, it is nobody's way back."""
    plan = deploy(endpoint({"default": 100}, default(), green(state=state)), 2)

    assert (plan.remove, plan.create, plan.green) == (("xgboost-model-2",), True, "xgboost-model-2")


@pytest.mark.parametrize("state", ["Creating", "Updating", "Deleting"])
def test_what_another_run_is_at_is_left_alone(state: str) -> None:
    """The error says to deploy again once that has ended."""
    with pytest.raises(Refused, match=f"xgboost-model-2 is {state}: another run is at it"):
        deploy(endpoint({"default": 100}, default(), green(state=state)), 2)


def test_a_mirrored_deployment_is_not_used_as_green() -> None:
    """Azure knows live or mirrored, not both; and its name is taken."""
    state = endpoint({"default": 100}, default(), green(), mirror={"xgboost-model-2": 10})

    assert deploy(state, 2).green == "xgboost-model-2-dige"


def test_a_stranger_s_deployment_of_that_model_is_not_used() -> None:
    """Nobody knows what somebody made by hand for."""
    plan = deploy(endpoint({"default": 100}, default(), Deployment("experiment", model(2))), 2)

    assert (plan.green, plan.create) == ("xgboost-model-2", True)


def test_of_two_that_fit_the_one_that_was_to_replace_blue_is_used() -> None:
    """An old one of the same model may stand, too."""
    old = replace(deployment("older", 2), model=model(2))
    state = endpoint({"default": 100}, default(), old, green())

    assert deploy(state, 2).green == "xgboost-model-2"


def test_another_rollout_in_progress_refuses() -> None:
    """A green with traffic isn't removed under its users; both ways out are named."""
    state = endpoint({"default": 90, "xgboost-model-2": 10}, default(), green())

    with pytest.raises(Refused, match="in progress: default 90 %, xgboost-model-2 10 %") as why:
        deploy(state, 3)

    assert "promote --to xgboost-model-2 --percent 100" in str(why.value) and "rollback" in str(why.value)


def test_a_rollout_in_progress_whose_green_broke_refuses() -> None:
    """The same model, but there is nothing to go on with."""
    with pytest.raises(Refused, match="in progress"):
        deploy(endpoint({"default": 90, "xgboost-model-2": 10}, default(), green(state="Failed")), 2)


# what goes, and when


def test_nothing_is_destroyed_before_its_successor_is_there() -> None:
    """A hotfix over a bad v2: the way back, `default`, stays whatever becomes of the hotfix."""
    state = recorded(endpoint({"xgboost-model-2": 100}, default(), green()), default(), green())

    plan = deploy(state, 3, OTHER_RUN)

    assert (plan.remove, plan.after, plan.create, plan.blue) == ((), (), True, "xgboost-model-2")


@pytest.mark.parametrize("tags", [True, False])
def test_a_green_that_was_never_promoted_goes_after_the_new_one_is_there(tags: bool) -> None:
    """It serves nobody; but if the new one doesn't start, it is still there to be looked at."""
    state = endpoint({"default": 100}, default(), green())
    state = marked(state, green()) if tags else state

    plan = deploy(state, 3)

    assert (plan.remove, plan.after) == ((), ("xgboost-model-2",))


def test_a_green_that_was_rolled_back_goes_wherever_it_came_from() -> None:
    """It was to replace a blue that was itself replaced: the mark tells that nobody needs it."""
    serves = deployment("xgboost-model-3", 3, replaces=deployment("gone", 1))
    state = marked(endpoint({"xgboost-model-3": 100}, serves, green()), green())

    assert deploy(state, 4).after == ("xgboost-model-2",)


def test_the_record_s_way_back_stays_even_if_marked() -> None:
    """Rolled back once, promoted by hand later, replaced then: it served before, so it is the way back."""
    three = green(3, replaces=green(2))
    state = recorded(endpoint({"xgboost-model-3": 100}, green(2), three), green(2), three)

    assert deploy(marked(state, green(2)), 4).after == ()


def test_a_failed_one_under_the_new_name_goes_before() -> None:
    """The name is needed; what failed serves nobody and proves nothing."""
    plan = deploy(endpoint({"default": 100}, default(), deployment("xgboost-model-3", 3, state="Failed")), 3)

    assert (plan.remove, plan.after) == (("xgboost-model-3",), ())


def test_a_stranger_is_left_alone() -> None:
    """A deployment that has no part in the rollout is somebody else's."""
    plan = deploy(endpoint({"default": 100}, default(), stranger()), 2)

    assert (plan.remove, plan.after) == ((), ())


def test_a_mirrored_left_over_stays() -> None:
    """Somebody is watching the left-over by mirrored traffic."""
    state = endpoint({"default": 100}, default(), green(), mirror={"xgboost-model-2": 10})

    assert deploy(state, 3).after == ()


@pytest.mark.parametrize("state", ["Succeeded", "Failed"])
def test_a_stranger_with_greens_name_keeps_it(state: str) -> None:
    """A deployment that no rollout made isn't deleted for having the name; green gets another one."""
    theirs = stranger("xgboost-model-2", state=state)

    plan = deploy(endpoint({"default": 100}, default(), theirs), 2)

    assert (plan.green, plan.remove) == ("xgboost-model-2-dige", ())


def test_all_names_taken_is_refused() -> None:
    """The error names those in the way, and the command that deletes one."""
    taken = [stranger(name) for name in ("xgboost-model-2", "xgboost-model-2-dige", "xgboost-model-2-sett")]

    with pytest.raises(Refused, match=r"in the way.*xgboost-model-2, xgboost-model-2-sett.*--name NAME"):
        deploy(endpoint({"default": 100}, default(), *taken), 2, settings="settings")


def test_a_version_made_anew_under_its_old_number_gets_a_name_of_its_own() -> None:
    """Somebody deleted version 2 and registered another: the one that serves isn't updated in place."""
    serving = replace(green(), model=Model("heart", "2", "another digest"))

    plan = deploy(endpoint({"xgboost-model-2": 100}, serving), 2)

    assert (plan.green, plan.blue, plan.remove) == ("xgboost-model-2-dige", "xgboost-model-2", ())


def test_two_models_on_one_endpoint_are_never_taken_for_one_another() -> None:
    """Another repository's model has the same version number, and so the same name for its green."""
    theirs = replace(green(), model=Model("lungs", "2", "lungs' digest"))
    state = endpoint({"default": 100}, default(), theirs)

    plan = deploy(state, 2, OTHER_RUN)

    assert (plan.green, plan.remove) == ("xgboost-model-2-dige", ()) and not plan.take_over


def test_as_many_as_azure_allows_is_refused_with_what_makes_room() -> None:
    """Twenty deployments: the error names one that can go."""
    many = [stranger(f"experiment-{number}") for number in range(MOST - 2)]
    two = endpoint({"xgboost-model-2": 100}, default(), green(), *many)

    with pytest.raises(Refused, match=r"as many as Azure allows\. To make room: delete_blue default"):
        deploy(two, 3)
    assert deploy(endpoint({"default": 100}, default(), *many), 3).create


def test_a_green_of_its_own_name_needs_no_further_room() -> None:
    """The failed one that is made anew leaves first."""
    many = [stranger(f"experiment-{number}") for number in range(MOST - 2)]

    assert deploy(endpoint({"default": 100}, default(), green(state="Failed"), *many), 2).create


def test_without_anything_idle_more_quota_is_the_way_out() -> None:
    """Where nothing of ours is at rest there is nothing to delete."""
    assert "ask for more quota" in make_room(SERVING)
    assert "delete_blue xgboost-model-3" in make_room(marked(endpoint({"default": 100}, default(), green(3)), green(3)))
    assert "delete_blue xgboost-model-3" in make_room(endpoint({"default": 100}, default(), green(3)))


# whatever the state


@given(endpoints(), st.integers(1, 4))
def test_no_deploy_touches_what_gets_requests(state: EndpointState, version: int) -> None:
    """Nothing with live or mirrored traffic is removed, made anew or scaled, and no split is changed."""
    try:
        plan = deploy(state, version, OTHER_RUN)
    except Refused:
        return

    requests = {*state.traffic, *state.mirror}
    assert not requests & {*plan.remove, *plan.after}
    assert not ((plan.create or plan.scale) and plan.deployment in requests)
    assert not (plan.create and plan.deployment in state.deployments.keys() - set(plan.remove))
    assert plan.take_over is None or plan.take_over.split == state.traffic


@given(endpoints(), st.integers(1, 4))
def test_no_deploy_removes_a_healthy_way_back(state: EndpointState, version: int) -> None:
    """Whom a rollback by hand would lead to is the same before and after, once something has served."""
    assume(state.traffic or not state.first_rollout)
    try:
        back = plan_rollback(state, "by hand")
        plan = deploy(state, version, OTHER_RUN)
    except Refused:
        return

    assert not back.split.keys() & {*plan.remove, *plan.after}


@given(endpoints(), st.integers(1, 4))
def test_what_is_removed_before_is_only_what_doesnt_work_or_never_served(state: EndpointState, version: int) -> None:
    """A healthy one goes only for a first rollout, where nobody serves."""
    try:
        plan = deploy(state, version, OTHER_RUN)
    except Refused:
        return

    assert plan.first or not any(state.deployments[name].healthy for name in plan.remove)


@given(endpoints(), st.integers(1, 4))
def test_a_killed_deploy_ends_the_same_when_run_again(state: EndpointState, version: int) -> None:
    """Killed after any step, the next run of that rollout reaches the state of an undisturbed one."""
    asked = wanted(version, OTHER_RUN)
    try:
        plan = plan_deploy(state, asked)
    except Refused:
        return
    whole = [state, *all_steps(state, asked)]

    for stopped in whole:
        if any(d.busy for d in stopped.deployments.values() if d not in state.deployments.values()):
            continue  # Azure goes on: the next run waits for it
        end = [stopped, *all_steps(stopped, asked)][-1]
        assert shape(end) == shape(whole[-1])
    last = plan_deploy(whole[-1], asked)
    assert (last.done, last.deployment, last.green) == (True, plan.deployment, plan.green)
    assert plan.done == (len(whole) == 1)


def shape(state: EndpointState) -> object:
    """An endpoint without the times, which differ between two runs."""
    deployments = {name: (d.model, d.state, d.rollout, d.instances) for name, d in state.deployments.items()}
    return deployments, state.traffic, pairs(state), [owner(state, name) for name in state.deployments]


@given(endpoints(), st.integers(1, 4))
def test_a_green_that_was_deployed_is_this_rollout_s(state: EndpointState, version: int) -> None:
    """Made or taken over: it replaces the blue that the plan names, and the rollout owns it."""
    try:
        plan = deploy(state, version, OTHER_RUN)
    except Refused:
        return
    after = deployed(state, version, OTHER_RUN)

    if plan.green:
        assert owner(after, plan.green) == OTHER_RUN
        assert pairs(after)[plan.green] == plan.blue
    assert after.traffic == state.traffic


@pytest.mark.parametrize(
    ("facts", "done"),
    [
        ({}, True),
        ({"first": True}, True),
        ({"create": True}, False),
        ({"scale": True}, False),
        ({"after": ("x",)}, False),
        ({"take_over": Shift({}, "")}, False),
    ],
)
def test_a_plan_is_done_once_there_is_nothing_to_write(facts: dict[str, object], done: bool) -> None:
    """A green to be created, scaled or taken over, a left-over to be removed; the first's traffic comes later."""
    assert Plan("default", "", **facts).done is done  # type: ignore[arg-type]


def test_a_takeover_by_a_third_run_is_taken_over_again() -> None:
    """Whoever deploys last owns it; a run that is repeated takes it back by its own deploy alone."""
    state = begun(endpoint({"default": 100}, default(), green()), default(), green(), OTHER_RUN)

    assert deploy(state, 2, OTHER_RUN).done
    assert owner(deployed(state, 2, RUN), "xgboost-model-2") == RUN


def test_a_green_of_an_older_release_is_taken_over() -> None:
    """Its tag is the bare name of its blue, and it names no rollout."""
    tags = {"model": "heart", "version": "2"}
    old = Deployment("xgboost-model-2", model(2), created=born(2), replaces=Ref("default"), tags=tags)
    state = endpoint({"default": 100}, default(rollout=""), old)

    plan = deploy(state, 2, OTHER_RUN)

    assert (plan.green, plan.blue, plan.create) == ("xgboost-model-2", "default", False) and plan.take_over
