"""promote --to, rollback and delete_blue against the local Azure ML."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from azureml_emulator.faults.command import Faults
from azureml_emulator.testing import Arm
from azureml_emulator.testing import endpoint as endpoint_body
from scripts.lib.azure.waiting import Deadline, TimedOut
from scripts.lib.decisions.state import EndpointState, Refused, Shift
from scripts.lib.decisions.traffic import plan_shift
from tests.support.scripts import GREEN, Live, opened, pair_endpoint, run, write


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def rollout(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An endpoint with blue, `default`, and green, `xgboost-model-2`; version 3 takes seconds to start."""
    toys = [{"answer": number, "seconds": seconds} for number, seconds in enumerate([0, 0, 2])]
    with pair_endpoint(tmp_path_factory.mktemp("traffic"), "toy-traffic", *toys) as live:
        yield live


@pytest.fixture
def pair(rollout: Live, arm: Arm) -> Live:
    """The endpoint with all traffic on blue."""
    write(arm, rollout, {"default": 100})
    return rollout


def test_a_share_is_shifted(pair: Live) -> None:
    """Green gets its share, blue keeps the rest; the split is printed as JSON."""
    printed = pair.do("promote", "--to", GREEN, "--percent", 10, "--expect", "default=100")

    assert json.loads(printed) == {"default": 90, GREEN: 10}
    assert pair.traffic == {"default": 90, GREEN: 10}


def test_a_shift_leaves_everything_else_as_it_was(pair: Live, arm: Arm) -> None:
    """Writing the split keeps the endpoint's tags and description, and adds no property."""
    before = arm("GET", f"onlineEndpoints/{pair.name}").json()

    pair.do("promote", "--to", GREEN, "--percent", 10)

    after = arm("GET", f"onlineEndpoints/{pair.name}").json()
    assert after["properties"].pop("traffic") != before["properties"].pop("traffic")
    assert (after["properties"], after.get("tags")) == (before["properties"], before.get("tags"))


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
        return plan_shift(state, GREEN, 10)

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
            return plan_shift(state, GREEN, percent, {"default": 100})

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

    assert result.exit_code == 1
    assert "Run it again" in result.stderr
    assert pair.traffic == {"default": 50, GREEN: 50}
    arm.settle(slow)
    arm.settle(arm("DELETE", f"onlineEndpoints/{pair.name}/deployments/slow"))


def slow_deployment(arm: Arm) -> dict[str, Any]:
    """A deployment that takes some seconds to be created."""
    from azureml_emulator.testing import deployment

    return deployment(f"{arm.workspace}/models/toy-traffic/versions/3")


def test_a_rollback_of_a_version_takes_back_that_version_alone(pair: Live, arm: Arm) -> None:
    """The job of a run that made version 3 leaves the rollout of version 2; the one of version 2 takes it back."""
    write(arm, pair, {"default": 50, GREEN: 50})

    others = pair.run("rollback", "--only-version", 3)
    left = pair.traffic
    pair.do("rollback", "--only-version", 2)

    assert (others.exit_code, left) == (0, {"default": 50, GREEN: 50})
    assert "nothing to go back to" in others.stderr
    assert pair.traffic == {"default": 100}


def test_a_rollback_without_an_endpoint_is_no_error(pair: Live) -> None:
    """A run that failed before it made anything has nothing to go back to."""
    result = run("rollback", ENDPOINT_NAME="toy-nowhere")

    assert (result.exit_code, json.loads(result.stdout)) == (0, {})
    assert "nothing to go back to" in result.stderr


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
        opened(azure, pair).shift(lambda state: plan_shift(state, GREEN, 10), Deadline(0))


@pytest.mark.parametrize("share", [0, 10])
def test_a_blue_that_is_needed_is_not_deleted(pair: Live, arm: Arm, share: int) -> None:
    """Before green has everything, blue stays."""
    write(arm, pair, {"default": 100 - share, GREEN: share})

    result = pair.run("delete_blue", "default")

    assert result.exit_code == 1
    assert "default still gets traffic" in result.stderr
    assert "default" in pair.deployments


def test_green_is_not_deleted_as_blue(pair: Live) -> None:
    """Green has no traffic, but what has it all replaces nobody."""
    result = pair.run("delete_blue", GREEN)

    assert result.exit_code == 1
    assert GREEN in pair.deployments


def test_blue_is_deleted_once_green_has_everything(azure: dict[str, str], arm: Arm, pair: Live) -> None:
    """Then it is gone, the second run is no error, and there is nothing left to go back to."""
    live = Live("toy-traffic-end")
    live.do("create_endpoint")
    live.do("deploy", "--version", 1)
    live.do("promote", "--to", live.do("deploy", "--version", 2), "--percent", 100)

    printed = [live.do("delete_blue", "default") for _ in range(2)]
    back = live.run("rollback")

    assert [json.loads(split) for split in printed] == [{GREEN: 100}, {GREEN: 100}]
    assert list(live.deployments) == [GREEN]
    assert (back.exit_code, live.traffic) == (0, {GREEN: 100})
    assert "nothing to go back to" in back.stderr


def test_a_summary_tells_the_split(pair: Live, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The workflow's page says what became of the traffic."""
    summary = tmp_path_factory.mktemp("summary") / "summary"

    pair.do("promote", "--to", GREEN, "--percent", 10, GITHUB_STEP_SUMMARY=str(summary))
    pair.do("rollback", GITHUB_STEP_SUMMARY=str(summary))

    assert f"default 90 %, {GREEN} 10 %" in summary.read_text()
    assert "Rollback: " in summary.read_text()
