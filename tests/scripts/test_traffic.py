"""promote --to, rollback and delete_blue against the local Azure ML."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azureml_emulator.faults.command import Faults
from azureml_emulator.testing import Arm
from azureml_emulator.testing import endpoint as endpoint_body
from scripts.lib.azure import endpoint
from scripts.lib.azure.waiting import Deadline, TimedOut
from scripts.lib.decisions.state import EndpointState, Refused, Shift
from scripts.lib.decisions.traffic import plan_shift
from tests.support.scripts import GREEN, Live, opened, outputs, pair_endpoint, restore, run, write


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def rollout(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An endpoint with blue, `default`, and green, `xgboost-model-2`; version 3 takes seconds to start."""
    toys = [{"answer": number, "seconds": seconds} for number, seconds in enumerate([0, 0, 2])]
    with pair_endpoint(tmp_path_factory.mktemp("traffic"), "toy-traffic", *toys) as live:
        yield live


@pytest.fixture(autouse=True)
def soon_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes late here, so what is left alone need not be watched for long."""
    monkeypatch.setattr(endpoint, "STEADY", 1.0)


@pytest.fixture
def pair(rollout: Live, arm: Arm) -> Live:
    """The endpoint with all traffic on blue."""
    restore(arm, rollout)
    return rollout


def test_a_share_is_shifted(pair: Live) -> None:
    """Green gets its share, blue keeps the rest; the split is printed as JSON."""
    printed = pair.do("promote", "--to", GREEN, "--percent", 10, "--expect", "default=100")

    assert json.loads(printed) == {"default": 90, GREEN: 10}
    assert pair.traffic == {"default": 90, GREEN: 10}


def test_a_shift_leaves_everything_else_as_it_was(pair: Live, arm: Arm) -> None:
    """Writing the split keeps the endpoint's description and other tags, and adds no property."""
    before = arm("GET", f"onlineEndpoints/{pair.name}").json()

    pair.do("promote", "--to", GREEN, "--percent", 10)

    after = arm("GET", f"onlineEndpoints/{pair.name}").json()
    for document in (before, after):
        del document["properties"]["properties"]["AzureAsyncOperationUri"]  # the service's own, of the last operation
    assert after["properties"].pop("traffic") != before["properties"].pop("traffic")
    assert after["properties"] == before["properties"]
    assert {name: value for name, value in after["tags"].items() if not name.startswith("rollout")} == {
        "model": "toy-traffic"
    }


def test_a_repeated_shift_writes_nothing(pair: Live) -> None:
    """The second run finds the split there, although it is no longer what was expected."""
    shift = ("promote", "--to", GREEN, "--percent", 10, "--expect", "default=100")
    pair.do(*shift)

    again = pair.run(*shift)

    assert again.exit_code == 0
    assert "already there" in again.stderr and "setting" not in again.stderr


def test_an_unexpected_split_is_left_alone(pair: Live, arm: Arm) -> None:
    """Somebody else shifted in between: refused, with both splits named."""
    write(arm, pair, {"default": 70, GREEN: 30})

    result = pair.run("promote", "--to", GREEN, "--percent", 50, "--expect", f"default=90,{GREEN}=10")

    assert result.exit_code == 1
    assert f"expected default 90 %, {GREEN} 10 %, but it is default 70 %, {GREEN} 30 %" in result.stderr
    assert pair.traffic == {"default": 70, GREEN: 30}


def test_names_are_lower_cased_as_azure_does(pair: Live) -> None:
    """Azure keeps names in lower case, whatever was typed."""
    pair.do("promote", "--to", GREEN.upper(), "--percent", 20)

    assert pair.traffic == {"default": 80, GREEN: 20}


def test_an_unknown_deployment_is_refused(pair: Live) -> None:
    """The error names those there are."""
    result = pair.run("promote", "--to", "nobody", "--percent", 10)

    assert result.exit_code == 1
    assert f"it has: default, {GREEN}" in result.stderr


def test_a_write_in_between_is_noticed(pair: Live, arm: Arm, azure: dict[str, str]) -> None:
    """Whoever changes the split between the look and the write is not overwritten."""

    def plan(state: EndpointState) -> Shift:
        write(arm, pair, {"default": 60, GREEN: 40})
        return plan_shift(state, GREEN, 10, "by hand")

    with pytest.raises(Refused, match="somebody changed the split meanwhile"):
        opened(azure, pair).shift(plan, Deadline(10))

    assert pair.traffic == {"default": 60, GREEN: 40}


def test_a_shift_waits_for_a_running_operation(pair: Live, arm: Arm) -> None:
    """While Azure changes the endpoint, a shift waits for its turn, then goes on from what it finds."""
    body = endpoint_body(traffic={"default": 80, GREEN: 20})
    arm("PUT", f"onlineEndpoints/{pair.name}", body)

    result = pair.run("promote", "--to", GREEN, "--percent", 50, "--expect", f"default=80,{GREEN}=20")

    assert result.exit_code == 0, result.output
    assert pair.traffic == {"default": 50, GREEN: 50}


def test_of_two_shifts_at_once_one_wins(pair: Live, azure: dict[str, str]) -> None:
    """Both expect the same split; the second to write finds another one and stops."""
    outcomes: list[str] = []
    both_planned = threading.Barrier(2, timeout=10)

    def shift(percent: int) -> None:
        first = True

        def plan(state: EndpointState) -> Shift:
            nonlocal first
            if first:
                first = False
                both_planned.wait()
            return plan_shift(state, GREEN, percent, f"run {percent}", {"default": 100})

        try:
            opened(azure, pair).shift(plan, Deadline(20))
            outcomes.append(f"{percent}")
        except Refused:
            outcomes.append("refused")

    threads = [threading.Thread(target=shift, args=[percent]) for percent in (10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winner = pair.traffic[GREEN]
    assert sorted(outcomes) == sorted([f"{winner}", "refused"])


@pytest.mark.parametrize("share", [10, 100])
def test_a_rollback_puts_everything_on_blue(pair: Live, arm: Arm, share: int) -> None:
    """In mid-promotion and after it, as long as blue is there."""
    write(arm, pair, {"default": 100 - share, GREEN: share})

    printed = pair.do("rollback")

    assert json.loads(printed) == {"default": 100}
    assert pair.traffic == {"default": 100}


def test_a_rollback_ends_the_mirroring_to_blue(pair: Live, arm: Arm) -> None:
    """Azure knows live or mirrored, not both; the way back is worth more than the mirror."""
    write(arm, pair, {GREEN: 100}, mirrorTraffic={"default": 10})

    pair.do("rollback")

    shown = pair.show()
    assert (shown["traffic"], shown["mirror"]) == ({"default": 100}, {})


def test_a_repeated_rollback_writes_nothing(pair: Live) -> None:
    """Blue has everything already."""
    result = pair.run("rollback")

    assert result.exit_code == 0
    assert "already there" in result.stderr and "setting" not in result.stderr


def test_a_rollback_is_tried_again_while_azure_is_busy(pair: Live, arm: Arm) -> None:
    """An operation on a deployment makes Azure answer 409; the rollback goes on until it gets through."""
    write(arm, pair, {"default": 50, GREEN: 50})
    slow = arm("PUT", f"onlineEndpoints/{pair.name}/deployments/slow", slow_deployment(arm))

    result = pair.run("rollback")

    assert result.exit_code == 0, result.output
    assert "another operation is running" in result.stderr
    assert pair.traffic == {"default": 100}
    assert arm.settle(slow)["status"] == "Succeeded"
    arm.settle(arm("DELETE", f"onlineEndpoints/{pair.name}/deployments/slow"))


def test_a_rollback_gives_up_in_time(pair: Live, arm: Arm) -> None:
    """At the end of --timeout the error says that Azure was busy; the split is what it was."""
    write(arm, pair, {"default": 50, GREEN: 50})
    slow = arm("PUT", f"onlineEndpoints/{pair.name}/deployments/slow", slow_deployment(arm))

    result = pair.run("rollback", "--timeout", 0.2)

    assert result.exit_code == 3
    assert "Run it again" in result.stderr
    assert pair.traffic == {"default": 50, GREEN: 50}
    arm.settle(slow)
    arm.settle(arm("DELETE", f"onlineEndpoints/{pair.name}/deployments/slow"))


def slow_deployment(arm: Arm) -> dict[str, Any]:
    """A deployment that takes some seconds to be created."""
    from azureml_emulator.testing import deployment

    return deployment(f"{arm.workspace}/models/toy-traffic/versions/3")


def test_a_rollout_takes_back_its_own_split_alone(pair: Live) -> None:
    """The job of another run leaves it, and names who wrote it; the one of that very run takes it back."""
    pair.do("promote", "--percent", 50, "--rollout", "run 1")

    others = pair.run("rollback", "--own", "--rollout", "run 2")
    left = pair.traffic
    pair.do("rollback", "--own", "--rollout", "run 1")

    assert (others.exit_code, left) == (0, {"default": 50, GREEN: 50})
    assert "left alone: run 1 wrote the split" in others.stderr
    assert pair.traffic == {"default": 100}


def test_a_rollout_leaves_a_split_from_the_portal(pair: Live, arm: Arm) -> None:
    """Its tags are echoed under another split: that is somebody's decision; by hand the way back still stands."""
    pair.do("promote", "--percent", 50, "--rollout", "run 1")
    write(arm, pair, {"default": 20, GREEN: 80})

    own = pair.run("rollback", "--own", "--rollout", "run 1")
    left, shown = pair.traffic, pair.run("show_endpoint")
    pair.do("rollback")

    assert (own.exit_code, left) == (0, {"default": 20, GREEN: 80})
    assert "somebody outside the workflows since then" in own.stderr
    assert "no rollout wrote this split" in shown.stderr
    assert pair.traffic == {"default": 100}


@pytest.mark.parametrize("share", [50, 100])
def test_greens_tags_get_lost(pair: Live, arm: Arm, share: int) -> None:
    """`az ml online-deployment update -f` without tags: the endpoint's record tells the way back."""
    pair.do("promote", "--percent", share)
    path = f"onlineEndpoints/{pair.name}/deployments/{GREEN}"
    before = arm("GET", path).json()
    arm.settle(arm("PUT", path, {**before, "tags": {}}))

    printed = pair.run("rollback").stdout
    arm.settle(arm("PUT", path, before))

    assert json.loads(printed) == pair.traffic == {"default": 100}


def test_the_record_gets_lost(pair: Live, arm: Arm) -> None:
    """The endpoint was updated from its file, split included: green's claim tells the way back."""
    write(arm, pair, {"default": 50, GREEN: 50}, tags={})

    pair.do("rollback")

    assert pair.traffic == {"default": 100}


def test_everything_gets_lost(pair: Live, arm: Arm) -> None:
    """Nobody guesses: red, with the candidates and the command, which works."""
    path = f"onlineEndpoints/{pair.name}/deployments/{GREEN}"
    before = arm("GET", path).json()
    write(arm, pair, {"default": 50, GREEN: 50}, tags={})
    arm.settle(arm("PUT", path, {**before, "tags": {}}))

    lost, left = pair.run("rollback"), pair.traffic
    pair.do("rollback", "--to", "default")
    arm.settle(arm("PUT", path, before))

    assert (lost.exit_code, left) == (1, {"default": 50, GREEN: 50})
    assert "can't tell blue from green" in lost.stderr and "rollback --to NAME" in lost.stderr
    assert pair.traffic == {"default": 100}


def test_a_rollback_is_recorded_and_marks_green(pair: Live) -> None:
    """In the same write as the split: who went back, whom to; the next person who looks reads what was learnt."""
    pair.do("promote", "--percent", 50, "--rollout", "run 1")

    pair.do("rollback", "--rollout", "run 1")

    shown = pair.show()
    found = shown["record"]
    assert (found["rollout"], found["direction"], found["split"]) == ("run 1", "back", {"default": 100})
    assert found["blue"].startswith("default ") and found["green"].startswith(f"{GREEN} ")
    assert pair.deployments[GREEN]["learnt"].startswith("rolled back from 50 % on ")


def test_a_rollback_by_its_own_target_is_done(pair: Live, tmp_path: Path) -> None:
    """The workflow's second look is told the first one's target, and changes nothing."""
    pair.do("promote", "--percent", 50)
    pair.do("rollback", GITHUB_OUTPUT=str(tmp_path / "output"))
    target = outputs(tmp_path / "output")["target"]

    again = pair.run("rollback", "--to", target)

    assert (target, again.exit_code) == ("default", 0)
    assert "already there" in again.stderr and "setting" not in again.stderr


def test_a_rollback_without_an_endpoint_is_red(pair: Live) -> None:
    """Nobody wanted to hear that all is well: there is nothing that a rollback could lead to."""
    result = run("rollback", ENDPOINT_NAME="toy-nowhere")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no endpoint toy-nowhere" in result.stderr


def test_a_deployment_that_vanishes_while_the_endpoint_is_read(pair: Live, arm: Arm, faults: Faults) -> None:
    """The endpoint was read before somebody's change, its deployments after it: both are read again."""
    path = f"onlineEndpoints/{pair.name}"
    extra = {**slow_deployment(arm), "tags": {}}
    arm.settle(arm("PUT", f"{path}/deployments/extra", extra))
    write(arm, pair, {"default": 50, "extra": 50})
    faults.add("stale", path=f"*/{path}", reads=2)
    write(arm, pair, {"default": 100})
    arm.settle(arm("DELETE", f"{path}/deployments/extra"))

    assert pair.traffic == {"default": 100}


def test_an_operation_that_does_not_end_in_time(pair: Live, azure: dict[str, str]) -> None:
    """A wait ends with an error, not never."""
    with pytest.raises(TimedOut, match="setting the traffic"):
        opened(azure, pair).shift(lambda state: plan_shift(state, GREEN, 10, "by hand"), Deadline(0))


@pytest.mark.parametrize("share", [0, 10])
def test_a_blue_that_is_needed_is_not_deleted(pair: Live, arm: Arm, share: int) -> None:
    """Before green has everything, blue stays."""
    write(arm, pair, {"default": 100 - share, GREEN: share})

    result = pair.run("delete_blue", "default")

    assert result.exit_code == 1
    assert "default still gets traffic" in result.stderr
    assert "default" in pair.deployments


def test_a_green_that_waits_may_be_deleted(pair: Live) -> None:
    """It serves nobody, and makes room; what has everything was to be replaced by it."""
    pair.do("delete_blue", GREEN)
    left = list(pair.deployments)
    pair.do("deploy", "--version", 2)

    assert left == ["default"]


def test_blue_is_deleted_once_green_has_everything(azure: dict[str, str], arm: Arm, pair: Live) -> None:
    """Then it is gone, the second run is no error; going back is red, and says what to roll out again."""
    live = Live("toy-traffic-end")
    live.do("create_endpoint")
    live.serve(1)
    live.do("promote", "--to", live.do("deploy", "--version", 2), "--percent", 100)

    printed = [live.do("delete_blue", "default") for _ in range(2)]
    back = live.run("rollback")

    assert [json.loads(split) for split in printed] == [{GREEN: 100}, {GREEN: 100}]
    assert list(live.deployments) == [GREEN]
    assert (back.exit_code, live.traffic) == (1, {GREEN: 100})
    assert "default (model version 1), which served before, is gone" in back.stderr
    assert "deploy --version 1" in back.stderr


def test_a_summary_tells_the_split(pair: Live, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The workflow's page says what became of the traffic."""
    summary = tmp_path_factory.mktemp("summary") / "summary"

    pair.do("promote", "--to", GREEN, "--percent", 10, GITHUB_STEP_SUMMARY=str(summary))
    pair.do("rollback", GITHUB_STEP_SUMMARY=str(summary))

    assert f"default 90 %, {GREEN} 10 %" in summary.read_text()
    assert "Rollback: " in summary.read_text()
