"""Edges of the pure decisions that `make mutants` showed nobody to hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from scripts.lib.decisions.approval import plan_promotion, propose
from scripts.lib.decisions.roles import roles
from scripts.lib.decisions.situation import situation
from scripts.lib.decisions.state import (
    FIRST_ROLLOUT,
    Ambiguous,
    Deployment,
    EndpointState,
    Model,
    Ref,
    Refused,
    percentages,
)
from scripts.lib.decisions.traffic import plan_shift
from tests.support.decisions import (
    RUN,
    default,
    deploy,
    deployment,
    endpoint,
    endpoints,
    green,
    marked,
    portal,
    recorded,
    stranger,
)

BLUE = deployment("blue", 1)
GREEN = deployment("green", 2, replaces=BLUE)


def test_equal_shares_are_said_by_name() -> None:
    """A split reads the same in whatever order Azure tells it, and without what has nothing."""
    assert percentages({"b": 50, "c": 0, "a": 50}) == "a 50 %, b 50 %"


def test_nothing_at_zero_serves() -> None:
    """A deployment at 0 % is not a second one that serves."""
    assert roles(endpoint({"a": 100}, deployment("a", 1), deployment("b", 2))) == ("a", None)


@pytest.mark.parametrize(("state", "busy"), [("Updating", True), ("Creating", True), ("Succeeded", False)])
def test_what_is_being_changed_is_busy(state: str, busy: bool) -> None:
    """Azure's states of a change that goes on, for endpoints and deployments."""
    assert (endpoint({}, state=state).busy, replace(BLUE, state=state).busy) == (busy, busy)


def test_a_deployment_of_unknown_size_has_one_instance() -> None:
    """So has the first that is created; a green gets as many as what it replaces."""
    first, later = deploy(endpoint({}), 1), deploy(endpoint({"default": 100}, default(instances=3)), 2)

    assert (Deployment("d", Model("m", "1")).instances, first.instances, later.instances) == (1, 1, 3)
    assert Deployment("d", Model("m", "1")).capacity == 1


def test_a_situation_names_what_is_not_healthy_and_nothing_else() -> None:
    """What serves well isn't mentioned beside what has failed."""
    failed = replace(GREEN, state="Failed")

    assert "is Succeeded" not in situation(endpoint({"blue": 100}, BLUE, failed))
    assert situation(endpoint({"blue": 100}, BLUE, failed)).endswith("; green is Failed")


def test_an_unclear_situation_says_what_is_unclear() -> None:
    """Where nobody can tell who is green, the line for people is the reason."""
    unclear = endpoint({"blue": 100}, BLUE, GREEN, deployment("teal", 3, replaces=BLUE))

    with pytest.raises(Ambiguous) as why:
        roles(unclear)
    assert situation(unclear) == str(why.value)


@pytest.mark.parametrize(("deployments", "tags"), [([BLUE], FIRST_ROLLOUT), ([], {}), ([], FIRST_ROLLOUT)])
def test_a_first_rollout_that_has_not_ended(deployments: list[Deployment], tags: dict[str, str]) -> None:
    """Nobody took traffic away from an endpoint that is new, or has nothing that could serve."""
    assert situation(endpoint({}, *deployments, tags=tags)).startswith("nothing serves yet")


def test_a_new_endpoint_has_nothing_to_remove() -> None:
    """The first deploy creates what isn't there; its plan removes nothing."""
    plan = deploy(endpoint({}), 1)

    assert (plan.remove, plan.create, plan.first) == ((), True, True)


def test_what_is_there_is_neither_created_nor_first() -> None:
    """A model that serves already, or is being rolled out, needs no deployment and no traffic."""
    serving = deploy(endpoint({"default": 100}, default()), 1)
    going_on = deploy(endpoint({"default": 90, "xgboost-model-2": 10}, default(), green()), 2)

    assert (serving.create, serving.first, going_on.create, going_on.first) == (False, False, False, False)


@pytest.mark.parametrize("replaced", [None, Ref("gone", "then", "1")])
def test_a_model_that_serves_has_nothing_to_deploy(replaced: Ref | None) -> None:
    """Whomever it replaced is gone."""
    plan = deploy(endpoint({"green": 100}, replace(GREEN, replaces=replaced)), 2)

    assert plan.say.endswith("nothing to deploy")


def test_a_lone_deployment_can_have_everything() -> None:
    """All of the traffic leaves nothing for a counterpart, so it needs none."""
    assert plan_shift(endpoint({}, BLUE), "blue", 100, RUN).split == {"blue": 100}


def test_of_several_counterparts_the_one_with_traffic_gets_the_rest() -> None:
    """Two deployments replace blue; the one that serves is meant."""
    state = endpoint({"blue": 60, "green": 40}, BLUE, deployment("teal", 3, replaces=BLUE), GREEN)

    assert plan_shift(state, "blue", 70, RUN).split == {"blue": 70, "green": 30}


def test_nobody_is_the_counterpart_of_itself() -> None:
    """A tag that names its own deployment says nothing."""
    state = endpoint({"blue": 100}, replace(BLUE, replaces=BLUE.ref), GREEN)

    assert plan_shift(state, "blue", 60, RUN).split == {"blue": 60, "green": 40}


def test_a_share_that_does_not_grow_asks_for_no_health() -> None:
    """A failed deployment keeps what it has, and gets not one per cent more."""
    failed = replace(GREEN, state="Failed")
    third = endpoint({"blue": 40, "green": 40, "third": 20}, BLUE, failed, stranger("third"))

    assert plan_shift(third, "blue", 60, RUN, third.traffic).split == {"blue": 60, "green": 40}
    with pytest.raises(Refused, match="not healthy"):
        plan_shift(endpoint({"blue": 100}, BLUE, failed), "green", 1, RUN)


def test_a_third_deployment_s_traffic_may_be_moved_by_who_has_seen_it() -> None:
    """What the reviewer saw included its share; without a review it isn't touched."""
    state = endpoint({"blue": 80, "green": 10, "third": 10}, BLUE, GREEN, stranger("third"))

    assert plan_promotion(state, 50, RUN, propose(state)).split == {"blue": 50, "green": 50}
    with pytest.raises(Refused, match="traffic is not all on"):
        plan_promotion(state, 50, RUN)


# the line for people


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (endpoint({}, tags=FIRST_ROLLOUT), "the first rollout has not ended (deploy, then promote --percent 100)"),
        (endpoint({}, default()), "somebody took all traffic away"),
        (endpoint({"default": 100}, default()), "no rollout is in progress"),
        (endpoint({"default": 100}, default(), green()), "waits at 0 %"),
        (endpoint({"default": 90, "xgboost-model-2": 10}, default(), green()), "a rollout is in progress"),
        (endpoint({"xgboost-model-2": 100}, default(), green()), "rollback works until delete_blue"),
        (endpoint({"default": 100}, default(), green(state="Failed")), "xgboost-model-2 is Failed"),
        (marked(endpoint({"default": 100}, default(), green()), green()), "xgboost-model-2 rolled back"),
        (
            portal(recorded(endpoint({"default": 100}, default(), green()), default(), green()), xgboost_model_2=100),
            "no rollout wrote this split",
        ),
    ],
)
def test_the_explanation_tells_where_the_rollout_is(state: EndpointState, words: str) -> None:
    """Each stage is told from the others, and what was learnt is told, too."""
    assert words in situation(state)


def test_a_split_that_a_rollout_wrote_is_not_called_a_strangers() -> None:
    """Nor one that nobody recorded: before there were records."""
    pair = endpoint({"default": 90, "xgboost-model-2": 10}, default(), green())

    assert not any("no rollout wrote" in situation(state) for state in (pair, recorded(pair, default(), green())))


@given(endpoints())
def test_every_state_has_an_explanation(state: EndpointState) -> None:
    """There is one line for whatever a person meets."""
    line = situation(state)

    assert line and "\n" not in line
