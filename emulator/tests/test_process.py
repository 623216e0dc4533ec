"""The emulator as a process: how it starts and ends, what it leaves in its folder, what it hides from a command."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from azureml_emulator import process
from azureml_emulator.emulator import stop_signal
from azureml_emulator.private import open_private
from azureml_emulator.process import running, variables, without_azure
from azureml_emulator.testing import Arm, deployment
from tests.support.local import ENDPOINT, MODEL, local
from tests.support.models import in_loop
from tests.support.served import eventually


def test_run_a_command() -> None:
    """`emulator run -- COMMAND` leads the command here, hides the real Azure, and ends with the command's exit code."""
    script = "import os, sys; print(os.environ['AZURE_ML_WORKSPACE'], os.environ.get('AZURE_CLIENT_ID')); sys.exit(3)"
    environ = {**without_azure(os.environ), "AZURE_CLIENT_ID": "real"}
    command = [sys.executable, "-m", "azureml_emulator", "run", "--", sys.executable, "-c", script]

    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.returncode) == ("local None", 3)


def test_a_fault_for_the_emulator_of_run(tmp_path: Path) -> None:
    """Within a command of `run`, `fault` finds the emulator that runs it; a folder that is named goes before."""
    fault = f"{sys.executable} -m azureml_emulator fault"
    script = f"{fault} add refuse --times 1 && {fault} list && ! {fault} --state {tmp_path} list"
    command = [sys.executable, "-m", "azureml_emulator", "run", "--", "bash", "-ec", script]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"kind": "refuse"') == 2
    assert f"no emulator runs on {tmp_path}" in done.stderr


def test_start_fails_clearly(tmp_path: Path) -> None:
    """A port that is taken is said, not traced."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "azureml_emulator", "--state", str(tmp_path), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with an endpoint. What starts the containers of an emulator on it never gets done importing."""
    (tmp_path / "xgboost.py").write_text("import time; time.sleep(600)")
    asyncio.run(prepare(tmp_path / "state", "Failed"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "state"


async def prepare(state: Path, deployment: str) -> None:
    async with local(state) as here:
        here.place("default", deployment)


@contextmanager
def ended(emulator: subprocess.Popen[str]) -> Iterator[None]:
    """Ends what it has started, too."""
    try:
        yield
    finally:
        os.killpg(emulator.pid, signal.SIGKILL)
        emulator.wait()


def test_a_signal_before_it_is_ready(state: Path) -> None:
    """An emulator that is told to stop while it brings back deployments stops at once."""
    asyncio.run(prepare(state, "Succeeded"))
    command = [sys.executable, "-m", "azureml_emulator", "--state", str(state)]
    emulator = subprocess.Popen(command, start_new_session=True, text=True)
    with ended(emulator):
        eventually((state / "ca.pem").exists)
        time.sleep(0.5)  # it has begun to

        emulator.send_signal(signal.SIGINT)

        assert emulator.wait(60) == 0


def test_a_signal_while_a_deployment_starts(state: Path) -> None:
    """An emulator that is told to stop stops, whatever those that it has started are at."""
    emulator = process.start(state)
    with ended(emulator):
        arm = Arm(variables(state))
        arm("PUT", f"onlineEndpoints/{ENDPOINT}/deployments/new", deployment(f"{arm.workspace}{MODEL}"))
        time.sleep(0.5)  # it has begun

        process.stop(emulator)

        assert emulator.returncode == 0


def test_start_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator that doesn't say in time that it is ready is stopped."""
    monkeypatch.setattr(process, "START_SECONDS", 0.01)

    with pytest.raises(RuntimeError, match=r"not within 0\.01 s"):
        process.start(tmp_path)

    monkeypatch.undo()
    process.stop(process.start(tmp_path))  # the folder is free


@in_loop
async def test_end_of_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noticed once: while the emulator drains, nobody looks at it any more."""
    read, write = os.pipe()
    with os.fdopen(read) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        stopped = stop_signal(with_parent=True)
        os.close(write)

        await stopped.wait()

        assert not asyncio.get_running_loop().remove_reader(stdin)


def test_no_proxy_and_no_azure_is_passed_on() -> None:
    """What could lead a client past the emulator isn't in the environment of a command."""
    kept = {"PATH": "/bin", "HOME": "/root"}
    names = [
        "http_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "REQUESTS_CA_BUNDLE",
        "AZURE_CLIENT_ID",
        "MSI_SECRET",
    ]

    assert without_azure(kept | dict.fromkeys(names, "x")) == kept


@pytest.mark.parametrize("name", ["environment.json", "environment.sh", "control.json"])
def test_files_that_were_there(tmp_path: Path, name: str) -> None:
    """A file with secrets that others could read is the owner's alone as soon as there are new secrets in it."""
    (tmp_path / name).write_text("old")
    (tmp_path / name).chmod(0o644)

    with running(tmp_path):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_shell_gets_its_environment_back(azure: dict[str, str], shell: str) -> None:
    """`leave_emulator` ends what environment.sh began: what was set is set as it was, the rest isn't."""
    file = Path(azure["SSL_CERT_FILE"]).parent / "environment.sh"
    before = {"PATH": os.environ["PATH"], "REQUESTS_CA_BUNDLE": "/my 'own' bundle"}
    lines = ["set -e", f". {file}", f". {file}", "env", "echo ---", "leave_emulator", "env", "type leave_emulator || :"]

    done = subprocess.run([shell, "-c", "\n".join(lines)], env=before, capture_output=True, text=True, check=True)

    inside, after = ({*part.splitlines()} for part in done.stdout.split("---\n"))
    assert f"REQUESTS_CA_BUNDLE={azure['REQUESTS_CA_BUNDLE']}" in inside
    assert "REQUESTS_CA_BUNDLE=/my 'own' bundle" in after
    assert not [line for line in after if line.startswith(("AZURE", "ARM_", "IDENTITY_", "SSL_CERT_FILE"))]
    assert "not found" in done.stderr + done.stdout


def test_secrets_follow_no_link(tmp_path: Path) -> None:
    """Nobody leads them into another file."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        open_private(tmp_path / "link", "w")

    assert not (tmp_path / "elsewhere").exists()


def test_one_emulator_a_folder(azure: dict[str, str]) -> None:
    """A second emulator on the state folder of a running one says so and leaves it alone."""
    state = str(Path(azure["SSL_CERT_FILE"]).parent)

    done = subprocess.run(
        [sys.executable, "-m", "azureml_emulator", "--state", state], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "is in use" in done.stderr
    assert Arm(azure)("GET", "models").status_code == 200
