"""Edges of the pure decisions that `make mutants` showed nobody to hold."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.lib.decisions.approval import plan_promotion, propose
from scripts.lib.decisions.deploying import plan_deploy
from scripts.lib.decisions.situation import situation
from scripts.lib.decisions.state import (
    FIRST_ROLLOUT,
    Ambiguous,
    Deployment,
    EndpointState,
    Model,
    Refused,
    percentages,
    roles,
)
from scripts.lib.decisions.traffic import plan_shift
from scripts.lib.decisions.way_back import plan_rollback


def endpoint(traffic: dict[str, int], *deployments: Deployment, **more: Any) -> EndpointState:
    return EndpointState("heart", traffic, {deployment.name: deployment for deployment in deployments}, **more)


def served(name: str, version: str = "1", **more: Any) -> Deployment:
    return Deployment(name, Model("m", version), **more)


BLUE, GREEN = served("blue"), served("green", "2", replaces="blue")


def test_equal_shares_are_said_by_name() -> None:
    """A split reads the same in whatever order Azure tells it, and without what has nothing."""
    assert percentages({"b": 50, "c": 0, "a": 50}) == "a 50 %, b 50 %"


def test_nothing_at_zero_serves() -> None:
    """A deployment at 0 % is not a second one that serves."""
    assert roles({"a": 100, "b": 0}, {"a": "", "b": ""}) == ("a", None)


@pytest.mark.parametrize(("state", "busy"), [("Updating", True), ("Creating", True), ("Succeeded", False)])
def test_what_is_being_changed_is_busy(state: str, busy: bool) -> None:
    """Azure's states of a change that goes on, for endpoints and deployments."""
    assert (endpoint({}, state=state).busy, served("blue", state=state).busy) == (busy, busy)


def test_a_first_deployment_that_is_mirrored_is_not_made_anew() -> None:
    """Somebody watches what failed; removing it would end that."""
    state = endpoint({}, served("blue", state="Failed"), mirror={"blue": 10})

    with pytest.raises(Refused, match="the left-over blue gets mirrored traffic"):
        plan_deploy(state, Model("m", "2"), "blue", "green")


def test_a_deployment_of_unknown_size_has_one_instance() -> None:
    """So has the first that is created; a green gets as many as what it replaces."""
    first = plan_deploy(endpoint({}), Model("m", "1"), "default", "green")
    later = plan_deploy(endpoint({"blue": 100}, served("blue", instances=3)), Model("m", "2"), "default", "green")

    assert (served("blue").instances, first.instances, later.instances) == (1, 1, 3)


def test_a_situation_names_what_is_not_healthy_and_nothing_else() -> None:
    """What serves well isn't mentioned beside what has failed."""
    failed = served("green", "2", replaces="blue", state="Failed")

    assert "is Succeeded" not in situation(endpoint({"blue": 100}, BLUE, failed))
    assert situation(endpoint({"blue": 100}, BLUE, failed)).endswith("; green is Failed")


def test_an_unclear_situation_says_what_is_unclear() -> None:
    """Where nobody can tell who is green, the line for people is the reason."""
    unclear = endpoint({"blue": 100}, BLUE, GREEN, served("teal", "3", replaces="blue"))

    with pytest.raises(Ambiguous) as why:
        _ = unclear.roles
    assert situation(unclear) == str(why.value)


@pytest.mark.parametrize(("deployments", "tags"), [([BLUE], FIRST_ROLLOUT), ([], {}), ([], FIRST_ROLLOUT)])
def test_a_first_rollout_that_has_not_ended(deployments: list[Deployment], tags: dict[str, str]) -> None:
    """Nobody took traffic away from an endpoint that is new, or has nothing that could serve."""
    assert situation(endpoint({}, *deployments, tags=tags)).startswith("nothing serves yet")


def test_a_new_endpoint_has_nothing_to_remove() -> None:
    """The first deploy creates what isn't there; its plan removes nothing."""
    plan = plan_deploy(endpoint({}), Model("m", "1"), "default", "green")

    assert (plan.remove, plan.create, plan.first) == ((), True, True)


def test_a_failed_first_deployment_is_made_anew() -> None:
    """Nobody took traffic from what never could serve, whatever the endpoint's tags."""
    plan = plan_deploy(endpoint({}, served("default", state="Failed")), Model("m", "1"), "default", "green")

    assert (plan.remove, plan.create) == (("default",), True)


def test_what_is_there_is_neither_created_nor_first() -> None:
    """A model that serves already, or is being rolled out, needs no deployment and no traffic."""
    serving = plan_deploy(endpoint({"blue": 100}, BLUE), BLUE.model, "default", "green")
    going_on = plan_deploy(endpoint({"blue": 90, "green": 10}, BLUE, GREEN), GREEN.model, "default", "green")

    assert (serving.create, serving.first, going_on.create, going_on.first) == (False, False, False, False)


@pytest.mark.parametrize("replaced", ["", "gone"])
def test_a_blue_that_is_gone_is_not_said_to_stay(replaced: str) -> None:
    """Only what is there can stay at 0 %."""
    plan = plan_deploy(
        endpoint({"green": 100}, served("green", replaces=replaced)), Model("m", "1"), "default", "green"
    )

    assert plan.say.endswith("nothing to deploy")


def test_a_version_that_is_not_green_s_is_not_taken_back() -> None:
    """Blue's own version is no rollout that could be taken back."""
    plan = plan_rollback(endpoint({"blue": 50, "green": 50}, BLUE, GREEN), BLUE.model.version)

    assert (plan.done, plan.split) == (True, {"blue": 50, "green": 50})


def test_a_lone_deployment_can_have_everything() -> None:
    """All of the traffic leaves nothing for a counterpart, so it needs none."""
    assert plan_shift(endpoint({}, BLUE), "blue", 100).split == {"blue": 100}


def test_of_several_counterparts_the_one_with_traffic_gets_the_rest() -> None:
    """Two deployments replace blue; the one that serves is meant."""
    state = endpoint({"blue": 60, "green": 40}, BLUE, served("teal", "3", replaces="blue"), GREEN)

    assert plan_shift(state, "blue", 70).split == {"blue": 70, "green": 30}


def test_nobody_is_the_counterpart_of_itself() -> None:
    """A tag that names its own deployment says nothing."""
    state = endpoint({"blue": 100}, served("blue", replaces="blue"), GREEN)

    assert plan_shift(state, "blue", 60).split == {"blue": 60, "green": 40}


def test_a_share_that_does_not_grow_asks_for_no_health() -> None:
    """A failed deployment keeps what it has, and gets not one per cent more."""
    green = served("green", "2", replaces="blue", state="Failed")
    third = endpoint({"blue": 40, "green": 40, "third": 20}, BLUE, green, served("third"))

    assert plan_shift(third, "blue", 60, third.traffic).split == {"blue": 60, "green": 40}
    with pytest.raises(Refused, match="not healthy"):
        plan_shift(endpoint({"blue": 100}, BLUE, green), "green", 1)


def test_a_third_deployment_s_traffic_may_be_moved_by_who_has_seen_it() -> None:
    """What the reviewer saw included its share; without a review it isn't touched."""
    state = endpoint({"blue": 80, "green": 10, "third": 10}, BLUE, GREEN, served("third"))

    assert plan_promotion(state, 50, propose(state)).split == {"blue": 50, "green": 50}
    with pytest.raises(Refused, match="traffic is not all on"):
        plan_promotion(state, 50)
