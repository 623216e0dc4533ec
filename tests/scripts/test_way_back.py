"""Going back, and the end of the way back: pure decisions."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scripts.lib.decisions.record import live, marks
from scripts.lib.decisions.state import Ambiguous, Deployment, EndpointState, Refused, Shift
from scripts.lib.decisions.way_back import plan_delete_blue, plan_own_rollback, plan_rollback, superfluous
from tests.support.decisions import (
    NAMES,
    OTHER_RUN,
    RUN,
    STATES,
    begun,
    born,
    default,
    deployment,
    endpoint,
    endpoints,
    green,
    marked,
    model,
    portal,
    put,
    recorded,
    splits,
    stranger,
    without,
)

GREEN = "xgboost-model-2"
HALFWAY = recorded(endpoint({"default": 50, GREEN: 50}, default(), green()), default(), green())
PROMOTED = recorded(endpoint({GREEN: 100}, default(), green()), default(), green())
HAND = "by hand"


def back(state: EndpointState, to: str | None = None) -> Shift:
    return plan_rollback(state, HAND, to)


# by hand


@given(splits(["default", GREEN]), st.booleans())
def test_a_rollback_gives_blue_everything(traffic: dict[str, int], known: bool) -> None:
    """At any split of a rollout, by the record or by green's claim: one write; at blue's 100 % none."""
    assume(traffic)
    state = endpoint(traffic, default(), green())

    shift = back(recorded(state, default(), green()) if known else state)

    assert (shift.split, shift.done) == ({"default": 100}, traffic == {"default": 100})


@pytest.mark.parametrize("state", [HALFWAY, PROMOTED], ids=["half way", "promoted"])
def test_a_second_rollback_writes_nothing(state: EndpointState) -> None:
    """Already there, and never further back, as the workflow's second look too."""
    after = put(state, back(state))

    assert after.traffic == {"default": 100}
    assert (back(after).split, back(after).done, back(after).say) == (
        {"default": 100},
        True,
        "already there: default 100 %",
    )
    assert back(after, "default").done


def test_a_second_rollback_never_walks_on() -> None:
    """v1, v2, v3: back from v3 is v2; v1 still stands, and stays at 0 %."""
    one, two, three = default(), green(2), green(3, replaces=green(2))
    state = recorded(endpoint({"xgboost-model-3": 100}, one, two, three), two, three)

    after = put(state, back(state))

    assert after.traffic == {GREEN: 100}
    assert back(after).done and back(after).split == {GREEN: 100}


def test_a_rollback_is_recorded_and_marks_what_it_leaves() -> None:
    """In the same write: who went back, to whom, from whom; and what the next review shows on top."""
    after = put(HALFWAY, back(HALFWAY))

    found = live(after)
    assert found and (found.back, found.blue, found.green, found.rollout) == (True, default().ref, green().ref, HAND)
    assert marks(after)[GREEN].startswith("rolled back from 50 % on 20") and marks(after)[GREEN].endswith(HAND)


def test_without_anything_before_a_rollback_is_red() -> None:
    """The first deployment serves: nothing served before, and what can be done is named."""
    first = recorded(endpoint({"default": 100}, default()), None, default())

    with pytest.raises(Refused, match=r"nothing served before default.*deploy --version N"):
        back(first)


def test_without_record_and_claim_a_rollback_is_red() -> None:
    """Nothing proves a way back; with another that could serve, the command that gives it everything is named."""
    lost = endpoint({GREEN: 100}, default(), deployment(GREEN, 2))

    with pytest.raises(Refused, match=r"nothing tells what served before.*rollback --to NAME .*default"):
        back(lost)
    with pytest.raises(Refused, match="nothing tells what served before"):
        back(endpoint({}))


def test_a_way_back_that_is_gone_is_red_and_its_version_known() -> None:
    """The record said which version served before: that is to be rolled out again."""
    with pytest.raises(Refused, match=r"default \(model version 1\), which served before, is gone.*deploy --version 1"):
        back(without(PROMOTED, "default"))
    with pytest.raises(Refused, match=r"default \(model version 1\).*is gone.*rollout.yml with it as `version`"):
        back(endpoint({GREEN: 100}, green()))


def test_a_name_that_came_back_is_no_way_back() -> None:
    """Somebody deleted `default` and made another one: it never served before green."""
    again = replace(PROMOTED, deployments={**PROMOTED.deployments, "default": default(created=born(9))})

    with pytest.raises(Refused, match="which served before, is gone"):
        back(again)
    assert back(again, "default").split == {"default": 100}


@pytest.mark.parametrize("share", [50, 100])
def test_erased_tags_leave_the_record(share: int) -> None:
    """Green was updated from a file, without tags: the endpoint's own record tells the way back."""
    traffic = {"default": 50, GREEN: 50} if share == 50 else {GREEN: 100}
    erased = deployment(GREEN, 2, rollout="", tags={})

    assert back(recorded(endpoint(traffic, default(), erased), default(), green())).split == {"default": 100}


def test_a_lost_record_leaves_greens_claim() -> None:
    """The endpoint was updated from a file: who replaces whom still stands at green."""
    assert back(endpoint({"default": 50, GREEN: 50}, default(), green())).split == {"default": 100}


@pytest.mark.parametrize("traffic", [{"default": 50, GREEN: 50}, {}])
def test_with_record_and_claim_lost_it_is_ambiguous(traffic: dict[str, int]) -> None:
    """The candidates and the way out are named; taking it leads to all traffic on one."""
    state = endpoint(traffic, default(), deployment(GREEN, 2))

    with pytest.raises(Ambiguous, match=r"Name the one that is to serve \(default, .*rollback --to NAME"):
        back(state)
    assert back(state, GREEN).split == {GREEN: 100}


def test_a_rollback_to_an_unknown_name_is_refused_with_those_there_are() -> None:
    """A typo is answered with the right names."""
    with pytest.raises(Refused, match="has no deployment nobody; it has: default, xgboost-model-2"):
        back(HALFWAY, "nobody")


def test_a_portal_s_split_of_the_pair_goes_back_to_blue() -> None:
    """Somebody shifted by hand; who served before is the same."""
    assert back(portal(HALFWAY, default=20, xgboost_model_2=80)).split == {"default": 100}
    assert back(portal(HALFWAY, xgboost_model_2=100)).split == {"default": 100}


def test_a_portal_s_split_on_a_third_goes_back_to_what_served_before_that() -> None:
    """Green had everything by the record; somebody gave an experiment a share."""
    state = replace(PROMOTED, deployments={**PROMOTED.deployments, "experiment": stranger()})

    assert back(portal(state, xgboost_model_2=80, experiment=20)).split == {GREEN: 100}
    assert back(portal(state, experiment=100)).split == {GREEN: 100}


def test_a_portal_s_share_for_green_during_its_wait_goes_back_to_what_serves() -> None:
    """The first serves by the record, green waits at 0 %; somebody gives it half."""
    first = recorded(endpoint({"default": 100}, default(), green()), None, default())

    assert back(portal(first, default=50, xgboost_model_2=50)).split == {"default": 100}
    assert back(portal(first, xgboost_model_2=100)).split == {"default": 100}


def test_before_green_has_anything_a_rollback_has_nothing_to_do() -> None:
    """What serves is what a rollback would lead to: the first, whose green waits."""
    first = recorded(endpoint({"default": 100}, default(), green()), None, default())

    assert back(first).done and back(first).split == {"default": 100}


def test_a_rollback_while_another_green_waits_leads_to_what_served_before() -> None:
    """v2 has everything, v3 waits at 0 %, v1 was kept: going back by hand leads to v1, once."""
    state = replace(PROMOTED, deployments={**PROMOTED.deployments, "xgboost-model-3": green(3, replaces=green(2))})

    after = put(state, back(state))

    assert after.traffic == {"default": 100}
    assert back(after).done


def test_a_rollback_starts_a_stopped_endpoint() -> None:
    """A person who rolls back wants blue to serve, at any point."""
    assert back(portal(HALFWAY)).split == {"default": 100}
    assert back(endpoint({}, default(), green())).split == {"default": 100}


def test_a_rollback_takes_from_third_deployments_too() -> None:
    """All traffic means all."""
    state = replace(HALFWAY, deployments={**HALFWAY.deployments, "experiment": stranger()})

    assert back(portal(state, default=40, xgboost_model_2=40, experiment=20)).split == {"default": 100}


def test_a_rollback_to_a_broken_blue_is_refused() -> None:
    """A blue that failed and serves nobody is no way back; what else could serve is named."""
    state = recorded(endpoint({GREEN: 100}, default(state="Failed"), green(), stranger()), default(), green())

    with pytest.raises(Refused, match=r"default is Failed.* stays.*rollback --to NAME.*experiment"):
        back(state)


@pytest.mark.parametrize("state", ["Updating", "Scaling"])
def test_a_rollback_to_a_blue_that_is_being_changed_is_done(state: str) -> None:
    """A deployment that is being changed goes on answering."""
    promoted = recorded(endpoint({GREEN: 100}, default(state=state), green()), default(), green())

    assert back(promoted).split == {"default": 100}


@pytest.mark.parametrize("state", STATES)
def test_a_rollback_to_a_blue_that_answers_is_done(state: str) -> None:
    """Whatever Azure calls it: blue has traffic, and nobody has taken it away."""
    assert back(endpoint({"default": 50, GREEN: 50}, default(state=state), green())).split == {"default": 100}


def test_a_smaller_blue_gets_everything_and_that_is_said() -> None:
    """Fewer requests at once are better than wrong answers; whoever goes back reads how many."""
    shift = back(recorded(endpoint({GREEN: 100}, default(), green(instances=3)), default(), green()))

    assert shift.split == {"default": 100}
    assert "default answers 1 request at once, xgboost-model-2 3" in shift.say
    assert "answers" not in back(PROMOTED).say


@given(endpoints(), st.none() | st.sampled_from(NAMES))
def test_every_rollback_is_whole_and_final(state: EndpointState, to: str | None) -> None:
    """Whatever the state: it ends with all traffic on one existing deployment, and then it is done there."""
    try:
        shift = back(state, to)
    except Refused:
        return

    assert list(shift.split.values()) == [100]
    assert shift.split.keys() <= state.deployments.keys()
    again = back(put(state, shift), to if shift.done else None)
    assert (again.done, again.split) == (True, shift.split)


@given(endpoints())
def test_every_refused_rollback_names_a_command(state: EndpointState) -> None:
    """Whatever the state: nobody is left without knowing what to do."""
    try:
        back(state)
    except Refused as why:
        assert "rollback --to NAME" in str(why) or "deploy --version" in str(why)


# the workflow's own


@pytest.mark.parametrize("state", [HALFWAY, PROMOTED], ids=["half way", "promoted"])
def test_a_rollout_takes_back_what_it_wrote(state: EndpointState) -> None:
    """At any share, by its own record."""
    shift = plan_own_rollback(state, RUN)

    assert (shift.split, shift.done, shift.hold) == ({"default": 100}, False, False)
    assert plan_own_rollback(put(state, shift), RUN).done


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (HALFWAY, f"{RUN} wrote the split"),
        (recorded(HALFWAY, default(), green(), HAND), "by hand wrote the split"),
        (endpoint({"default": 50, GREEN: 50}, default(), green()), "nothing tells that this rollout wrote the split"),
        (endpoint({"default": 100}, default()), "nothing tells that this rollout wrote the split"),
    ],
    ids=["another run's", "a person's", "made by another run", "nothing recorded"],
)
def test_a_rollout_leaves_what_others_wrote(state: EndpointState, says: str) -> None:
    """And names who wrote since; the split must still be so after a while, since a read may be late."""
    shift = plan_own_rollback(state, OTHER_RUN)

    assert (shift.split, shift.done, shift.hold) == (state.traffic, True, True)
    assert says in shift.say


def test_a_rollout_leaves_a_strangers_split() -> None:
    """It wrote the record, but somebody outside wrote another split since."""
    shift = plan_own_rollback(portal(HALFWAY, xgboost_model_2=100), RUN)

    assert shift.done and shift.hold
    assert "somebody outside the workflows" in shift.say


def test_a_rerun_of_the_same_run_is_another_rollout() -> None:
    """Its attempt is part of the id: what the first attempt promoted, the second doesn't take back."""
    assert plan_own_rollback(PROMOTED, RUN.replace("attempts/1", "attempts/2")).hold


def test_a_lost_record_leaves_greens_own_tag() -> None:
    """Where green's tag names this rollout, it goes back; another rollout doesn't."""
    state = endpoint({"default": 50, GREEN: 50}, default(), green())

    assert plan_own_rollback(state, RUN).split == {"default": 100}
    assert plan_own_rollback(state, OTHER_RUN).hold


def test_a_takeover_alone_wrote_no_split() -> None:
    """A run that took a waiting green over and was cancelled has nothing to take back."""
    serves = recorded(endpoint({GREEN: 100}, default(), green()), default(), green(), RUN)
    state = begun(serves, green(), default(), OTHER_RUN)

    assert plan_own_rollback(state, OTHER_RUN).hold


def test_a_takeover_of_a_green_with_traffic_is_taken_back_by_its_new_owner() -> None:
    """The run that waited before leaves it; the one that took it over goes back where the first came from."""
    state = recorded(HALFWAY, default(), green(), OTHER_RUN)

    assert plan_own_rollback(state, RUN).hold
    assert plan_own_rollback(state, OTHER_RUN).split == {"default": 100}


def test_a_first_rollout_has_nothing_to_take_back() -> None:
    """It is its endpoint's first: nobody served before."""
    state = recorded(endpoint({"default": 100}, default()), None, default())

    shift = plan_own_rollback(state, RUN)

    assert (shift.done, shift.split) == (True, {"default": 100})


def test_a_rollout_whose_blue_is_gone_is_red() -> None:
    """Somebody deleted it: what to roll out again is named."""
    with pytest.raises(Refused, match="deploy --version 1"):
        plan_own_rollback(without(PROMOTED, "default"), RUN)


@given(endpoints(), st.sampled_from([RUN, OTHER_RUN]))
def test_a_rollout_writes_over_no_recorded_split_but_its_own(state: EndpointState, rollout: str) -> None:
    """Whatever the state."""
    try:
        shift = plan_own_rollback(state, rollout)
    except Refused:
        return

    found = live(state)
    assert shift.done or found is None or found.rollout == rollout
    assert not shift.done or shift.split == state.traffic


# delete blue


def test_a_replaced_blue_is_deleted() -> None:
    """The deployment with all traffic replaces it."""
    assert not plan_delete_blue(PROMOTED, "default").done


def test_a_blue_that_is_gone_is_no_error() -> None:
    """Deleting twice is deleting once."""
    assert plan_delete_blue(without(PROMOTED, "default"), "default").done


def test_a_green_that_was_rolled_back_may_be_deleted() -> None:
    """It makes room; what serves was to be replaced by it."""
    rolled = put(HALFWAY, back(HALFWAY))

    assert not plan_delete_blue(rolled, GREEN).done


def test_what_rollouts_have_left_may_be_deleted() -> None:
    """v1, v2, v3: v1 is needed by nobody any more."""
    three = green(3, replaces=green(2))
    state = recorded(endpoint({"xgboost-model-3": 100}, default(), green(2), three), green(2), three)

    assert not plan_delete_blue(state, "default").done


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (endpoint({"default": 1, GREEN: 99}, default(), green()), "default 1 %"),
        (endpoint({GREEN: 100}, default(), green(), mirror={"default": 10}), "default 10 %"),
        (endpoint({GREEN: 100}, default(rollout=""), green(replaces=stranger())), "no deployment with all traffic"),
        (endpoint({GREEN: 100}, default(rollout="", created=born(9)), green()), "no deployment with all traffic"),
        (endpoint({}, default(), green()), "no traffic"),
        (endpoint({GREEN: 100}, default(), green(state="Failed")), "Failed"),
    ],
    ids=["has traffic", "is mirrored", "is replaced by nobody", "its name came back", "nobody serves", "green failed"],
)
def test_a_blue_that_may_be_needed_stays(state: EndpointState, why: str) -> None:
    """Blue goes only once a healthy successor has everything."""
    with pytest.raises(Refused, match=why):
        plan_delete_blue(state, "default")


@given(endpoints(), st.sampled_from(NAMES))
def test_only_what_gets_no_requests_is_deleted(state: EndpointState, name: str) -> None:
    """Whatever the state: what is deleted gets no requests, and something healthy has all of them."""
    try:
        step = plan_delete_blue(state, name)
    except Refused:
        return

    if not step.done:
        assert name not in state.traffic and name not in state.mirror
        assert [state.deployments[serving].healthy for serving in state.traffic] == [True]


# what is superfluous


def test_superfluous_is_what_neither_serves_nor_waits_nor_is_the_way_back() -> None:
    """v1, v2, v3 rolled out, v4 waits: only v1 goes."""
    three, four = green(3, replaces=green(2)), green(4, replaces=green(3))
    state = endpoint({"xgboost-model-3": 100}, default(), green(2), three, four, stranger())

    assert superfluous(recorded(state, green(2), three)) == ["default"]


def test_at_rest_nothing_is_superfluous() -> None:
    """Somebody took all traffic away: whoever starts the endpoint again may need any of them."""
    assert superfluous(marked(endpoint({}, default(), green(2), green(3)), green(2))) == []


def test_a_green_that_was_rolled_back_is_superfluous() -> None:
    """It waits for nothing; what is mirrored or somebody else's stays."""
    state = marked(endpoint({"default": 100}, default(), green(2), green(3), stranger()), green(2))

    assert superfluous(state) == [GREEN]
    assert superfluous(replace(state, mirror={GREEN: 10})) == []


def test_nothing_is_superfluous_where_nothing_tells_of_a_way_back() -> None:
    """Record and claim are erased: what served before may be any of them, so none is deleted."""
    state = endpoint({GREEN: 100}, default(), Deployment(GREEN, model(2)))

    assert superfluous(state) == []
    with pytest.raises(Refused, match="It stays"):
        plan_delete_blue(state, "default")


@given(endpoints())
def test_superfluous_is_never_what_a_rollback_needs(state: EndpointState) -> None:
    """Whatever the state: neither what serves, nor what a rollback by hand would lead to."""
    found = superfluous(state)

    assert not {*state.traffic, *state.mirror} & set(found)
    with contextlib.suppress(Refused):
        assert not back(state).split.keys() & set(found)
