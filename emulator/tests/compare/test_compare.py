"""`azureml-emulator compare` between two emulators, of which one stands for the real Azure."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from azureml_emulator.__main__ import main
from azureml_emulator.compare.replay import toy
from azureml_emulator.faults.client import Faults
from azureml_emulator.process import stop, variables, without_azure
from azureml_emulator.serving.needs import lacking
from azureml_emulator.testing import Arm, endpoint

Call = dict[str, Any]
COMPARE = [sys.executable, "-m", "azureml_emulator", "compare"]


def environment(azure: dict[str, str]) -> dict[str, str]:
    return without_azure(os.environ) | azure


def compare(azure: dict[str, str], *options: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    command = [*COMPARE, *options]
    return subprocess.run(command, env=environment(azure), stdin=stdin, capture_output=True, text=True, check=False)


def left(azure: dict[str, str]) -> tuple[list[str], list[str]]:
    """The comparisons' endpoints, and the versions of their models that aren't archived."""
    arm = Arm(azure)
    endpoints, models = (
        [item["name"] for item in arm("GET", path).json()["value"] if item["name"].startswith("compare-")]
        for path in ("onlineEndpoints", "models")
    )
    return endpoints, [it["id"] for name in models for it in arm("GET", f"models/{name}/versions").json()["value"]]


class Compared(NamedTuple):
    """What was compared with an emulator that answers otherwise, and what it said that nobody else may know."""

    done: subprocess.CompletedProcess[str]
    trace: Path
    secrets: set[str]
    left: tuple[list[str], list[str]]

    @property
    def local(self) -> Path:
        return self.trace.with_name(f"{self.trace.name}.local")


@pytest.fixture(scope="module")
def compared(outside: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Its workspace has another name than the local one."""
    folder = tmp_path_factory.mktemp("compare")
    with otherwise(folder / "azure", "--workspace=jane-doe", "--trace", str(folder / "all.jsonl")) as azure:
        done = compare(azure, "--yes", "--trace", str(folder / "azure.jsonl"))
        parts = {part for call in calls(folder / "all.jsonl") for part in call["path"].split("/") if "." not in part}
        secrets = {part for part in parts if part.startswith("compare-") or len(part) > 30}  # operations, digests
        secrets |= {azure["AZURE_AUTHORITY_HOST"].removeprefix("https://"), azure["IDENTITY_HEADER"], "jane-doe"}
        return Compared(done, folder / "azure.jsonl", secrets | {azure["AZURE_SUBSCRIPTION_ID"]}, left(azure))


@contextmanager
def otherwise(state: Path, *options: str) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "tests.support.otherwise", "--state", str(state), "--with-parent", *options]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout and process.stdout.readline()
        yield variables(state)
    finally:
        stop(process)


def calls(trace: Path) -> list[Call]:
    """Without those that lead to a token."""
    found = [json.loads(line) for line in trace.read_text().splitlines()]
    return [it for it in found if not it["path"].startswith(("/msi", "/metadata"))]


def test_what_differs_is_printed(compared: Compared) -> None:
    """A status, an error's code, a missing key, another type and an additional key: each is found, nothing else."""
    assert compared.done.stdout.splitlines() == [
        "GET …/onlineEndpoints/<own>  body.error.code: 'Gone' in Azure, 'ResourceNotFound' here  (2 times)",
        "POST …/onlineEndpoints/<own>/listKeys  body.secondaryKey: here alone, a text  (4 times)",
        "GET …/onlineEndpoints/<own>/deployments/green  body.properties.colour: in Azure alone, a text  (2 times)",
        "POST …/onlineEndpoints/<own>/deployments/green/getLogs  body.content: a number in Azure, a text here",
        "GET …/onlineEndpoints/<own>/deployments/none  status: 410 in Azure, 404 here",
    ]
    assert compared.done.returncode == 1


def test_what_was_made_is_gone(compared: Compared) -> None:
    """It says before what it makes and takes, and after what stays: archived versions of a model."""
    assert compared.left == ([], [])
    assert "two deployments of one Standard_DS3_v2 each, together for about 40 minutes" in compared.done.stderr
    assert "What stays: 2 archived versions of the model compare-" in compared.done.stderr


def test_every_call_is_seen(compared: Compared) -> None:
    """The trace has all that the other side was asked until the last step: polls, blobs and scoring too."""
    traces = (compared.trace.with_name("all.jsonl"), compared.trace)
    asked, told = ([(call["method"], call["status"]) for call in calls(trace)] for trace in traces)
    paths = " ".join(call["path"] for call in calls(compared.trace))

    assert len(told) > 100 and Counter(asked[: len(told)]) == Counter(told)
    assert [it for it in ("mfeOperationsStatus", "/LocalUpload/", "/score", "/getLogs") if it not in paths] == []


def test_the_trace_tells_nothing(compared: Compared) -> None:
    """Names, ids and addresses are in neither trace, which only their owner may read."""
    for path in (compared.trace, compared.local):
        assert [secret for secret in compared.secrets if secret in path.read_text()] == []
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(compared.secrets) > 10


def test_against_a_kept_trace(compared: Compared) -> None:
    """A kept trace is compared without Azure: no variable names one. Of what answers alike, nothing differs."""
    done = compare({}, "--against", str(compared.local))

    assert (done.stdout, done.returncode) == ("Nothing differs.\n", 0), done.stderr


def test_the_model(tmp_path: Path) -> None:
    """The toy's environment has what Azure's container is known to need."""
    assert list(lacking(toy(tmp_path, "mine") / "conda.yaml")) == []


def test_a_refusal(azure: dict[str, str], faults: Faults) -> None:
    """Where Azure refuses to create, that is said, nothing is compared, and what was made is taken away."""
    faults.add("refuse", method="PUT", path="*/onlineEndpoints/compare-*", like="ScopeLocked", times=1)

    done = compare(azure, "--yes")

    assert "Azure says: (ScopeLocked)" in done.stderr and "Traceback" not in done.stderr
    assert (done.returncode, done.stdout, left(azure)) == (1, "", ([], []))


@pytest.fixture
def midway(azure: dict[str, str], faults: Faults) -> Iterator[subprocess.Popen[str]]:
    """A comparison whose first deployment is being made."""
    added = faults.add("hang", method="PUT", path="*/deployments/blue", times=1)
    with subprocess.Popen([*COMPARE, "--yes"], env=environment(azure), stderr=subprocess.PIPE, text=True) as process:
        assert faults.get(added["id"], wait=60)["hit"]
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped(azure: dict[str, str], faults: Faults, midway: subprocess.Popen[str], number: int) -> None:
    """Ctrl-C or a cancelled workflow ends it as soon as Azure lets it delete what it made."""
    midway.send_signal(number)
    assert midway.stderr and any("Azure is busy" in line for line in midway.stderr)  # the deployment isn't done
    faults.clear()

    _, said = midway.communicate(timeout=120)

    assert "Error: stopped." in said and "Traceback" not in said
    assert (midway.returncode, left(azure)) == (1, ([], []))


def test_clean(azure: dict[str, str], faults: Faults, midway: subprocess.Popen[str]) -> None:
    """What a killed comparison left is deleted, once asked and told; what only has such a name stays."""
    Arm(azure)("PUT", "onlineEndpoints/compare-mine", endpoint())
    midway.kill()
    midway.wait()
    faults.clear()

    refused = compare(azure, "--clean")
    there = left(azure)
    done = compare(azure, "--clean", "--yes")

    assert refused.returncode == 2 and len(there[0]) == 2 and len(there[1]) == 1
    assert done.returncode == 0 and "What stays: 1 archived versions" in done.stderr
    assert left(azure) == (["compare-mine"], [])
    assert "left nothing" in compare(azure, "--clean").stdout
    Arm(azure)("DELETE", "onlineEndpoints/compare-mine")


@pytest.mark.parametrize(
    ("options", "reason"),
    [([], "say --yes"), (["--against", "nowhere"], "is no trace"), (["--yes"], "set AZURE_RESOURCE_GROUP: ")],
)
def test_wrong_usage(monkeypatch: pytest.MonkeyPatch, options: list[str], reason: str) -> None:
    """Without a terminal and --yes, with a trace that is none, or without a workspace, the exit code is 2."""
    given = {"AZURE_SUBSCRIPTION_ID": "a", "AZURE_RESOURCE_GROUP": "", "AZURE_ML_WORKSPACE": "a"}
    for name, value in given.items():
        monkeypatch.setenv(name, value if options == ["--yes"] else "a")

    done = CliRunner().invoke(main, ["compare", *options])

    assert (done.exit_code, reason in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"method": "GET"', "\xff"])
def test_no_trace(tmp_path: Path, content: str) -> None:
    """What isn't a trace is said to be none."""
    (tmp_path / "a").write_text(content, encoding="latin-1")

    done = CliRunner().invoke(main, ["compare", "--against", str(tmp_path / "a")])

    assert (done.exit_code, "is no trace" in done.stderr) == (2, True), done.stderr


def test_without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it isn't installed it says what brings it."""
    monkeypatch.setattr("sys.path", [])

    done = CliRunner().invoke(main, ["compare"])

    assert (done.exit_code, "pip install 'azureml-emulator[testing]'" in done.stderr) == (2, True), done.stderr


def test_declined(azure: dict[str, str], faults: Faults) -> None:
    """Who declines has made no call."""
    faults.forget()
    terminal, stdin = pty.openpty()
    os.write(terminal, b"n\n")

    done = compare(azure, stdin=stdin)

    asked = [call["path"] for call in faults.calls() if "/mfeOperations" not in call["path"]]  # of killed ones, before
    assert (done.returncode, asked) == (2, [])
    assert "Go on?" in done.stderr
