"""Whole rollouts over the pure decisions: what people met, step by step, in an endpoint's state alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.lib.decisions.approval import Proposal, check_owner, plan_promotion, propose
from scripts.lib.decisions.record import BY_HAND, live, mark, marks, record
from scripts.lib.decisions.roles import owner, pairs, roles
from scripts.lib.decisions.situation import situation
from scripts.lib.decisions.state import FIRST_ROLLOUT, Ambiguous, Deployment, EndpointState, Model, Ref, Refused
from scripts.lib.decisions.traffic import plan_first_traffic
from scripts.lib.decisions.way_back import plan_delete_blue, plan_own_rollback, plan_rollback, superfluous
from tests.support.decisions import (
    born,
    deploy,
    deployed,
    endpoint,
    model,
    portal,
    put,
    stranger,
    tagged,
    wanted,
    without,
)
from tests.support.decisions import steps as steps_of

V1, V2, V3 = "default", "xgboost-model-2", "xgboost-model-3"


def run(number: int, attempt: int = 1, repository: str = "octo/heart") -> str:
    return f"{repository}/actions/runs/{number}/attempts/{attempt}"


def seen(state: EndpointState, green: str | None = None) -> Proposal:
    found = propose(state, green)
    assert found
    return found


def promoted(state: EndpointState, percent: int, rollout: str) -> EndpointState:
    """Reviewed, approved at once, promoted."""
    return put(state, plan_promotion(state, percent, rollout, seen(state), at_least=True))


def rolled_out(state: EndpointState, version: int, rollout: str, keep: bool = True) -> EndpointState:
    """A whole rollout to 100 %, with or without its blue deleted in the end."""
    if not state.traffic:
        state = deployed(state, version, rollout)
        return put(state, plan_first_traffic(state, Ref(V1), rollout))
    state = deployed(state, version, rollout)
    blue = seen(state)["blue"]
    for percent in (10, 50, 100):
        state = promoted(state, percent, rollout)
    if keep:
        return state
    assert not plan_delete_blue(state, blue).done
    return without(state, blue)


EMPTY = endpoint({}, tags=FIRST_ROLLOUT)
ONE = rolled_out(EMPTY, 1, run(1))
TWO = rolled_out(ONE, 2, run(2))


# who did what


@pytest.mark.parametrize("keep", [True, False], ids=["blues kept", "blues deleted"])
def test_an_older_version_is_rolled_out_again_like_any_other(keep: bool) -> None:
    """v1, v2, v3, then v2 once more, which is README's own way back: it promotes, and rolls back to v3."""
    three = rolled_out(rolled_out(ONE, 2, run(2), keep), 3, run(3), keep)

    again = deployed(three, 2, run(4))
    halfway = promoted(promoted(again, 10, run(4)), 50, run(4))
    whole = promoted(halfway, 100, run(4))

    assert roles(again) == (V3, V2)
    assert halfway.traffic == {V3: 50, V2: 50} and whole.traffic == {V2: 100}
    for state in (halfway, whole):
        back = put(state, plan_rollback(state, BY_HAND))
        assert back.traffic == {V3: 100}
        assert plan_rollback(back, BY_HAND).done
        assert plan_own_rollback(state, run(4)).split == {V3: 100}
    assert not plan_delete_blue(whole, V3).done


def test_the_first_promotion_run_again_after_a_crash_is_done() -> None:
    """It was made and its job killed: nobody is paired with the first, and it has all. A smaller share is refused."""
    again = plan_promotion(ONE, 100, BY_HAND)

    assert again.done and again.split == {V1: 100}
    with pytest.raises(Refused, match="there is no green to promote"):
        plan_promotion(ONE, 10, BY_HAND)
    with pytest.raises(Refused, match="there is no green to promote"):
        plan_promotion(replace(ONE, tags={}), 100, BY_HAND)


@pytest.mark.parametrize("times", range(1, 6))
def test_to_and_fro_between_two_versions(times: int) -> None:
    """v1 and v2 in turn, each taken up where it still stands: always one pair, always a way back to the other."""
    state = TWO
    for number in range(times):
        before = state.traffic
        state = rolled_out(state, number % 2 + 1, run(10 + number))

        assert state.traffic == {(V1, V2)[number % 2]: 100}
        assert plan_rollback(state, BY_HAND).split == before
    assert state.deployments.keys() == {V1, V2}


def test_a_revert_has_nothing_to_promote() -> None:
    """v2 was cancelled at 50 % and rolled back; v1 merged again serves already: the old green isn't offered."""
    cancelled = promoted(promoted(deployed(ONE, 2, run(2)), 10, run(2)), 50, run(2))
    back = put(cancelled, plan_own_rollback(cancelled, run(2)))

    plan = deploy(back, 1, run(3))

    assert back.traffic == {V1: 100}
    assert plan.done and (plan.deployment, plan.green, plan.first) == (V1, "", False)
    with pytest.raises(Refused, match=f"xgboost-model-2 is {run(2)}'s now, not {run(3)}'s"):
        check_owner(seen(back), run(3))


def test_what_was_rolled_back_is_offered_again_with_its_mark() -> None:
    """The same version merged again: another run takes the green over, and its review shows what was learnt."""
    cancelled = promoted(deployed(ONE, 2, run(2)), 10, run(2))
    back = put(cancelled, plan_own_rollback(cancelled, run(2)))

    again = deployed(back, 2, run(3))

    assert owner(again, V2) == run(3)
    assert marks(again)[V2].startswith("rolled back from 10 % on 20") and marks(again)[V2].endswith(run(2))
    assert "rolled back from 10 %" in situation(again)
    assert marks(promoted(again, 10, run(3))) == {}


def test_what_failed_its_smoke_test_is_offered_with_its_mark() -> None:
    """The mark is written beside the split that is; promote.yml's reviewer reads it."""
    green = deployed(ONE, 2, run(2))
    bad = tagged(green, mark(green.deployments[V2], f"failed its smoke test, {run(2)}"))

    assert marks(bad) == {V2: f"failed its smoke test, {run(2)}"}
    assert deploy(bad, 3, run(3)).after == (V2,)


def test_a_run_without_work_takes_nothing_back() -> None:
    """v2 has all traffic; a merge with a mistake in its smoke requests fails: that run wrote nothing."""
    assert deploy(TWO, 2, run(3)).done

    shift = plan_own_rollback(TWO, run(3))

    assert shift.done and shift.hold and shift.split == {V2: 100}
    assert f"{run(2)} wrote the split" in shift.say


@pytest.mark.parametrize("percent", [10, 100])
def test_an_older_run_leaves_a_newer_decision(percent: int) -> None:
    """It waits at promote-50; promote.yml wrote meanwhile: cancelled, it holds; approved, it refuses."""
    waits = promoted(deployed(ONE, 2, run(2)), 50 if percent == 10 else 10, run(2))
    approved = seen(waits)
    newer = put(waits, plan_promotion(waits, percent, run(3), seen(waits)))

    cancelled = plan_own_rollback(newer, run(2))

    assert cancelled.hold and cancelled.split == newer.traffic
    assert f"{run(3)} wrote the split" in cancelled.say
    with pytest.raises(Refused, match=f"now it is {run(3)}"):
        plan_promotion(newer, 50, run(2), approved, at_least=True)


def test_a_rollback_by_hand_stands_against_the_run_that_waits() -> None:
    """Approved afterwards, its promotion refuses; cancelled, it has nothing to do."""
    waits = promoted(deployed(ONE, 2, run(2)), 10, run(2))
    back = put(waits, plan_rollback(waits, BY_HAND))

    assert plan_own_rollback(back, run(2)).hold
    with pytest.raises(Refused, match="now it is by hand"):
        plan_promotion(back, 50, run(2), seen(waits), at_least=True)


def test_an_unrelated_merge_lowers_nothing() -> None:
    """50/50 at rest; another run of the same model takes it over, and its promote-10 is done already."""
    rest = promoted(promoted(deployed(ONE, 2, run(2)), 10, run(2)), 50, run(2))

    merged = deployed(rest, 2, run(3))
    after = promoted(merged, 10, run(3))

    assert merged.traffic == after.traffic == {V1: 50, V2: 50}
    assert plan_own_rollback(merged, run(2)).hold
    assert promoted(after, 100, run(3)).traffic == {V2: 100}
    assert plan_own_rollback(merged, run(3)).split == {V1: 100}


def test_the_attempt_of_the_register_job_is_the_rollouts_id() -> None:
    """Re-run jobs keep the first attempt's id and go on; a re-run of everything is a rollout of its own."""
    waits = promoted(deployed(ONE, 2, run(2)), 10, run(2))

    assert promoted(waits, 50, run(2)).traffic == {V1: 50, V2: 50}
    assert plan_own_rollback(waits, run(2, attempt=2)).hold
    assert owner(deployed(waits, 2, run(2, attempt=2)), V2) == run(2, attempt=2)


def test_last_weeks_run_again_is_a_rollout_like_any_other() -> None:
    """v2 serves; "Re-run all jobs" of v1's run offers v1, which still stands, and takes back only itself."""
    again = promoted(deployed(TWO, 1, run(1, attempt=2)), 10, run(1, attempt=2))

    assert again.traffic == {V1: 10, V2: 90}
    assert plan_own_rollback(again, run(1)).hold
    assert plan_own_rollback(again, run(1, attempt=2)).split == {V2: 100}


def test_two_repositories_have_runs_of_their_own() -> None:
    """The same number in another repository is another run."""
    waits = promoted(deployed(ONE, 2, run(2)), 10, run(2))

    assert plan_own_rollback(waits, run(2, repository="octo/lungs")).hold


def test_a_hand_made_deployment_under_an_old_name_is_another_one() -> None:
    """v1 was deleted; somebody makes a `default` by hand: a rollback doesn't give it what v1 had."""
    deleted = without(TWO, V1)
    theirs = stranger(V1)
    state = replace(deleted, deployments={**deleted.deployments, V1: theirs})

    with pytest.raises(Refused, match=r"default \(model version 1\), which served before, is gone.*deploy --version 1"):
        plan_rollback(state, BY_HAND)
    with pytest.raises(Refused, match="It stays"):
        plan_delete_blue(state, V1)
    assert deploy(state, 1, run(3)).green == "xgboost-model-1"


def test_a_green_that_somebody_made_anew_by_hand_isnt_promoted_for_the_old_one() -> None:
    """Deleted and made anew under its name while the approval was waited for."""
    waits = deployed(ONE, 2, run(2))
    theirs = Deployment(V2, model(2), created=born(20), tags={"model": "heart", "version": "2"})
    state = replace(waits, deployments={**waits.deployments, V2: theirs})

    with pytest.raises(Refused, match="the pair that was reviewed is gone"):
        plan_promotion(state, 10, run(2), seen(waits))


def test_a_third_run_is_not_confused_by_a_takeover() -> None:
    """v1 was taken up again over v2 and left at 0 %; v3 is deployed then, and goes on alone: the older run stops."""
    taken = deployed(TWO, 1, run(3))
    state = deployed(taken, 3, run(4))

    check_owner(seen(state, V3), run(4))
    check_owner(seen(taken, V1), run(3))
    with pytest.raises(Refused, match="default replaces nobody"):
        seen(state, V1)
    with pytest.raises(Refused, match="the pair that was reviewed is gone"):
        plan_promotion(state, 10, run(3), seen(taken, V1))
    shift = plan_promotion(state, 10, run(4), seen(state, V3))
    assert shift.split == {V2: 90, V3: 10}
    assert roles(put(state, shift)) == (V2, V3)


# tags get lost


@pytest.mark.parametrize("percent", [10, 50, 100])
def test_greens_tags_get_lost(percent: int) -> None:
    """An update from a file erases them: the endpoint's record tells the way back, by hand and for the run."""
    state = promoted(deployed(ONE, 2, run(2)), percent, run(2))
    erased = replace(state.deployments[V2], tags={}, replaces=None, rollout="", model=Model("heart", "2"))
    lost = replace(state, deployments={**state.deployments, V2: erased})

    assert plan_rollback(lost, BY_HAND).split == {V1: 100}
    assert plan_own_rollback(lost, run(2)).split == {V1: 100}
    assert roles(lost) == (V1, V2)


@pytest.mark.parametrize("percent", [10, 50, 100])
def test_the_record_gets_lost(percent: int) -> None:
    """Somebody updates the endpoint from its file, split included: green's tag tells, where it names this run."""
    state = replace(promoted(deployed(ONE, 2, run(2)), percent, run(2)), tags={})

    assert plan_rollback(state, BY_HAND).split == {V1: 100}
    assert plan_own_rollback(state, run(2)).split == {V1: 100}
    assert plan_own_rollback(state, run(3)).hold


def test_everything_gets_lost() -> None:
    """Ambiguous, red, with the candidates and a way out that works."""
    state = replace(promoted(deployed(ONE, 2, run(2)), 50, run(2)), tags={})
    erased = replace(state.deployments[V2], replaces=None, rollout="", tags={})
    lost = replace(state, deployments={**state.deployments, V2: erased})

    with pytest.raises(Ambiguous, match=r"default, xgboost-model-2|xgboost-model-2, default") as why:
        plan_rollback(lost, BY_HAND)
    out = put(lost, plan_rollback(lost, BY_HAND, V1))

    assert "rollback --to NAME" in str(why.value)
    assert out.traffic == {V1: 100} and plan_rollback(out, BY_HAND).done


def test_a_portal_s_split_is_nobodys() -> None:
    """Tags echoed under another split: no run takes that back, and a person's rollback still leads to v1."""
    state = portal(promoted(deployed(ONE, 2, run(2)), 50, run(2)), default=20, xgboost_model_2=80)

    assert live(state) is None and record(state)
    assert plan_own_rollback(state, run(2)).hold
    assert plan_rollback(state, BY_HAND).split == {V1: 100}
    assert "no rollout wrote this split" in situation(state)


# nothing destroyed before its successor is proven


def test_a_hotfix_that_does_not_start_leaves_the_way_back() -> None:
    """v2 is bad; v3 fails or finds no quota: v1 is there all the while, and rollback leads to it."""
    asked = wanted(3, run(3))
    for state in steps_of(TWO, deploy(TWO, 3, run(3)), asked):
        assert plan_rollback(state, BY_HAND).split == {V1: 100}

    failed = deployed(TWO, 3, run(3))
    failed = replace(failed, deployments={**failed.deployments, V3: replace(failed.deployments[V3], state="Failed")})

    assert plan_rollback(without(failed, V3), BY_HAND).split == {V1: 100}
    assert plan_rollback(failed, BY_HAND).split == {V1: 100}
    assert deploy(failed, 3, run(4)).remove == (V3,)


def test_the_old_way_back_goes_with_the_first_approved_promotion() -> None:
    """Once v3 has its first share, v2 is the way back, and v1 is superfluous: not before."""
    waits = deployed(TWO, 3, run(3))

    assert superfluous(waits) == []
    assert superfluous(promoted(waits, 10, run(3))) == [V1]


def test_a_rollback_by_hand_goes_on_from_a_hotfix_that_was_given_up() -> None:
    """v3 got a share over a bad v2 and was rolled back: v2 serves, and another rollback stays there."""
    back = promoted(deployed(TWO, 3, run(3)), 10, run(3))
    back = put(back, plan_rollback(back, BY_HAND))

    assert back.traffic == {V2: 100}
    assert plan_rollback(back, BY_HAND).done
    assert plan_rollback(back, BY_HAND, V1).split == {V1: 100}


def test_a_green_whose_blue_serves_no_more_is_not_promoted_over_it() -> None:
    """v3 waits over v2, which is rolled back meanwhile: a stage would give v2 the rest. Deployed again, it may."""
    waits = deployed(TWO, 3, run(3))
    back = put(waits, plan_rollback(waits, BY_HAND))

    with pytest.raises(Refused, match=f"{V2}, which {V3} is to replace, serves no more"):
        plan_promotion(back, 10, run(3), propose(back, V3), at_least=True)
    assert promoted(deployed(back, 3, run(4)), 10, run(4)).traffic == {V1: 90, V3: 10}


def test_what_still_stands_is_used_not_rebuilt() -> None:
    """v2 serves, v1 was kept: v1 rolled out again is the same deployment, at 0 %, to replace v2."""
    again = deployed(TWO, 1, run(3))

    assert again.deployments == TWO.deployments
    assert pairs(again) == {V1: V2} and again.traffic == {V2: 100}
    assert promoted(again, 10, run(3)).traffic == {V1: 10, V2: 90}


def test_a_way_back_is_not_lost_while_it_is_a_green() -> None:
    """v1 is taken up as green over v2 and given up again: by hand, before its first share, v1 still is the way back."""
    again = deployed(TWO, 1, run(3))

    assert plan_rollback(again, BY_HAND).split == {V1: 100}


def test_a_first_rollout_that_fails_leaves_an_endpoint_that_the_next_one_uses() -> None:
    """Its smoke test failed at 0 %: another model is made in its place, the same one is used."""
    first = deployed(EMPTY, 1, run(1))

    assert first.traffic == {} and first.first_rollout
    assert deploy(first, 1, run(2)).done
    assert rolled_out(first, 2, run(2)).traffic == {V1: 100}
    assert rolled_out(first, 2, run(2)).deployments[V1].model == model(2)


def test_a_first_rollout_that_was_stopped_is_finished_by_hand() -> None:
    """promote.yml with 100: reviewed against nobody, then all traffic; with less it is refused."""
    first = deployed(EMPTY, 1, run(1))

    after = put(first, plan_promotion(first, 100, run(2), seen(first)))

    assert after.traffic == {V1: 100}
    found = live(after)
    assert found and (found.rollout, found.blue) == (run(2), None)


def test_a_settings_change_rolls_out_and_back() -> None:
    """The same model with another machine is a green of its own, which replaces what serves."""
    state = promoted(deployed(ONE, 2, run(2), settings="123456"), 100, run(2))

    changed = deployed(state, 2, run(3), settings="abcdef")
    whole = promoted(changed, 100, run(3))

    assert whole.traffic == {"xgboost-model-2-abcd": 100}
    assert plan_rollback(whole, BY_HAND).split == {V2: 100}
    assert deploy(whole, 2, run(4), settings="abcdef").done
