"""What the machine found, and the cases that it was built for, as plain sequences."""

from __future__ import annotations

import pytest

from scripts.lib.decisions.deploying import plan_deploy
from scripts.lib.decisions.record import marks
from scripts.lib.decisions.state import Refused, Shift
from tests.protocol import verbs
from tests.protocol.invariants import judge
from tests.protocol.probes import PROBES
from tests.protocol.runs import Back, ByHand, Promotion, Run, looked_through
from tests.protocol.world import STRANGER, Actor, World, by_hand, wanted

TO_10, TO_50, TO_100, TO_THE_END = 1, 2, 3, 4  # approvals


@pytest.fixture
def world() -> World:
    return World(judge)


def begun(world: World, version: int, number: int = 0, good: bool = True, repository: str = "octo/heart") -> Run:
    return Run(world, repository, number or version, version, 0, good)


def press_on(run: Run | Promotion, approvals: int = 0) -> None:
    """To where it waits or ends, after so many approvals."""
    run.go_on(100)
    for _ in range(approvals):
        run.world.rest()
        run.approve()
        run.go_on(100)
    for probe in PROBES:
        probe(run.world)


def rolled_out(world: World, version: int, approvals: int = 0, number: int = 0, good: bool = True) -> Run:
    run = begun(world, version, number, good)
    press_on(run, approvals)
    return run


def traffic(world: World) -> dict[str, int]:
    return dict(world.now.state.traffic)


def rolls_back(world: World, weather: str = "fine") -> None:
    person = ByHand(world, lambda me: looked_through(me, verbs.rollback(me)))
    person.go_on(100, weather)
    assert person.result == "well"


def test_a_hand_made_deployment_is_not_the_first_rollout_s_to_delete(world: World) -> None:
    """An endpoint that never served has a healthy `default` that somebody made: deploy leaves it, and says so."""
    world.create(Actor(world, STRANGER), by_hand("default", 7), good=True)

    run = rolled_out(world, 1)

    assert "in the way" in run.result
    assert world.now.state.deployments["default"].model.version == "7"


def test_another_repository_s_first_deployment_is_not_deleted(world: World) -> None:
    """One repository's first deployment waits for its smoke test when another repository's run arrives."""
    first = begun(world, 1)
    first.go_on(0)

    second = begun(world, 2, repository="octo/other")
    press_on(second)
    press_on(first)

    assert "in the way" in second.result
    assert traffic(world) == {"default": 100} and world.now.state.deployments["default"].model.version == "1"


def test_what_another_run_creates_is_not_deleted(world: World) -> None:
    """A run that finds the first deployment being created by another one stops, and leaves it."""
    first = begun(world, 1)
    first.go_on(3)  # its PUT is sent

    second = rolled_out(world, 2)

    assert "another run is at it" in second.result
    assert world.now.state.deployments["default"].busy


def test_a_rollback_that_reads_late_looks_again(world: World) -> None:
    """The first read still shows the split from before green's share: that isn't `already there`."""
    rolled_out(world, 1)
    run = rolled_out(world, 2)
    run.approve()
    run.go_on(5)  # its share is written

    rolls_back(world, "late")

    assert traffic(world) == {"default": 100}


def test_a_job_rollback_that_reads_late_looks_again(world: World) -> None:
    """Killed right after its write, a run's rollback job isn't deceived by a read that doesn't show it yet."""
    rolled_out(world, 1)
    run = rolled_out(world, 2)
    run.approve()
    run.go_on(5)

    run.cancel()
    run.go_on(100, "late")

    assert traffic(world) == {"default": 100}


def test_a_run_without_work_changes_nothing(world: World) -> None:
    """A merge that changed no model, with a mistake in its smoke requests, leaves a finished rollout as it is."""
    rolled_out(world, 1)
    rolled_out(world, 2, TO_100)
    world.bad.add(world.now.state.deployments["xgboost-model-2"].created)
    was = world.now.state

    rolled_out(world, 2, number=3)

    assert world.now.state == was


@pytest.mark.parametrize("end", ["approve", "cancel", "reject"])
def test_an_older_run_leaves_what_somebody_approved_since(world: World, end: str) -> None:
    """A run waits at promote-50; promote.yml gives green 100 %, approved: whatever ends the run, that stands."""
    rolled_out(world, 1)
    older = rolled_out(world, 2, TO_10)
    press_on(Promotion(world, "octo/heart/actions/runs/9/attempts/1", 100, then_delete=False), approvals=1)

    getattr(older, end)()
    older.go_on(100)

    assert traffic(world) == {"xgboost-model-2": 100}


def test_an_older_version_is_rolled_out_again_like_any(world: World) -> None:
    """After v1, v2 and v3, each blue deleted, v2 comes again: it promotes, and rolls back to v3."""
    for version in (1, 2, 3):
        rolled_out(world, version, TO_THE_END if version > 1 else 0)

    rolled_out(world, 2, TO_100, number=4)
    promoted = traffic(world)
    rolls_back(world)

    assert (promoted, traffic(world)) == ({"xgboost-model-2": 100}, {"xgboost-model-3": 100})


def test_what_still_stands_is_used_for_going_back(world: World) -> None:
    """v2 has all, v1 is kept: rolling v1 out builds nothing, and its own way back is v2."""
    rolled_out(world, 1)
    rolled_out(world, 2, TO_100)
    kept = world.now.state.deployments["default"].created

    rolled_out(world, 1, TO_10, number=3)
    share = traffic(world)
    rolls_back(world)

    assert share == {"xgboost-model-2": 90, "default": 10} and traffic(world) == {"xgboost-model-2": 100}
    assert world.now.state.deployments["default"].created == kept


def test_a_hotfix_that_is_bad_leaves_the_way_back(world: World) -> None:
    """v2 is bad, v1 kept; v3 fails its smoke test: rollback still leads to v1."""
    rolled_out(world, 1)
    rolled_out(world, 2, TO_100)
    rolled_out(world, 3, good=False)

    rolls_back(world)

    assert traffic(world) == {"default": 100}


def test_a_second_rollback_does_not_walk_on(world: World) -> None:
    """rollback.yml looks twice, and somebody rolls back by hand, too: all end where the first one led."""
    for version, approvals in ((1, 0), (2, TO_100), (3, TO_50)):
        run = rolled_out(world, version, approvals)

    Back(world, "octo/heart/actions/runs/9/attempts/1", [run]).go_on(100)
    rolls_back(world)

    assert traffic(world) == {"xgboost-model-2": 100}


def test_a_run_again_of_the_failed_jobs_is_the_same_rollout(world: World) -> None:
    """Killed after its write, and its rollback job, too: run again, the stage goes on under the same id."""
    rolled_out(world, 1)
    run = rolled_out(world, 2)
    run.approve()
    run.go_on(5)
    run.cancel()
    run.cancel()

    run.again(all_jobs=False)
    press_on(run, TO_10)

    assert run.waits and traffic(world) == {"default": 90, "xgboost-model-2": 10}


def test_a_run_that_takes_over_a_split_takes_it_back(world: World) -> None:
    """The same version arrives again at 50 %, and is found bad: what it took over is its own to take back."""
    rolled_out(world, 1)
    rolled_out(world, 2, TO_50)
    world.bad.add(world.now.state.deployments["xgboost-model-2"].created)

    rolled_out(world, 2, number=3)

    assert traffic(world) == {"default": 100}


def test_erased_tags_of_green_leave_the_record_s_way_back(world: World) -> None:
    """An update from a file erases green's tags at 50 %: the endpoint's own record still leads back."""
    rolled_out(world, 1)
    rolled_out(world, 2, TO_50)
    world.changes("xgboost-model-2", tags={}, replaces=None, rollout="", settings="")

    rolls_back(world)

    assert traffic(world) == {"default": 100}


def test_a_name_that_came_back_is_not_the_way_back(world: World) -> None:
    """Somebody deletes the kept `default` and makes another one: a rollback is red, and names what to roll out."""
    rolled_out(world, 1)
    rolled_out(world, 2, TO_100)
    stranger = Actor(world, STRANGER)
    world.delete(stranger, "default")
    world.create(stranger, by_hand("default", 7), good=False)

    person = ByHand(world, verbs.rollback)
    person.go_on(100)

    assert "deploy --version 1" in person.result and traffic(world) == {"xgboost-model-2": 100}


def test_a_stopped_endpoint_is_started_by_a_whole_share(world: World) -> None:
    """At 0 % a part is refused, with the command that gives all traffic back first."""
    rolled_out(world, 1)
    rolled_out(world, 2)
    world.split("portal", Actor(world, STRANGER), Shift({}, ""))

    person = ByHand(world, lambda me: verbs.promote_to(me, "default", 50))
    person.go_on(100)

    assert "promote --to default --percent 100" in person.result


def test_nobody_decides_for_a_stopped_endpoint(world: World) -> None:
    """A rollout isn't begun on an endpoint that somebody set to 0 %."""
    rolled_out(world, 1)
    world.split("portal", Actor(world, STRANGER), Shift({}, ""))

    with pytest.raises(Refused, match="promote --to default --percent 100"):
        plan_deploy(world.now.state, wanted("by hand", 2))


def test_who_served_and_made_way_goes_with_the_next_approval_only(world: World) -> None:
    """A person gives the waiting v2 all, promotes v1 over it again, then v3 gets a share: v2 isn't waiting."""
    rolled_out(world, 1)
    rolled_out(world, 2)
    ByHand(world, lambda me: verbs.rollback(me, "xgboost-model-2")).go_on(100)
    press_on(Promotion(world, "octo/heart/actions/runs/9/attempts/1", 100, then_delete=False), approvals=1)

    run = rolled_out(world, 3)
    kept = list(world.now.state.deployments)
    press_on(run, TO_10)

    assert "xgboost-model-2" in kept and list(world.now.state.deployments) == ["default", "xgboost-model-3"]


def test_a_takeover_outlasts_a_stranger_s_split(world: World) -> None:
    """Two runs wait with one green, and a portal's split comes and goes: the one that had it first has it no more."""
    rolled_out(world, 1)
    older = rolled_out(world, 2)
    younger = rolled_out(world, 2, number=3)
    for split in ({"xgboost-model-2": 100}, {"default": 100}):
        world.split("portal", Actor(world, STRANGER), Shift(split, ""))

    press_on(older, TO_10)
    left = traffic(world)
    press_on(younger, TO_10)

    assert left == {"default": 100} and traffic(world) == {"default": 90, "xgboost-model-2": 10}


def test_the_way_back_from_a_stranger_s_third_is_no_left_over(world: World) -> None:
    """v2 had all, its blue is gone, and a portal gives v3 all: v2 is the way back, also once a run took it over."""
    rolled_out(world, 1)
    rolled_out(world, 2, TO_THE_END)
    rolled_out(world, 3)
    world.split("portal", Actor(world, STRANGER), Shift({"xgboost-model-3": 100}, ""))
    rolled_out(world, 2, number=4)

    rolled_out(world, 1, number=5)
    rolls_back(world)

    assert traffic(world) == {"xgboost-model-2": 100}


def test_what_was_taken_away_from_is_marked_by_a_rollback(world: World) -> None:
    """A portal takes all traffic away at v2's 100 %, and a rollback starts v1 again: the next review tells of v2."""
    rolled_out(world, 1)
    rolled_out(world, 2, TO_100)
    world.split("portal", Actor(world, STRANGER), Shift({}, ""))

    rolls_back(world)

    assert marks(world.now.state)["xgboost-model-2"].startswith("rolled back from 100 %")
