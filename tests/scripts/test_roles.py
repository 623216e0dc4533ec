"""Who is blue and who is green, and whose rollout it is: records and claims, pure decisions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.decisions.record import TAGS, Record, claim, live, mark, marks, record, told, written
from scripts.lib.decisions.roles import owner, pairs, roles
from scripts.lib.decisions.state import FIRST_ROLLOUT, Ambiguous, Deployment, EndpointState, Ref
from tests.support.decisions import (
    NAMES,
    OTHER_RUN,
    RUN,
    begun,
    born,
    default,
    deployment,
    endpoint,
    endpoints,
    green,
    marked,
    portal,
    recorded,
    splits,
    stranger,
    tagged,
    without,
)

PAIR, GREEN = endpoint({"default": 100}, default(), green()), green()
AGAIN = RUN.replace("attempts/1", "attempts/2")

# a deployment's identity


@given(st.sampled_from(NAMES), st.sampled_from(["", born(1), born(2)]), st.sampled_from(["", "1", "20"]))
def test_a_reference_survives_its_tag(name: str, created: str, version: str) -> None:
    """Name, creation time and version go into one tag, and come back."""
    ref = Ref(name, created, version if created else "")

    assert Ref.parse(str(ref)) == ref


@pytest.mark.parametrize("text", ["", " ", " then 1", "default then 1 more", "one two three four five"])
def test_what_is_no_reference_is_nobody(text: str) -> None:
    """A tag that somebody spoilt names no deployment."""
    assert Ref.parse(text) is None


def test_a_name_that_came_back_is_another_deployment() -> None:
    """Only the creation time tells; a name without one, as older releases wrote it, means whoever has it."""
    old, new = default(), default(created=born(8))
    state = endpoint({}, new)

    assert state.standing(new.ref) == new
    assert state.standing(Ref("default")) == new
    assert (state.standing(old.ref), state.standing(Ref("gone")), state.standing(None)) == (None, None, None)


def test_who_replaces_a_name_that_came_back_replaces_nobody() -> None:
    """Its claim names the one that was deleted; the new one is a stranger to it."""
    recreated = default(created=born(8))

    assert pairs(endpoint({"xgboost-model-2": 100}, recreated, green())) == {}


def test_a_claim_without_a_time_is_of_nobody_younger() -> None:
    """Who was made later can't have been replaced then: the name came back."""
    claim = replace(green(created=born(2)), replaces=Ref("default"))

    assert pairs(endpoint({}, default(created=born(1)), claim)) == {"xgboost-model-2": "default"}
    assert pairs(endpoint({}, default(created=born(2)), claim)) == {"xgboost-model-2": "default"}
    assert pairs(endpoint({}, default(created=born(3)), claim)) == {}


def test_which_of_two_is_older_decides_nothing() -> None:
    """A version that still stands may be rolled out over a younger one."""
    younger = default(created=born(9))
    older = deployment("xgboost-model-2", 2, replaces=younger)

    assert roles(endpoint({"default": 90, "xgboost-model-2": 10}, younger, older)) == ("default", "xgboost-model-2")


@pytest.mark.parametrize(("tags", "ours"), [({}, False), ({"model": "heart"}, False), ({"version": "1"}, False)])
def test_what_no_rollout_made_is_not_ours(tags: dict[str, str], ours: bool) -> None:
    """A rollout writes its id, older ones model and version together."""
    assert Deployment("d", default().model, tags=tags).ours is ours
    assert Deployment("d", default().model, tags={"model": "heart", "version": "1"}).ours
    assert default(rollout=RUN).ours


# the record


@given(endpoints(), splits(NAMES), st.booleans())
def test_a_record_survives_its_tags(state: EndpointState, split: dict[str, int], back: bool) -> None:
    """What is written beside the split is what is read."""
    found = Record(RUN, default().ref, green().ref, split or {"default": 100}, back, "then")

    told = record(tagged(state, written(state, found)))

    assert told and replace(told, shares=()) == found


def stepped(state: EndpointState, *steps: tuple[int, str]) -> EndpointState:
    """The shares that one rollout after the other gives green; 0 is going back."""
    for share, rollout in steps:
        split = {name: percent for name, percent in (("default", 100 - share), (GREEN.name, share)) if percent}
        state = recorded(replace(state, traffic=split), default(), GREEN, rollout, back=not share)
    return state


@pytest.mark.parametrize(
    ("steps", "shares"),
    [
        ([(10, RUN), (25, RUN), (50, OTHER_RUN)], (10, 25, 50)),
        ([(10, RUN), (5, "by hand"), (10, "by hand")], (10, 5, 10)),
        ([(10, RUN), (0, RUN), (10, AGAIN), (50, AGAIN)], (10, 10, 50)),
        ([(10, RUN), (0, OTHER_RUN), (10, RUN)], (10,)),
        ([(10, RUN), (50, RUN), (0, RUN)], (10, 50)),
    ],
    ids=["stages and a hand", "less, and more again", "a rollout that is run again", "after a rollback", "gone back"],
)
def test_the_record_tells_all_shares_of_a_green(steps: list[tuple[int, str]], shares: tuple[int, ...]) -> None:
    """Each is judged, so each takes a part of alpha; who begins anew after another one's rollback has all of it."""
    found = record(stepped(PAIR, *steps))

    assert found and found.shares == shares


def test_another_green_begins_anew() -> None:
    """The same name made again is another one; and what a release without shares wrote is read."""
    state = stepped(PAIR, (10, RUN), (25, RUN))
    again = replace(GREEN, created=born(9))

    other = record(recorded(state, default(), again, split={"default": 90, GREEN.name: 10}))
    older = record(tagged(state, {"rollout-split": f"default=75,{GREEN.name}=25"}))

    assert other and other.shares == (10,)
    assert older and older.shares == ()


def test_a_record_without_a_time_says_when_it_is_written() -> None:
    """A reviewer reads when somebody went back."""
    tags = written(PAIR, Record(RUN, None, default().ref, {"default": 100}))

    assert str(tags["rollout-at"]).startswith("20")
    assert tags["rollout-blue"] == ""


@pytest.mark.parametrize(
    "spoilt", [{"rollout": ""}, {"rollout-direction": "sideways"}, {"rollout-split": "half of it"}, dict.fromkeys(TAGS)]
)
def test_a_spoilt_record_is_none(spoilt: dict[str, str | None]) -> None:
    """Nobody goes back by what somebody typed into a tag."""
    state = recorded(PAIR, default(), green())

    assert record(state) and record(tagged(state, spoilt)) is None


def test_a_split_beside_its_record_is_a_strangers() -> None:
    """A portal echoes the tags under its own split: the record tells no longer of what is live."""
    state = recorded(PAIR, default(), green())

    assert live(state) and live(state) == record(state)
    assert live(portal(state, default=50, xgboost_model_2=50)) is None
    assert live(PAIR) is None


def test_a_written_split_ends_what_waited_for_it() -> None:
    """The pending first rollout goes in the same write, and what was claimed and learnt of those that are gone."""
    gone = green(3)
    state = marked(endpoint({}, default(), green(), gone, tags=FIRST_ROLLOUT), gone, green())
    state = without(begun(state, default(), gone), gone.name)

    after = recorded(state, default(), green(), split={"default": 100})

    assert not after.first_rollout and set(marks(after)) == {"xgboost-model-2"}
    assert told(state) - told(after) == {"xgboost-model-3"}


def test_a_mark_is_of_one_deployment() -> None:
    """What was learnt of one isn't told of another that has got its name."""
    state = marked(PAIR, green())

    assert marks(state) == {"xgboost-model-2": "rolled back"}
    assert marks(replace(state, deployments={"xgboost-model-2": green(created=born(8))})) == {}


def test_a_mark_fits_into_a_tag() -> None:
    """Azure takes 256 letters as a tag's value."""
    (text,) = mark(green(), "x" * 1000).values()

    assert text and len(text) == 256 and text.startswith(born(2))


def test_a_claim_lasts_whatever_the_split() -> None:
    """Whoever took a green over owns it until the next one does, or writes a split with it, whoever wrote one between.

    It is of that very deployment; a rollout of another green says nothing of this one.
    """
    state = begun(endpoint({"default": 100}, default(), green(), green(3)), default(), green())
    other = recorded(state, default(), green(3), RUN, {"default": 90, "xgboost-model-3": 10})
    recreated = replace(state, deployments={**state.deployments, "xgboost-model-2": green(created=born(8))})

    for after in (state, portal(state, default=90, xgboost_model_2=10), portal(state), other):
        assert claim(after, green()).rollout == OTHER_RUN and pairs(after)["xgboost-model-2"] == "default"
    assert owner(recorded(state, default(), green(), RUN), "xgboost-model-2") == RUN
    assert owner(recreated, "xgboost-model-2") == RUN


def test_whoever_is_blue_replaces_nobody_any_more() -> None:
    """Its own claim ended when it got the traffic, and doesn't come back with the next record."""
    state = recorded(endpoint({"xgboost-model-2": 100}, default(), green()), green(), default())

    after = recorded(replace(state, traffic={"default": 100}), default(), None)

    assert pairs(after) == {}


@pytest.mark.parametrize("spoilt", ["", "then", "|", f"{born(2)}||", f"{born(2)}|default", f"then|default|{OTHER_RUN}"])
def test_a_spoilt_claim_is_none(spoilt: str) -> None:
    """The maker's own holds then."""
    state = tagged(PAIR, {"rollout-of-xgboost-model-2": spoilt})

    assert claim(state, green()) == claim(PAIR, green())


# roles


def test_a_lone_deployment_with_all_traffic_is_blue() -> None:
    """Without a pair, what serves is blue and nobody is green."""
    assert roles(endpoint({"default": 100}, default())) == ("default", None)


def test_an_empty_endpoint_has_no_roles() -> None:
    """Without traffic and pair there is neither blue nor green."""
    assert roles(endpoint({})) == (None, None)


def test_a_replaced_deployment_that_is_gone_makes_no_pair() -> None:
    """A green whose blue was deleted is what serves: the next blue."""
    assert roles(endpoint({"xgboost-model-2": 100}, green())) == ("xgboost-model-2", None)


@given(splits(["default", "xgboost-model-2"]))
def test_a_pair_keeps_its_roles_at_any_split(traffic: dict[str, int]) -> None:
    """Blue is whom green replaces, before, during and after the promotion, and after a rollback."""
    assert roles(endpoint(traffic, default(), green())) == ("default", "xgboost-model-2")


@given(st.permutations(NAMES), st.permutations([1, 2]), splits(["blue", "green"]))
def test_neither_names_nor_ages_carry_a_colour(names: list[str], ages: list[int], traffic: dict[str, int]) -> None:
    """Rolling out an older version, or one called default, makes it green all the same."""
    named = {"blue": names[0], "green": names[1]}
    old = deployment(names[0], 1, created=born(ages[0]))
    new = deployment(names[1], 2, created=born(ages[1]), replaces=old)

    assert roles(endpoint({named[role]: share for role, share in traffic.items()}, old, new)) == (names[0], names[1])


def test_the_end_of_a_chain_is_green() -> None:
    """Where a retired blue is still there, green is the one that nobody replaces."""
    chain = [default(), green(2), green(3, replaces=green(2))]

    assert roles(endpoint({"xgboost-model-2": 100}, *chain)) == ("xgboost-model-2", "xgboost-model-3")
    assert roles(endpoint({}, *chain)) == ("xgboost-model-2", "xgboost-model-3")


def test_of_two_greens_the_one_with_traffic_counts() -> None:
    """A second deployment that claims to replace blue doesn't take green's role while it has no traffic."""
    both = [default(), green(2), green(3)]

    assert roles(endpoint({"default": 90, "xgboost-model-3": 10}, *both)) == ("default", "xgboost-model-3")


def test_of_two_greens_the_one_that_was_not_rolled_back_waits() -> None:
    """What was rolled back stays until the next deploy; it is offered again only where nobody else is."""
    both = endpoint({"default": 100}, default(), green(2), green(3))

    assert roles(marked(both, green(2))) == ("default", "xgboost-model-3")
    assert roles(marked(PAIR, green(2))) == ("default", "xgboost-model-2")


def test_of_two_pairs_the_one_with_traffic_counts() -> None:
    """A pair that an older rollout left at 0 % has no say, also after the rollback of the newer one."""
    three = deployment("xgboost-model-3", 3)
    two = [default(), green(2), three, deployment("xgboost-model-4", 4, replaces=three)]

    assert roles(endpoint({"xgboost-model-4": 100}, *two)) == ("xgboost-model-3", "xgboost-model-4")
    assert roles(endpoint({"xgboost-model-3": 100}, *two)) == ("xgboost-model-3", "xgboost-model-4")


@pytest.mark.parametrize(
    "state",
    [
        endpoint({"default": 100}, default(), green(2), green(3)),
        endpoint({"one": 50, "two": 50}, deployment("one", 1), deployment("two", 2)),
        endpoint({}, default(), green(2), green(3)),
        marked(endpoint({"default": 100}, default(), green(2), green(3)), green(2), green(3)),
    ],
    ids=["two wait", "strangers to one another share", "two at rest", "two were rolled back"],
)
def test_undecidable_roles_are_an_error_that_lists_them(state: EndpointState) -> None:
    """Two equal candidates, two that share the traffic and nothing pairs them: nobody guesses; commands lead on."""
    with pytest.raises(Ambiguous) as raised:
        roles(state)

    assert all(name in str(raised.value) for name in state.deployments)
    assert "rollback --to NAME" in str(raised.value)


def test_the_record_says_who_is_who_once_green_s_tags_are_lost() -> None:
    """An update from a file erases a deployment's tags."""
    erased = deployment("xgboost-model-2", 2)
    state = endpoint({"default": 50, "xgboost-model-2": 50}, default(), erased)

    with pytest.raises(Ambiguous):
        roles(state)
    assert roles(recorded(state, default(), erased)) == ("default", "xgboost-model-2")


def test_a_record_beats_an_older_claim_the_other_way_round() -> None:
    """v3 once replaced v2, which still stands; rolled out again, v2 replaces v3."""
    two, three = green(2), green(3, replaces=green(2))
    state = endpoint({"xgboost-model-3": 50, "xgboost-model-2": 50}, two, three)

    assert pairs(recorded(state, three, two)) == {"xgboost-model-2": "xgboost-model-3"}
    assert pairs(state) == {"xgboost-model-3": "xgboost-model-2"}


def test_a_takeover_beats_what_was_before() -> None:
    """Whoever goes on with a green at 0 % says whom it replaces now."""
    two, three = green(2), green(3, replaces=green(2))
    state = recorded(endpoint({"xgboost-model-3": 100}, two, three), two, three)

    assert roles(state) == ("xgboost-model-2", "xgboost-model-3")
    assert roles(begun(state, three, two)) == ("xgboost-model-3", "xgboost-model-2")


def test_of_two_that_wait_a_takeover_decides_nothing() -> None:
    """A run names its own green; who names none is offered the one that wasn't rolled back."""
    state = begun(endpoint({"default": 100}, default(), green(2), green(3)), default(), green(2))

    with pytest.raises(Ambiguous):
        roles(state)
    assert roles(marked(state, green(2))) == ("default", "xgboost-model-3")


def test_at_rest_the_record_tells_who_was_green() -> None:
    """Somebody took all traffic away from one of several pairs."""
    state = endpoint({}, default(), green(2), green(3))

    assert roles(recorded(state, default(), green(2), split={"xgboost-model-2": 100})) == ("default", "xgboost-model-2")


@given(endpoints())
def test_roles_are_a_pair_by_the_evidence(state: EndpointState) -> None:
    """Whoever is green replaces blue, and both exist."""
    try:
        blue, new = roles(state)
    except Ambiguous:
        return

    assert blue is None or blue in state.deployments
    assert new is None or pairs(state)[new] == blue


@given(endpoints())
def test_pairs_are_of_those_that_stand_and_the_strongest_evidence_holds(state: EndpointState) -> None:
    """Whatever the tags say, of a deployment or of the endpoint, names that were used again included."""
    found = pairs(state)

    assert found.keys() | set(found.values()) <= state.deployments.keys()
    for name, blue in found.items():
        said = claim(state, state.deployments[name]).blue
        assert said and state.standing(said) == state.deployments[blue]


@given(endpoints(), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_a_record_makes_a_pair(state: EndpointState, blue: str, new: str) -> None:
    """Whoever is written down as green replaces whoever is written down as blue, whatever was claimed before."""
    if not {blue, new} <= state.deployments.keys() or blue == new:
        return

    after = recorded(state, state.deployments[blue], state.deployments[new], OTHER_RUN, {blue: 100})

    assert pairs(after)[new] == blue and blue not in pairs(after)
    assert owner(after, new) == OTHER_RUN


# whose rollout


def test_a_green_is_its_maker_s_until_somebody_takes_it_over() -> None:
    """Its own tag first, then whoever wrote a split with it, then who has begun to go on with it."""
    assert owner(PAIR, "xgboost-model-2") == RUN
    assert owner(recorded(PAIR, default(), green(), "another"), "xgboost-model-2") == "another"
    assert owner(begun(recorded(PAIR, default(), green(), "another"), default(), green()), green().name) == OTHER_RUN


def test_a_record_of_a_name_that_came_back_makes_no_owner() -> None:
    """Who promoted a deployment that is gone doesn't own the new one of that name."""
    state = recorded(endpoint({"default": 100}, default(), green(created=born(8))), default(), green(), OTHER_RUN)

    assert owner(state, "xgboost-model-2") == RUN


def test_nobody_owns_what_was_made_by_hand() -> None:
    """No tag, no record: no rollout may call it its own."""
    assert owner(endpoint({"default": 100}, default(), stranger()), "experiment") == ""
