"""The scripts while Azure misbehaves: it is mended, or the end is clear, and the split as it was or as asked for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from scripts import rollback
from tests.support.forked_scripts import ForkServer, fork_server
from tests.support.scripts import GREEN, Live, pair_endpoint, write

BEFORE, ASKED = {"default": 100}, {"default": 90, GREEN: 10}
SHIFT = ("promote", "--to", GREEN, "--percent", 10)
ENDPOINT, DEPLOYMENT = "*/onlineEndpoints/toy-faults", "*/deployments/*"


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def processes(azure: dict[str, str]) -> Iterator[ForkServer]:
    with fork_server() as found:
        yield found


@pytest.fixture(scope="module")
def rollout(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An endpoint with blue, `default`, and green, `xgboost-model-2`; version 3 is not deployed."""
    toys = [{"answer": number} for number in range(3)]
    with pair_endpoint(tmp_path_factory.mktemp("faults"), "toy-faults", *toys) as live:
        yield live


@pytest.fixture
def pair(rollout: Live, arm: Arm, faults: Faults) -> Live:
    """The endpoint with blue and green, all traffic on blue."""
    write(arm, rollout, BEFORE)
    if GREEN not in rollout.deployments:
        rollout.do("deploy", "--version", 2)
    return rollout


@pytest.mark.parametrize("method", ["PUT", "GET"])
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("refuse", {"status": 429, "retry_after": 1}),
        ("refuse", {"status": 429}),
        ("refuse", {"status": 500}),
        ("refuse", {"status": 503, "times": 2}),
        ("refuse", {"status": 409, "code": "Conflict", "times": 2}),
        ("refuse", {"status": 503, "when": "after"}),
        ("delay", {"seconds": 1}),
        ("drop", {}),
        ("drop", {"when": "after"}),
    ],
)
def test_what_passes_is_survived(pair: Live, faults: Faults, kind: str, method: str, fault: dict[str, Any]) -> None:
    """What Azure does once or twice is tried again, by the SDK or the script, and the split is as asked for."""
    added = faults.add(kind, method=method, path=ENDPOINT, **fault)

    pair.do(*SHIFT)

    assert faults.get(added["id"])["spent"]
    assert pair.traffic == ASKED


def test_a_split_that_reads_back_late_is_waited_for(pair: Live, faults: Faults) -> None:
    """Reads that lag behind the write are no failure, and no reason to write once more."""
    faults.add("stale", path=ENDPOINT, reads=4)

    result = pair.run(*SHIFT)

    assert result.exit_code == 0, result.output
    assert "waiting for the split to read back" in result.stderr
    assert result.stderr.count("setting the traffic") == 1
    assert pair.traffic == ASKED


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (429, "Azure is busy: Somebody: no"),
        (500, "Azure is out of order: Somebody: no"),
        (503, "Azure is out of order: Somebody: no"),
        (403, "Azure refused: Somebody: no"),
        (400, "Azure refused: Somebody: no"),
        (401, "Azure does not accept the login: Somebody: no"),
    ],
)
def test_what_stays_is_said(pair: Live, faults: Faults, status: int, says: str) -> None:
    """A write that Azure goes on refusing ends with what happened, by its exit code too, and the split as it was."""
    faults.add("refuse", method="PUT", path=ENDPOINT, status=status, code="Somebody", message="no", times=0)

    result = pair.run(*SHIFT, "--timeout", 3)

    faults.clear()
    assert result.exit_code == (4 if status == 429 or status >= 500 else 1)
    assert f"setting the traffic to default 90 %, {GREEN} 10 %: {says}" in result.stderr
    assert ("is left with default 100 %" in result.stderr) == (status != 401)
    assert "Traceback" not in result.output
    assert pair.traffic == BEFORE


def test_a_busy_endpoint_is_given_up_in_time(pair: Live, faults: Faults) -> None:
    """409 for ever ends with the timeout, says that another operation is running, and changes nothing."""
    faults.add("refuse", method="PUT", path=ENDPOINT, like="OperationInProgress", times=0)

    result = pair.run(*SHIFT, "--timeout", 2)

    faults.clear()
    assert result.exit_code == 3
    assert "another operation is running" in result.stderr
    assert pair.traffic == BEFORE


def test_a_failed_operation_is_said(pair: Live, faults: Faults) -> None:
    """A write that fails in the end ends with exit code 1, Azure's words, and how the endpoint is left."""
    faults.add("fail", method="PUT", path=ENDPOINT, code="Boom", message="no capacity")

    result = pair.run(*SHIFT)

    assert result.exit_code == 1
    assert "no capacity" in result.stderr and "is left with default 100 %" in result.stderr
    assert pair.traffic == BEFORE


def test_what_cannot_be_read_is_not_guessed(pair: Live, faults: Faults) -> None:
    """A write failed, and nobody knows how the endpoint is left: that is said, beside Azure's words."""
    faults.add("fail", method="PUT", path=ENDPOINT, code="Boom", message="no capacity")
    faults.add("refuse", method="GET", path=ENDPOINT, status=403, skip=4, times=0)

    result = pair.run(*SHIFT)

    faults.clear()
    assert result.exit_code == 1
    assert "no capacity" in result.stderr and "is left can't be read; show_endpoint tells later" in result.stderr
    assert pair.traffic == BEFORE


def test_an_operation_that_never_ends(pair: Live, faults: Faults) -> None:
    """The wait ends with the timeout; once Azure goes on, the same command finishes it."""
    faults.add("hang", method="PUT", path=ENDPOINT)

    result = pair.run(*SHIFT, "--timeout", 2)
    faults.clear()
    pair.do(*SHIFT)

    assert result.exit_code == 3
    assert "show_endpoint" in result.stderr
    assert pair.traffic == ASKED


@pytest.mark.parametrize("theirs", [{"default": 30, GREEN: 70}, {GREEN: 100}])
def test_a_lost_update_is_noticed(pair: Live, faults: Faults, theirs: dict[str, int]) -> None:
    """Somebody else's write right after ours is seen on reading back, and left alone."""
    faults.add("overwrite", path=ENDPOINT, traffic=theirs)

    result = pair.run(*SHIFT)

    assert result.exit_code == 1
    assert "somebody else wrote" in result.stderr
    assert pair.traffic == theirs


def test_a_write_between_reading_and_writing_is_noticed(pair: Live, faults: Faults) -> None:
    """Somebody else's write after ours was planned is not overwritten."""
    faults.add("overwrite", method="GET", path=ENDPOINT, traffic={"default": 30, GREEN: 70})

    result = pair.run(*SHIFT)

    assert result.exit_code == 1
    assert pair.traffic == {"default": 30, GREEN: 70}


def test_a_rollback_gets_through(pair: Live, arm: Arm, faults: Faults) -> None:
    """A rollback goes on through refusals, dropped connections and stale reads until blue has everything."""
    write(arm, pair, ASKED)
    for kind, fault in (
        ("refuse", {"status": 503}),
        ("refuse", {"status": 409, "times": 3}),
        ("drop", {"when": "after"}),
        ("stale", {"reads": 3}),
    ):
        faults.add(kind, method="PUT", path=ENDPOINT, **fault)

    pair.do("rollback")

    assert all(fault["spent"] for fault in faults.all())
    assert pair.traffic == BEFORE


@pytest.mark.parametrize("theirs", [{GREEN: 100}, {"default": 30, GREEN: 70}])
@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_a_rollback_overrules_others(pair: Live, arm: Arm, faults: Faults, method: str, theirs: dict[str, int]) -> None:
    """A promotion that is still running writes before or after it: the rollback goes back once more."""
    write(arm, pair, ASKED)
    faults.add("overwrite", method=method, path=ENDPOINT, traffic=theirs)

    result = pair.run("rollback")

    assert result.exit_code == 0, result.output
    assert "once more: " in result.stderr
    assert pair.traffic == BEFORE


def test_a_rollback_that_is_overruled_for_ever_ends(pair: Live, arm: Arm, faults: Faults) -> None:
    """At the end of --timeout it says who is at work, instead of that it went back."""
    write(arm, pair, ASKED)
    faults.add("overwrite", path=ENDPOINT, traffic={GREEN: 100}, times=0)

    result = pair.run("rollback", "--timeout", 4)

    assert result.exit_code == 3
    assert f"{GREEN} 100 %" in result.stderr
    assert pair.traffic == {GREEN: 100}


def test_a_rollback_overrules_the_old_split_written_again(
    pair: Live, arm: Arm, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks like a split that reads back late, so after a while it counts as somebody's write."""
    monkeypatch.setattr(rollback, "PATIENCE", 0.5)
    write(arm, pair, ASKED)
    faults.add("overwrite", path=ENDPOINT, traffic=ASKED)

    result = pair.run("rollback", "--timeout", 30)

    assert result.exit_code == 0, result.output
    assert "once more: the split was written, but still reads back as default 90 %" in result.stderr
    assert pair.traffic == BEFORE


def test_a_promotion_leaves_the_old_split_written_again(pair: Live, faults: Faults) -> None:
    """Somebody took the promotion back at once, with its tags: no late read has those, so it says so and ends."""
    faults.add("overwrite", path=ENDPOINT, traffic=BEFORE)

    result = pair.run(*SHIFT)

    assert result.exit_code == 1
    assert "somebody else wrote another split right after this one: default 100 %" in result.stderr
    assert pair.traffic == BEFORE


def test_a_container_that_breaks(pair: Live, faults: Faults) -> None:
    """A green whose container fails is shown with its log and removed; blue never noticed."""
    faults.add("break", method="PUT", path=DEPLOYMENT, log="ModuleNotFoundError: no xgboost")

    result = pair.run("deploy", "--version", 3)

    assert result.exit_code == 1
    assert "ModuleNotFoundError: no xgboost" in result.stderr
    assert "xgboost-model-3" not in pair.deployments
    assert pair.traffic == BEFORE


def test_a_download_that_hangs(pair: Live, faults: Faults) -> None:
    """The model is compared before anything changes, and that doesn't take for ever either."""
    faults.add("hold", method="GET", path="*/MLmodel")

    result = pair.run("deploy", "--version", 3, "--timeout", 2)

    faults.clear()
    assert result.exit_code == 3
    assert "downloading toy-faults 3: not ended after" in result.stderr
    assert "xgboost-model-3" not in pair.deployments


@pytest.mark.parametrize(
    ("script", "method", "what"),
    [(("create_endpoint",), "PUT", "creating"), (("delete_endpoint", "--yes"), "DELETE", "deleting")],
)
def test_an_endpoint_that_hangs(
    pair: Live, arm: Arm, faults: Faults, script: tuple[str, ...], method: str, what: str
) -> None:
    """Creation and deletion are given up in time; the same command finishes them."""
    live = Live("toy-faults-hanging")
    if method == "DELETE":
        live.do("create_endpoint")
    faults.add("hang", method=method, path=f"*/{live.name}")

    result = live.run(*script, "--timeout", 1)
    faults.clear()
    live.do(*script)

    assert result.exit_code == 3
    assert f"{what} endpoint {live.name}: not ended after" in result.stderr
    arm("DELETE", f"onlineEndpoints/{live.name}")


def test_a_provisioning_that_hangs(pair: Live, faults: Faults) -> None:
    """A deployment that hangs is given up in time, blue untouched; Azure's 409 keeps it until the next deploy."""
    faults.add("hang", method="PUT", path=DEPLOYMENT)

    result = pair.run("deploy", "--version", 3, "--timeout", 3)
    left = pair.deployments
    faults.clear()
    pair.do("deploy", "--version", 3)

    assert result.exit_code == 3
    assert "xgboost-model-3" in left and "still there" in result.stderr
    assert pair.deployments["xgboost-model-3"]["state"] == "Succeeded"
    assert pair.traffic == BEFORE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt(
    pair: Live, arm: Arm, faults: Faults, processes: ForkServer, tmp_path: Path, number: signal.Signals, when: str
) -> None:
    """Interrupted at its write, a script says what to do; show_endpoint explains the state, rollback mends it."""
    write(arm, pair, ASKED)
    hold = faults.add("hold", method="PUT", path=ENDPOINT, when=when)["id"]
    output = tmp_path / "output"
    shift = ("promote", "--to", GREEN, "--percent", 50)

    process = processes.launch(*shift, output=output, ENDPOINT_NAME=pair.name)
    assert faults.get(hold, wait=20)["held"]
    os.kill(process, number)
    code = processes.wait()
    faults.clear()
    shown = pair.run("show_endpoint")
    pair.do("rollback")

    assert code == 1
    assert "interrupted" in output.read_text() and "rollback" in output.read_text()
    assert "Traceback" not in output.read_text()
    assert "a rollout is in progress" in shown.stderr
    assert pair.traffic == BEFORE
