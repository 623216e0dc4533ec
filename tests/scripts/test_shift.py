"""What a split becomes, and whether it may: pure decisions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.decisions.record import live, marks, record
from scripts.lib.decisions.roles import pairs
from scripts.lib.decisions.state import FIRST_ROLLOUT, EndpointState, Ref, Refused
from scripts.lib.decisions.traffic import plan_first_traffic, plan_shift
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
    portal,
    put,
    recorded,
    splits,
    stranger,
)

PAIR = endpoint({"default": 100}, default(), green())
HALFWAY = endpoint({"default": 90, "xgboost-model-2": 10}, default(), green())
GREEN = "xgboost-model-2"

# the first traffic

FIRST = endpoint({}, default(), tags=FIRST_ROLLOUT)


def test_the_first_deployment_gets_all_traffic() -> None:
    """Once it is tested; a second time there is nothing to write. The record says that nobody served before."""
    shift = plan_first_traffic(FIRST, Ref("default"), RUN)
    after = put(FIRST, shift)

    assert (shift.split, shift.done) == ({"default": 100}, False)
    assert plan_first_traffic(after, Ref("default"), RUN).done
    found = live(after)
    assert found and (found.rollout, found.blue, found.green, found.back) == (RUN, None, default().ref, False)
    assert not after.first_rollout


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (endpoint({}, default(state="Failed"), tags=FIRST_ROLLOUT), "it is Failed"),
        (endpoint({"xgboost-model-2": 100}, default(), green()), "xgboost-model-2 100 %"),
        (endpoint({"default": 50, "xgboost-model-2": 50}, default(), green()), "xgboost-model-2 50 %"),
        (endpoint({}, default(), mirror={"default": 10}, tags=FIRST_ROLLOUT), "it is Succeeded"),
        (endpoint({}, tags=FIRST_ROLLOUT), "has no deployment default. deploy makes it"),
        (endpoint({}, default()), "has served before: promote --to default --percent 100"),
        (endpoint({}, default(created=born(9)), tags=FIRST_ROLLOUT), "another deployment than the one that was made"),
    ],
    ids=[
        "unhealthy",
        "another has all traffic",
        "another has some",
        "mirrored",
        "gone",
        "set to 0 %",
        "another of its name",
    ],
)
def test_what_others_did_meanwhile_is_not_overwritten_by_a_first_rollout(state: EndpointState, why: str) -> None:
    """Somebody gave another deployment traffic, or took it away, while the first was being tested."""
    with pytest.raises(Refused, match=why):
        plan_first_traffic(state, default().ref, RUN)


# a share


def test_a_share_is_taken_from_the_counterpart() -> None:
    """What green gets, blue gives."""
    shift = plan_shift(PAIR, GREEN, 10, RUN)

    assert (shift.split, shift.done) == ({GREEN: 10, "default": 90}, False)


def test_blue_can_be_given_a_share_too() -> None:
    """The counterpart of blue is green."""
    shift = plan_shift(endpoint({GREEN: 100}, default(), green()), "default", 30, RUN)

    assert shift.split == {"default": 30, GREEN: 70}


def test_a_split_that_is_there_is_done_whatever_was_expected() -> None:
    """A repeated step changes nothing, although the expectation of its first run is history."""
    assert plan_shift(HALFWAY, GREEN, 10, RUN, {"default": 100}).done


def test_an_unexpected_split_is_refused_and_named() -> None:
    """Somebody else's change stops the promotion, and the error says what it was."""
    state = portal(HALFWAY, default=70, xgboost_model_2=30)

    with pytest.raises(Refused, match="expected default 90 %, xgboost-model-2 10 %, but it is default 70 %"):
        plan_shift(state, GREEN, 50, RUN, {"default": 90, GREEN: 10})


def test_missing_names_in_the_expectation_are_zero() -> None:
    """`default=100` and `default=100,xgboost-model-2=0` say the same."""
    one, other = ({"default": 100, GREEN: 0}, {"default": 100})

    assert plan_shift(PAIR, GREEN, 10, RUN, one).split == plan_shift(PAIR, GREEN, 10, RUN, other).split


def test_an_unknown_deployment_is_refused_with_those_there_are() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(Refused, match="has no deployment nobody; it has: default"):
        plan_shift(endpoint({"default": 100}, default()), "nobody", 10, RUN)


@pytest.mark.parametrize("state", [state for state in STATES if state != "Succeeded"])
def test_an_unhealthy_deployment_gets_no_more(state: str) -> None:
    """Traffic goes up only where the deployment is healthy."""
    with pytest.raises(Refused, match=state):
        plan_shift(endpoint({"default": 100}, default(), green(state=state)), GREEN, 10, RUN)


def test_a_mirrored_deployment_gets_no_live_traffic() -> None:
    """Azure knows live or mirrored, not both."""
    with pytest.raises(Refused, match="mirrored"):
        plan_shift(replace(PAIR, mirror={GREEN: 10}), GREEN, 10, RUN)


def test_traffic_on_a_third_deployment_is_refused() -> None:
    """A shift between two takes nothing from a third one."""
    state = endpoint({"default": 80, "experiment": 20}, default(), green(), stranger())

    with pytest.raises(Refused, match="experiment 20 %"):
        plan_shift(state, GREEN, 10, RUN)


def test_an_endpoint_at_zero_is_started_by_a_whole_shift_alone() -> None:
    """All traffic for one deployment is the way out of 0 %; a part of it has nobody to share with."""
    state = endpoint({}, default(), green())

    assert plan_shift(state, "default", 100, RUN).split == {"default": 100}
    with pytest.raises(Refused, match="no traffic"):
        plan_shift(state, "default", 90, RUN)


@pytest.mark.parametrize("percent", [0, 60, 99])
def test_a_share_without_a_counterpart_is_refused(percent: int) -> None:
    """Nobody is there for the rest."""
    with pytest.raises(Refused, match="no counterpart"):
        plan_shift(endpoint({"default": 100}, default()), "default", percent, RUN)


@given(endpoints(), st.sampled_from(NAMES), st.integers(0, 100), st.none() | splits(NAMES))
def test_every_shift_is_whole_and_final(
    state: EndpointState, to: str, percent: int, expect: dict[str, int] | None
) -> None:
    """Whatever the state: a split sums to 100, names what exists, gives what was asked, and is done once written."""
    try:
        shift = plan_shift(state, to, percent, RUN, expect)
    except Refused:
        return

    assert sum(shift.split.values()) == 100
    assert shift.split.keys() <= state.deployments.keys()
    assert shift.split.get(to, 0) == percent
    assert plan_shift(put(state, shift), to, percent, RUN, expect).done


# the record beside it


@given(endpoints(), st.sampled_from(NAMES), st.integers(0, 100))
def test_a_written_split_is_recorded(state: EndpointState, to: str, percent: int) -> None:
    """Whatever the state: the record in the same write tells of that very split, and whose it is."""
    try:
        shift = plan_shift(state, to, percent, OTHER_RUN)
    except Refused:
        return
    if not shift.done:
        found = live(put(state, shift))
        assert found and found.rollout == OTHER_RUN


def test_the_record_names_both_by_name_and_time() -> None:
    """Whom from, whom to, and forward."""
    found = live(put(PAIR, plan_shift(PAIR, GREEN, 10, RUN)))

    assert found and (found.blue, found.green, found.back) == (default().ref, green().ref, False)


def test_all_for_blue_is_recorded_as_going_back() -> None:
    """Whoever gives blue everything by name has gone back; a share for blue goes on."""
    back, on = (live(put(HALFWAY, plan_shift(HALFWAY, "default", percent, RUN))) for percent in (100, 95))

    assert back and on and (back.back, on.back) == (True, False)
    assert back.blue == on.blue == default().ref


def test_without_a_counterpart_the_way_back_stays_what_it_was() -> None:
    """An endpoint at zero is started again; the record goes on to tell who served before."""
    two = deployment(GREEN, 2)  # its claim got lost
    state = portal(recorded(endpoint({GREEN: 100}, default(), two), default(), deployment("gone", 9)))

    found = record(put(state, plan_shift(state, GREEN, 100, RUN)))
    restarted = record(put(state, plan_shift(state, "default", 100, RUN)))

    assert found and (found.blue, found.green) == (default().ref, two.ref)
    assert restarted and (restarted.blue, restarted.green) == (None, default().ref)


def test_a_promotion_drops_greens_mark_and_no_other() -> None:
    """Who approved it had the mark on the page."""
    state = marked(endpoint({"default": 100}, default(), green(), green(3)), green(), green(3))

    assert set(marks(put(state, plan_shift(state, GREEN, 10, RUN)))) == {"xgboost-model-3"}


def test_a_promotion_of_what_was_taken_over_is_recorded() -> None:
    """Its way back is the blue of the takeover, not the one that it claimed when it was made."""
    two, three = green(2), green(3, replaces=green(2))
    state = begun(recorded(endpoint({"xgboost-model-3": 100}, two, three), two, three), three, two)

    after = put(state, plan_shift(state, GREEN, 10, OTHER_RUN))

    found = live(after)
    assert found and (found.blue, found.green) == (three.ref, two.ref)
    assert pairs(after) == {GREEN: "xgboost-model-3"}


# capacity


@pytest.mark.parametrize(
    ("blue", "new", "percent", "fits"),
    [
        ({"instances": 3}, {"instances": 1}, 100, False),
        ({"instances": 3}, {"instances": 1}, 34, False),
        ({"instances": 3}, {"instances": 1}, 33, True),
        ({"instances": 3}, {"instances": 3}, 100, True),
        ({"concurrency": 16}, {"concurrency": 4}, 50, False),
        ({"concurrency": 16}, {"concurrency": 4}, 25, True),
        ({"concurrency": 4}, {"concurrency": 16}, 100, True),
        ({"instances": 2, "concurrency": 4}, {"instances": 4, "concurrency": 2}, 100, True),
    ],
)
def test_a_share_beyond_greens_part_of_the_capacity_is_refused(
    blue: dict[str, int], new: dict[str, int], percent: int, fits: bool
) -> None:
    """Instances times requests at once, of what serves now; the error says how to scale, and writes nothing."""
    state = endpoint({"default": 100}, default(**blue), green(**new))

    if fits:
        assert plan_shift(state, GREEN, percent, RUN).split[GREEN] == percent
        return
    with pytest.raises(Refused, match="too little for") as why:
        plan_shift(state, GREEN, percent, RUN)
    assert "az ml online-deployment update --endpoint-name heart --name xgboost-model-2" in str(why.value)


def test_the_count_that_the_refusal_names_is_enough() -> None:
    """Scaled as it says, the same promotion goes through."""
    state = endpoint({"default": 100}, default(instances=3, concurrency=5), green(concurrency=4))
    with pytest.raises(Refused, match=r"instance_count=2$"):
        plan_shift(state, GREEN, 50, RUN)

    scaled = endpoint({"default": 100}, default(instances=3, concurrency=5), green(concurrency=4, instances=2))

    assert plan_shift(scaled, GREEN, 50, RUN).split == {"default": 50, GREEN: 50}


def test_half_way_the_larger_of_both_counts() -> None:
    """At 50/50 the clients of a blue of 3 are still there when green of 1 is to get everything."""
    state = endpoint({"default": 50, GREEN: 50}, default(instances=3), green())

    with pytest.raises(Refused, match="too little for 100 %"):
        plan_shift(state, GREEN, 100, RUN)


def test_less_traffic_is_never_too_much() -> None:
    """Whoever lowers a share that is too much already is not refused."""
    state = endpoint({"default": 20, GREEN: 80}, default(instances=3), green())

    assert plan_shift(state, GREEN, 60, RUN).split == {"default": 40, GREEN: 60}


def test_going_back_is_never_too_much_for_blue() -> None:
    """A smaller blue gets everything at once, by name too."""
    state = endpoint({GREEN: 100}, default(), green(instances=5))

    assert plan_shift(state, "default", 100, RUN).split == {"default": 100}


def test_an_endpoint_at_zero_asks_for_no_capacity() -> None:
    """Nothing serves, so there is nothing to compare with."""
    assert plan_shift(endpoint({}, default(instances=3), green()), GREEN, 100, RUN).split == {GREEN: 100}


def test_a_name_that_came_back_is_no_counterpart() -> None:
    """What replaced the deleted one isn't paired with the new one of that name."""
    state = endpoint({GREEN: 100}, default(created=born(9)), green())

    with pytest.raises(Refused, match="no counterpart"):
        plan_shift(state, GREEN, 50, RUN)
