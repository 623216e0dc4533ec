"""What `azureml-emulator` does for people besides serving: `stop`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest
from click.testing import CliRunner, Result

from azureml_emulator.__main__ import main
from azureml_emulator.process import running, start, variables
from azureml_emulator.process import stop as kill
from azureml_emulator.testing import Arm


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Popen[str]]:
    """One that serves on tmp_path."""
    process = start(tmp_path, with_parent=False)
    yield process
    kill(process)


def stop(state: Path) -> Result:
    return CliRunner().invoke(main, ["stop", "--state", str(state)])


def test_stop(tmp_path: Path, emulator: Popen[str]) -> None:
    """The emulator has ended well when the command returns, and its folder is free for the next one."""
    Arm(variables(tmp_path)).endpoint("kept")

    stopped = stop(tmp_path)

    with running(tmp_path) as found:
        assert Arm(found)("GET", "onlineEndpoints/kept").status_code == 200
    assert stopped.stdout == f"The emulator on {tmp_path} has ended.\n"
    assert (stopped.exit_code, emulator.wait(5)) == (0, 0)


def test_stop_after_a_second_start(tmp_path: Path, emulator: Popen[str]) -> None:
    """An emulator that was refused the folder is not the one that is stopped."""
    with pytest.raises(RuntimeError, match="in use by another emulator"):
        start(tmp_path)

    assert stop(tmp_path).exit_code == 0
    assert emulator.wait(5) == 0


@pytest.mark.parametrize("command", [["stop"], ["fault", "list"]])
def test_state_may_come_first(tmp_path: Path, command: list[str]) -> None:
    """The folder is the one that is named, before the command or after it."""
    asked = CliRunner().invoke(main, ["--state", str(tmp_path), *command])

    assert f"no emulator runs on {tmp_path}" in asked.stderr


def test_nothing_to_stop(tmp_path: Path, emulator: Popen[str]) -> None:
    """Where none runs (any more) that is said, and no folder is made."""
    stop(tmp_path)

    for state in (tmp_path, tmp_path / "nowhere"):
        stopped = stop(state)

        assert stopped.exit_code == 1
        assert f"no emulator runs on {state}" in stopped.stderr
    assert not (tmp_path / "nowhere").exists()
