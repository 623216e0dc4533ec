"""What becomes of jobs: they fail, hang, are preempted, find no node, take too long, or end with the emulator."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.process import running, start, stop, variables
from azureml_emulator.testing import Arm
from tests.support.jobs import body, cluster, details, ended, failure, log, status, submit
from tests.support.served import eventually


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def nodes(arm: Arm) -> str:
    return cluster(arm, "mishaps", nodes=8)


def test_a_command_that_fails(arm: Arm, nodes: str) -> None:
    """The job has failed, in Azure's words, with its last lines; what it had written to a mount is there."""
    outputs = {"model": {"jobOutputType": "uri_folder"}}
    command = "echo first; echo half > ${{outputs.model}}/half; echo 'no such column' >&2; exit 3"
    submit(arm, nodes, "failing", command, outputs=outputs)

    assert ended(arm, "failing") == "Failed"
    assert failure(arm, "failing").startswith("Execution failed. User process 'echo' exited with status code 3.")
    assert failure(arm, "failing").endswith("first\nno such column")
    assert log(arm, "failing").endswith("first\nno such column\n")
    container = f"{arm.base}/localstorage.blob.core.local/azureml-blobstore-local"
    secret = arm("POST", "datastores/workspaceblobstore/listSecrets", {}).json()["sasToken"]
    assert arm.session.get(f"{container}/azureml/failing/model/half{secret}").text == "half\n"


def test_uploads_of_a_failure(arm: Arm, nodes: str) -> None:
    """An output that is uploaded at the end isn't, where the job failed."""
    outputs = {"model": {"jobOutputType": "uri_folder", "mode": "Upload"}}
    submit(arm, nodes, "unloaded", "echo > ${{outputs.model}}/half; exit 3", outputs=outputs)

    assert ended(arm, "unloaded") == "Failed"
    secret = arm("POST", "datastores/workspaceblobstore/listSecrets", {}).json()["sasToken"]
    address = f"{arm.base}/localstorage.blob.core.local/azureml-blobstore-local/azureml/unloaded/model/half{secret}"
    assert arm.session.get(address).status_code == 404


def test_a_crash(arm: Arm, nodes: str, faults: Faults) -> None:
    """A fault lets a command end with an exit code and a last word."""
    faults.add("crash", job="crashing", status=9, log="Killed: out of memory")
    submit(arm, nodes, "crashing", "sleep 600")

    assert ended(arm, "crashing") == "Failed"
    assert "status code 9" in failure(arm, "crashing")
    assert failure(arm, "crashing").endswith("Killed: out of memory")


def test_preemption(arm: Arm, nodes: str, faults: Faults) -> None:
    """A node that is taken away is told apart from a command that fails."""
    faults.add("preempt", job="preempted")
    submit(arm, nodes, "preempted", "sleep 600")

    assert ended(arm, "preempted") == "Failed"
    assert "PreemptionError: Nodes of this job got pre-empted" in failure(arm, "preempted")


@pytest.mark.parametrize("seconds", [0, 1])
def test_no_node(arm: Arm, nodes: str, faults: Faults, seconds: float) -> None:
    """A job stays in the queue until there is a node: for a while, or until the fault is cleared."""
    fault = faults.add("starve", job=f"waiting-{seconds}", seconds=seconds)
    submit(arm, nodes, f"waiting-{seconds}", "true")

    eventually(lambda: status(arm, f"waiting-{seconds}") == "Queued")
    if not seconds:
        time.sleep(0.5)
        assert status(arm, "waiting-0") == "Queued"
        faults.clear(fault["id"])
    assert ended(arm, f"waiting-{seconds}") == "Completed"


@pytest.mark.parametrize("reads", ["Running", "NotResponding"])
def test_a_job_that_hangs(arm: Arm, nodes: str, faults: Faults, reads: str) -> None:
    """It reads as the fault says, prints nothing, and can be cancelled."""
    faults.add("stall", job=f"hanging-{reads}", status=reads)
    submit(arm, nodes, f"hanging-{reads}", "echo done")
    eventually(lambda: status(arm, f"hanging-{reads}") == reads)

    assert "done" not in log(arm, f"hanging-{reads}")
    assert arm("POST", f"jobs/hanging-{reads}/cancel").status_code == 200
    assert ended(arm, f"hanging-{reads}") == "Canceled"


def test_the_limit(arm: Arm, nodes: str) -> None:
    """What takes longer than its limits allow is cancelled."""
    submit(arm, nodes, "long", "sleep 600", limits={"jobLimitsType": "Command", "timeout": "PT1S"})

    assert ended(arm, "long") == "Canceled"


def test_cancelled_in_the_queue(arm: Arm, faults: Faults) -> None:
    """A job that waits for a cluster without nodes is cancelled; after that it can't be, and nothing happens."""
    submit(arm, cluster(arm, "nodeless", nodes=0), "queued", "true")
    eventually(lambda: status(arm, "queued") == "Queued")

    answers = [arm("POST", "jobs/queued/cancel").status_code]
    assert ended(arm, "queued") == "Canceled"
    answers.append(arm("POST", "jobs/queued/cancel").status_code)

    assert (answers, status(arm, "queued")) == ([200, 200], "Canceled")


def test_a_stubborn_command(arm: Arm, nodes: str) -> None:
    """One that ignores the signal is killed, with all that it started."""
    submit(arm, nodes, "stubborn", "trap '' TERM; echo $$; sleep 600 & sleep 600; sleep 600")
    eventually(lambda: log(arm, "stubborn").strip().rpartition("\n")[2].isdigit())
    pid = int(log(arm, "stubborn").strip().rpartition("\n")[2])
    children = psutil.Process(pid).children(recursive=True)

    arm("POST", "jobs/stubborn/cancel")

    assert ended(arm, "stubborn") == "Canceled"
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_one_after_the_other(arm: Arm) -> None:
    """A cluster of one node runs one job, and then the other."""
    one = cluster(arm, "single", nodes=1)
    submit(arm, one, "first", "sleep 1")
    submit(arm, one, "second", "true")

    eventually(lambda: status(arm, "first") == "Running")
    eventually(lambda: status(arm, "second") == "Queued")
    assert (ended(arm, "first"), ended(arm, "second")) == ("Completed", "Completed")
    assert details(arm, "second")["startTimeUtc"] > details(arm, "first")["startTimeUtc"]


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Path]:
    """The state folder of an emulator of its own."""
    yield tmp_path / "state"


def test_a_restart(apart: Path) -> None:
    """What ran when the emulator stopped has failed, and says why; what had ended is as it was, with its log."""
    with running(apart) as found:
        arm = Arm(found)
        nodes = cluster(arm, "kept")
        submit(arm, nodes, "done", "echo done")
        ended(arm, "done")
        submit(arm, nodes, "cut", "echo begun; sleep 600")
        eventually(lambda: "begun" in log(arm, "cut"))

    with running(apart) as found:
        arm = Arm(found)
        assert (status(arm, "done"), log(arm, "done").endswith("done\n")) == ("Completed", True)
        assert log(arm, "cut").endswith("begun\n")
        assert (status(arm, "cut"), details(arm, "cut")["error"]["error"]["code"]) == ("Failed", "Interrupted")
        assert arm("PUT", "jobs/cut", body(nodes, "echo begun; sleep 600")).status_code == 200
        assert status(arm, "cut") == "Failed"
        submit(arm, nodes, "next", "true")
        assert ended(arm, "next") == "Completed"


def test_a_killed_emulator(apart: Path) -> None:
    """With the emulator its jobs' processes end, even where it is killed."""
    process = start(apart)
    arm = Arm(variables(apart))
    submit(arm, cluster(arm, "killed"), "orphan", "echo $$; sleep 600")
    eventually(lambda: log(arm, "orphan").strip().rpartition("\n")[2].isdigit())
    pid = int(log(arm, "orphan").strip().rpartition("\n")[2])

    os.kill(process.pid, signal.SIGKILL)

    eventually(lambda: not psutil.pid_exists(pid))
    stop(process)
    with running(apart) as found:
        assert log(Arm(found), "orphan").strip().endswith(str(pid))
        assert failure(Arm(found), "orphan") == "The local Azure ML was stopped while this job ran."
