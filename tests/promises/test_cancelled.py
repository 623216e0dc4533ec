"""A step that GitHub cancels, with the signals as its runner sends them: SIGINT to the step's bash, later SIGTERM."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_emulator.faults.client import Faults
from tests.support import ROOT
from tests.support.scripts import Live, pair_endpoint
from tests.workflows.files import Files

UNTIL_SIGTERM, UNTIL_SIGKILL = 7.5, 2.5  # seconds (actions/runner, ProcessInvoker.cs)
BASH = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"]


@pytest.fixture(scope="module")
def pair(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with pair_endpoint(tmp_path_factory.mktemp("cancelled"), "toy-cancelled", {"answer": 0}, {"answer": 1}) as live:
        yield live


def step(name: str, live: Live, folder: Path, deaf: bool, **variables: str) -> subprocess.Popen[str]:
    """The step of the promotion with this name, begun as the runner begins it; `deaf`: where SIGINT is ignored."""
    [command] = [found["run"] for found in Files(ROOT).steps.values() if found.get("name") == name]
    (folder / "step.sh").write_text(command)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "ENDPOINT_NAME": live.name, **variables}
    return subprocess.Popen(
        [*BASH, str(folder / "step.sh")], env=env, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if deaf else None,
    )  # fmt: skip


def cancel(process: subprocess.Popen[str]) -> None:
    """What the runner does, but for waiting longer than it has to: the last signal is for all that bash began."""
    for number, seconds in ((signal.SIGINT, UNTIL_SIGTERM), (signal.SIGTERM, UNTIL_SIGKILL)):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(("deaf", "percent"), [(False, 10), (True, 50)], ids=["SIGINT", "SIGTERM"])
def test_a_promotion_hears_the_cancel(pair: Live, faults: Faults, tmp_path: Path, deaf: bool, percent: int) -> None:
    """While it waits for Azure it ends at once, red, and says what Azure does meanwhile and how to go on."""
    proposal = pair.do("review", "--next", f"promote-{percent}", "--percent", percent)
    given = {"PERCENT": str(percent), "PROPOSAL": proposal, "NEXT": ""}
    hang = faults.add("hang", method="PUT", path=f"*/{pair.name}")

    with step("Promote, judge by live traffic, and tell the next reviewer", pair, tmp_path, deaf, **given) as process:
        while not faults.get(hang["id"], wait=1)["hit"]:
            assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(1)  # it polls by now
        cancel(process)
        said = process.stderr.read() if process.stderr else ""

    assert process.returncode == 1, said
    assert "interrupted. Azure goes on with what it had begun: show_endpoint tells" in said
    assert "Traceback" not in said
