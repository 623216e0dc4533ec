"""Not seen isn't not there: an answer that lacks something is looked at twice, and asked another way."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from scripts.lib.azure import endpoint
from scripts.lib.azure.waiting import Deadline, TimedOut
from scripts.lib.decisions.state import EndpointState, Overwritten, Shift
from scripts.lib.decisions.traffic import plan_shift
from tests.support.scripts import GREEN, Live, opened, pair_endpoint, run, toy_model, write

BEFORE, HALF = {"default": 100}, {"default": 50, GREEN: 50}
ENDPOINT = "*/onlineEndpoints/toy-unseen"
LIST, OPERATION = f"{ENDPOINT}/deployments", "*/mfeOperationsStatus/*"
V3 = "xgboost-model-3"


@pytest.fixture(scope="module")
def rollout(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An endpoint with blue, `default`, and green, `xgboost-model-2`; version 3 is not deployed."""
    toys = [{"answer": number} for number in range(3)]
    with pair_endpoint(tmp_path_factory.mktemp("unseen"), "toy-unseen", *toys) as live:
        yield live


@pytest.mark.parametrize("like", ["ParentResourceNotFound", "ResourceNotFound", "NotFound", "ResourceGroupNotFound"])
@pytest.mark.parametrize("times", [1, 2, 3] if os.environ.get("SOAK") else [2])
def test_a_rollback_does_not_believe_a_single_answer(half: Live, faults: Faults, like: str, times: int) -> None:
    """Whatever a few 404s say is missing, the endpoint is asked for again, and goes back."""
    faults.add("refuse", method="GET", path=ENDPOINT, like=like, times=times)

    half.do("rollback")

    assert half.traffic == BEFORE


def test_an_endpoint_that_only_its_list_shows_is_there(half: Live, faults: Faults) -> None:
    """As long as the workspace's list has it, nobody says that there is none: it isn't ended in time, and why."""
    faults.add("refuse", method="GET", path=f"{ENDPOINT}*", like="ParentResourceNotFound", times=0)

    result = half.run("rollback", "--timeout", 5)
    faults.clear()

    assert result.exit_code == 3
    assert "lists the endpoint toy-unseen" in result.stderr
    assert half.traffic == HALF


@pytest.mark.parametrize("script", ["rollback", "show_endpoint", "review", "create_endpoint"])
def test_a_workspace_that_cannot_be_found_is_no_missing_endpoint(pair: Live, faults: Faults, script: str) -> None:
    """Two answers that it isn't there are an error that names what to check, for each verb."""
    faults.add("refuse", method="GET", path="*/workspaces/local*", like="ResourceNotFound", times=0)

    result = pair.run(script)

    assert result.exit_code == 1
    assert "AZURE_ML_WORKSPACE" in result.stderr


@pytest.mark.parametrize("times", [1, 2])
def test_a_blue_that_the_list_lacks_is_gone_back_to(pair: Live, faults: Faults, times: int) -> None:
    """Record and claim give its name, and its own GET finds it."""
    pair.do("promote", "--percent", 100)
    faults.add("hide", path=LIST, name="default", times=times)

    pair.do("rollback")

    assert pair.traffic == BEFORE


def test_a_blue_that_the_list_lacks_is_not_gone_already(pair: Live, faults: Faults) -> None:
    """It still gets traffic, and that is what is said."""
    faults.add("hide", path=LIST, name="default", times=3)

    result = pair.run("delete_blue", "default")

    assert result.exit_code == 1
    assert "default still gets traffic" in result.stderr


@pytest.mark.parametrize(
    "script",
    [
        ("smoke_test", GREEN),
        ("check_contract", GREEN),
        ("review", "--green", GREEN),
        ("promote", "--to", GREEN, "--percent", 10),
        ("rollback", "--to", GREEN),
    ],
)
def test_who_is_named_is_asked_for_by_name(pair: Live, faults: Faults, script: tuple[object, ...]) -> None:
    """A green that was just created may not be listed yet; whoever names it finds it."""
    faults.add("hide", path=LIST, name=GREEN, times=2)

    pair.do(*script)


def test_what_the_list_lacks_is_deleted_by_its_name(pair: Live, faults: Faults) -> None:
    """No tag tells of a left-over but itself: named, it isn't gone already."""
    faults.add("hide", path=LIST, name=GREEN, times=2)

    pair.do("delete_blue", GREEN)

    assert GREEN not in pair.deployments
    pair.do("deploy", "--version", 2)


def test_a_mark_outlives_a_list_that_lacks_its_deployment(pair: Live, arm: Arm, faults: Faults) -> None:
    """What was learnt of a deployment is kept by a promotion of others, though their list lacks it."""
    pair.do("promote", "--percent", 10)
    pair.do("rollback")
    arm.deployment(pair.name, "stranger", "models/toy-unseen/versions/3", instances=4)
    pair.do("promote", "--to", "stranger", "--percent", 100, "--expect", "default=100")
    faults.add("hide", path=LIST, name=GREEN, times=2)

    pair.do("rollback")

    assert f"mark-{GREEN}" in arm("GET", f"onlineEndpoints/{pair.name}").json()["tags"]
    arm("DELETE", f"onlineEndpoints/{pair.name}/deployments/stranger")


def test_a_green_that_the_list_lacks_is_used(pair: Live, faults: Faults) -> None:
    """Deploying its model again doesn't put another deployment over it."""
    created = pair.deployments[GREEN]["created"]
    faults.add("hide", path=LIST, name=GREEN, times=3)

    printed = pair.do("deploy", "--version", 2)

    assert printed == GREEN
    assert pair.deployments[GREEN]["created"] == created


@pytest.mark.parametrize("status", [404, 503, 403])
def test_a_look_that_is_lost_is_no_failed_write(pair: Live, faults: Faults, status: int) -> None:
    """The operation can't be seen: the endpoint itself tells how it went."""
    faults.add("refuse", method="GET", path=OPERATION, status=status, times=0)

    pair.do("promote", "--percent", 50)

    assert pair.traffic == HALF


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (f"{ENDPOINT}/deployments/{V3}", {"like": "NotFound", "skip": 1}),
        (f"{ENDPOINT}/deployments/{V3}", {"status": 500, "skip": 1}),
        (OPERATION, {"status": 404}),
        (OPERATION, {"status": 503, "times": 3}),
    ],
)
def test_a_deployment_that_became_healthy_stays(pair: Live, faults: Faults, path: str, fault: dict[str, Any]) -> None:
    """An error while somebody waits for it is not its failure."""
    faults.add("refuse", method="GET", path=path, **fault)

    printed = pair.do("deploy", "--version", 3)
    state = pair.deployments[V3]["state"]
    faults.clear()
    pair.do("deploy", "--version", 2)

    assert (printed, state) == (V3, "Succeeded")


def test_an_operation_that_says_failed_deletes_nothing_healthy(pair: Live, faults: Faults) -> None:
    """The operation says Failed, the deployment's own GET says Succeeded: it stays, and the error says so."""
    faults.add("fail", method="PUT", path=f"{ENDPOINT}/deployments/{V3}", when="after", code="Boom")

    result = pair.run("deploy", "--version", 3)

    assert result.exit_code == 1
    assert f"{V3} reads as Succeeded, so it stays" in result.stderr
    assert pair.do("deploy", "--version", 3) == V3


def test_a_model_that_is_not_seen_once_is_there(pair: Live, faults: Faults) -> None:
    """The list of versions has it, so it is asked for again."""
    faults.add("refuse", method="GET", path="*/models/toy-unseen/versions/2", like="ModelNotFound")

    assert pair.do("deploy", "--version", 2) == GREEN


def test_a_registered_model_that_is_not_seen_once_is_not_registered_again(
    pair: Live, faults: Faults, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same folder keeps its version."""
    folder = toy_model(tmp_path_factory.mktemp("again") / "model", answer=2)
    faults.add("refuse", method="GET", path="*/models/toy-unseen*", like="ModelNotFound")

    result = run("register_model", folder)

    assert (result.exit_code, result.stdout) == (0, "3\n")


def test_what_is_gone_is_found_out_once(pair: Live, arm: Arm) -> None:
    """A missing endpoint takes two looks and some seconds, and is then said."""
    result = run("delete_endpoint", "--yes", ENDPOINT_NAME="toy-nowhere")

    assert result.exit_code == 0
    assert "there is no endpoint toy-nowhere" in result.stderr


def test_a_split_that_is_left_to_others_is_watched(half: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another rollout wrote it: only after it has read the same for a while that is believed."""
    monkeypatch.setattr(endpoint, "STEADY", 3.0)
    began = time.monotonic()

    result = half.run("rollback", "--own", "--rollout", "octo/other/actions/runs/1/attempts/1")

    assert (result.exit_code, half.traffic) == (0, HALF)
    assert time.monotonic() - began > 3
    assert "left alone" in result.stderr


def test_a_late_read_of_an_own_write_is_not_left_alone(
    pair: Live, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rollout's own promotion shows only after some reads: its rollback goes back from it all the same."""
    monkeypatch.setattr(endpoint, "STEADY", 5.0)
    ours = ("--rollout", "octo/heart/actions/runs/7/attempts/1")
    pair.do("promote", "--percent", 10, "--rollout", "octo/heart/actions/runs/6/attempts/1")
    faults.add("stale", path=ENDPOINT, seconds=4)
    promotion = pair.run("promote", "--percent", 50, *ours, "--timeout", 2)

    result = pair.run("rollback", "--own", *ours)

    assert promotion.exit_code == 3
    assert (result.exit_code, pair.traffic) == (0, BEFORE), result.output


def test_a_split_that_still_changes_in_the_end_is_not_left_alone() -> None:
    """What read the same at each look is believed at the end of --timeout, what changed in between is not."""
    alone = Shift(HALF, "left alone", done=True, hold=True)
    steady, changing = endpoint.Steady(), endpoint.Steady()
    first, other = EndpointState("toy-unseen", HALF), EndpointState("toy-unseen", BEFORE)

    assert not steady.so(alone, first, Deadline(5)) and not changing.so(alone, other, Deadline(5))

    assert steady.so(alone, first, Deadline(0))
    with pytest.raises(TimedOut, match="--timeout ended before it had been so"):
        changing.so(alone, first, Deadline(0))


def test_a_takeover_right_before_the_write_is_not_written_over(pair: Live, azure: dict[str, str], arm: Arm) -> None:
    """Another rollout takes green over, under the same split, between a promotion's look and its write."""
    theirs = {**pair.tags, f"rollout-of-{GREEN}": "then|default|octo/heart/actions/runs/9/attempts/1"}

    def plan(state: EndpointState) -> Shift:
        write(arm, pair, BEFORE, theirs)
        return plan_shift(state, GREEN, 50, "ours")

    with pytest.raises(Overwritten, match="took the rollout over meanwhile: octo/heart/actions/runs/9"):
        opened(azure, pair).shift(plan, Deadline(60))

    assert pair.traffic == BEFORE


@pytest.mark.parametrize(("patience", "content"), [(math.inf, False), (20.0, True)])
def test_a_record_that_somebody_overwrote_is_noticed(
    pair: Live, azure: dict[str, str], arm: Arm, faults: Faults, patience: float, content: bool
) -> None:
    """Another rollout writes the same split right after: a promotion tells whose it is now, a rollback is content."""
    outcome: list[object] = []

    def shift() -> None:
        plan = partial(plan_shift, to=GREEN, percent=50, rollout="ours")
        try:
            outcome.append(opened(azure, pair).shift(plan, Deadline(60), patience=patience).split)
        except Overwritten as error:
            outcome.append(str(error))

    hold = faults.add("hold", method="GET", path=ENDPOINT, skip=2)["id"]  # the last of the SDK's own, after the write
    thread = threading.Thread(target=shift)
    thread.start()
    assert faults.get(hold, wait=30)["held"]
    write(arm, pair, HALF, {**pair.tags, "rollout": "theirs"})
    faults.clear()
    thread.join()

    told = "somebody else wrote the same split right after this one: theirs."
    assert outcome == [HALF if content else told]
