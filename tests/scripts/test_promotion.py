"""promote beyond the split: green is asked first, the workflow learns when a write begins, left-overs go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from scripts.lib.decisions.state import Shift
from scripts.lib.decisions.traffic import gaining
from tests.support.decisions import default, endpoint, green, recorded
from tests.support.scripts import GREEN, Live, outputs, pair_endpoint, write

THIRD, FOURTH = "xgboost-model-3", "xgboost-model-4"
RUN = ("--rollout", "octo/heart/actions/runs/1/attempts/1")


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def rollout(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """`default` serves, green waits; a third version answers what is none of its labels."""
    toys = {"answer": 0}, {"answer": 1}, {"answer": 7}, {"answer": 1, "seconds": 0.1}
    with pair_endpoint(tmp_path_factory.mktemp("promotion"), "toy-promotion", *toys) as live:
        yield live


@pytest.fixture
def pair(rollout: Live, arm: Arm) -> Live:
    """The endpoint as it was in the beginning."""
    write(arm, rollout, {"default": 100}, tags=dict(rollout.tags))
    return rollout


def wrote(live: Live, folder: Path, *arguments: object, code: int = 0) -> str:
    """The output `wrote` of a promotion that ends so; "" where there is none."""
    output = folder / "output"
    output.write_text("")
    result = live.run("promote", *arguments, GITHUB_OUTPUT=str(output))
    assert result.exit_code == code, result.output
    return outputs(output).get("wrote", "")


def test_a_write_that_begins_is_told(pair: Live, tmp_path: Path) -> None:
    """From then on a job that fails has not held the split; one that finds it there already has."""
    assert wrote(pair, tmp_path, "--percent", 10, *RUN) == "true"
    assert wrote(pair, tmp_path, "--percent", 10, *RUN) == ""


def test_a_promotion_that_refuses_has_held(pair: Live, tmp_path: Path) -> None:
    """Nothing was written, so there is nothing to take back."""
    expected = "default=90,xgboost-model-2=10"

    assert wrote(pair, tmp_path, "--to", GREEN, "--percent", 50, "--expect", expected, code=1) == ""


def test_a_write_that_azure_refuses_has_begun(pair: Live, tmp_path: Path, faults: Faults) -> None:
    """Told before the call: what became of that nobody can be sure of."""
    faults.add("refuse", method="PUT", path=f"*/onlineEndpoints/{pair.name}", status=400, code="BadRequest")

    assert wrote(pair, tmp_path, "--percent", 10, *RUN, code=1) == "true"


def test_a_green_that_answers_wrongly_gets_nothing(pair: Live, arm: Arm, tmp_path: Path) -> None:
    """It is asked past the split right before, whatever its provisioning state says; the workflow goes back."""
    pair.do("deploy", "--version", 3)

    found = wrote(pair, tmp_path, "--to", THIRD, "--percent", 10, code=1)
    result = pair.run("promote", "--to", THIRD, "--percent", 10)
    arm.settle(arm("DELETE", f"onlineEndpoints/{pair.name}/deployments/{THIRD}"))

    assert found == "true"
    assert "7" in result.stderr and "labels" in result.stderr
    assert pair.traffic == {"default": 100}


def test_going_back_asks_nobody() -> None:
    """Who gets its share back has served: that it can't be asked now keeps nobody from lowering green's."""
    blue, new = default(), green()
    state = recorded(endpoint({"default": 50, new.name: 50}, blue, new), blue, new)

    assert gaining(state, Shift({"default": 90, new.name: 10}, "")) == []
    assert gaining(state, Shift({"default": 10, new.name: 90}, "")) == [new.name]


def test_a_first_deployment_is_asked() -> None:
    """Nobody else has a share."""
    assert gaining(endpoint({}, default()), Shift({"default": 100}, "")) == ["default"]


@pytest.fixture
def begun(rollout: Live, arm: Arm) -> Iterator[Live]:
    """An endpoint whose first deployment waits."""
    live = Live("toy-promotion-begun")
    live.do("create_endpoint")
    live.do("deploy", "--version", 1)
    yield live
    arm("DELETE", f"onlineEndpoints/{live.name}")


def test_a_first_deployment_is_offered_whole(begun: Live) -> None:
    """A share of it, or a blue to delete, is refused before anybody is asked; an approval of 100 % finishes it."""
    results = [
        begun.run("review", "--next", "promote", "--percent", 50),
        begun.run("review", "--next", "promote", "--percent", 100, "--then-delete"),
    ]
    approved = begun.do("review", "--next", "promote", "--percent", 100)
    begun.do("promote", "--percent", 100, "--expect", approved)

    assert [result.exit_code for result in results] == [1, 1]
    assert all("the endpoint's first deployment" in result.stderr for result in results)
    assert begun.traffic == {"default": 100}


@pytest.fixture(scope="module")
def third(rollout: Live) -> Iterator[Live]:
    """An endpoint on which version 2 serves, its way back `default` stands, and version 4 waits."""
    live = Live("toy-promotion-third")
    live.do("create_endpoint")
    live.do("deploy", "--version", 1)
    live.do("promote", "--first", "default")
    live.do("deploy", "--version", 2)
    live.do("promote", "--percent", 100)
    live.do("deploy", "--version", 4)
    yield live


def test_only_a_first_deployment_is_one(third: Live, tmp_path: Path) -> None:
    """Once an endpoint has served, nothing gets all traffic without an approval; the first had it, and is done."""
    assert wrote(third, tmp_path, "--first", FOURTH, code=1) == ""
    assert FOURTH not in third.traffic
    assert wrote(third, tmp_path, "--first", GREEN) == ""


def test_what_a_promotion_makes_superfluous_goes(third: Live, faults: Faults) -> None:
    """With the split, not before it. That it can't be deleted now is no failure: the same, run again, deletes it."""
    refused = "*/onlineEndpoints/toy-promotion-third/deployments/default"
    faults.add("refuse", method="DELETE", path=refused, status=403, code="AuthorizationFailed")
    before = {*third.deployments}

    first = third.run("promote", "--percent", 10, *RUN)
    told = {*third.deployments}
    third.do("promote", "--percent", 10, *RUN)

    assert (first.exit_code, before, told) == (0, {"default", GREEN, FOURTH}, {"default", GREEN, FOURTH})
    assert "default could not be deleted now" in first.stderr
    assert ({*third.deployments}, third.traffic) == ({GREEN, FOURTH}, {GREEN: 90, FOURTH: 10})


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--first", "default", "--percent", 100),
        ("--first", "default", "--to", "default"),
        ("--first", "default", "--expect", "{}"),
        ("--first", "default", "--at-least"),
    ],
)
def test_a_share_or_the_first(pair: Live, arguments: tuple[object, ...]) -> None:
    """The first deployment gets all, so --first stands alone."""
    result = pair.run("promote", *arguments)

    assert result.exit_code == 2
    assert "--percent, or --first" in result.stderr
