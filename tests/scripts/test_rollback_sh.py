"""scripts/rollback.sh: going back with az and jq alone, by the endpoint's own record."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from azureml_emulator.workflows import az
from scripts.lib.azure import endpoint
from scripts.lib.github.provenance import rollout_id
from tests.support import ROOT
from tests.support.scripts import GREEN, Live, pair_endpoint, restore, write

MINE, OTHERS = "us/heart/actions/runs/1/attempts/1", "us/heart/actions/runs/2/attempts/1"
BACK = {"default": 100}
PLACE = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    az.install(folder := tmp_path_factory.mktemp("az") / "bin")
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="module")
def pair(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with pair_endpoint(tmp_path_factory.mktemp("pair"), "without-python", {"answer": 0}, {"answer": 1}) as live:
        yield live


@pytest.fixture
def live(azure: dict[str, str], pair: Live, monkeypatch: pytest.MonkeyPatch) -> Live:
    """It with all traffic on `default`. The scripts' own rollback, to compare with, doesn't look for long."""
    monkeypatch.setattr(endpoint, "STEADY", 0.5)
    restore(Arm(azure), pair)
    return pair


def back(live: Live, path: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": path, "PAUSE": "0.2", "ENDPOINT_NAME": live.name, **environ}
    command = ["bash", str(ROOT / "scripts/rollback.sh"), *arguments]
    return subprocess.run(command, env=env, text=True, capture_output=True, check=False, timeout=100)


def test_goes_back(live: Live, path: str, azure: dict[str, str]) -> None:
    """Blue has all traffic, and the scripts read what was recorded as if it were their own."""
    live.do("promote", "--percent", 50)
    before = live.show()

    result = back(live, path)

    assert (result.returncode, live.traffic) == (0, BACK), result.stderr
    after = live.show()
    assert (after["blue"], after["green"]) == (before["blue"], before["green"])
    assert Arm(azure)("GET", f"onlineEndpoints/{live.name}").json()["tags"]["rollout-split"] == "default=100 50"
    assert "rolled back from 50 %" in live.deployments[GREEN]["learnt"]
    assert "already there" in live.run("rollback").stderr


def test_keeps_what_it_does_not_mean(live: Live, path: str, azure: dict[str, str]) -> None:
    """Description, identity, other tags and network access stay as they are."""
    arm, at = Arm(azure), f"onlineEndpoints/{live.name}"
    live.do("promote", "--percent", 50)
    kept = arm("GET", at).json()
    kept["tags"]["team"] = "hearts"
    kept["properties"]["description"] = "of hearts"
    arm.settle(arm("PUT", at, kept))
    before = arm("GET", at).json()

    back(live, path)

    after = arm("GET", at).json()
    for document in (before, after):
        del document["properties"]["properties"]["AzureAsyncOperationUri"]  # the service's own, of the last operation
    changed = {"traffic", "provisioningState"}
    assert after["tags"]["team"] == "hearts"
    assert after.get("identity") == before.get("identity")
    for name in before["properties"].keys() - changed:
        assert after["properties"][name] == before["properties"][name], name


@pytest.mark.parametrize(
    ("promoted", "split", "rollout", "code", "traffic"),
    [
        pytest.param(MINE, None, MINE, 0, BACK, id="its own split"),
        pytest.param(MINE, None, OTHERS, 0, {"default": 50, GREEN: 50}, id="another rollout's"),
        pytest.param(MINE, {"default": 70, GREEN: 30}, MINE, 0, {"default": 70, GREEN: 30}, id="a stranger's"),
        pytest.param(MINE, {"default": 70, GREEN: 30}, "", 0, BACK, id="a stranger's, by hand"),
        pytest.param(MINE, {}, "", 0, BACK, id="nobody's, by hand"),
    ],
)
def test_whose_split(
    live: Live, path: str, azure: dict[str, str], promoted: str, split: dict[str, int] | None, rollout: str,
    code: int, traffic: dict[str, int],
) -> None:  # fmt: skip
    """A rollout takes back only the split that it wrote; by hand any is taken back. The scripts decide likewise."""
    live.do("promote", "--percent", 50, "--rollout", promoted)
    if split is not None:
        write(Arm(azure), live, split)

    result = back(live, path, *(["--own", rollout] if rollout else []))

    assert (result.returncode, live.traffic) == (code, traffic), result.stderr
    own = ["--own", "--rollout", rollout] if rollout else []
    assert json.loads(live.do("rollback", *own)) == traffic


def test_does_not_go_back_twice(live: Live, path: str) -> None:
    """Once back, it stays: nobody is led on to the version before."""
    live.do("promote", "--percent", 100)

    for _ in range(2):
        result = back(live, path)
        assert (result.returncode, live.traffic) == (0, BACK), result.stderr


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ({"rollout-split": ""}, "nothing tells what served before"),
        ({"rollout-blue": "default 2020-01-01T00:00:00.000000+00:00 1"}, "default, which served before, is gone"),
        ({"rollout-blue": ""}, "nothing tells what served before"),
    ],
)
def test_no_way_back(live: Live, path: str, azure: dict[str, str], spoil: dict[str, str], says: str) -> None:
    """Where the record doesn't tell, or tells of one that is gone, the split stays, and it is red."""
    live.do("promote", "--percent", 50)
    tags = {**Arm(azure)("GET", f"onlineEndpoints/{live.name}").json()["tags"], **spoil}
    write(Arm(azure), live, {"default": 50, GREEN: 50}, tags)

    result = back(live, path)

    assert (result.returncode, live.traffic) == (1, {"default": 50, GREEN: 50})
    assert says in result.stderr


def test_goes_on(live: Live, path: str, faults: Faults) -> None:
    """What Azure refuses for a moment is asked again, from a new look."""
    live.do("promote", "--percent", 50)
    at = f"*/onlineEndpoints/{live.name}"
    faults.add("refuse", method="GET", path=at, status=503, times=2)
    faults.add("refuse", method="PUT", path=at, status=409, times=1)

    result = back(live, path)

    assert (result.returncode, live.traffic) == (0, BACK), result.stderr


@pytest.mark.parametrize("repository", ["us/heart", f"{'o' * 39}/{'r' * 100}"], ids=["short", "longest"])
def test_tells(live: Live, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: str) -> None:
    """In a workflow the summary says how it ended, and the record names the run, as the scripts do."""
    live.do("promote", "--percent", 50)
    monkeypatch.setenv("GITHUB_REPOSITORY", repository)
    monkeypatch.setenv("GITHUB_RUN_ID", "7")

    back(live, path, GITHUB_STEP_SUMMARY=str(tmp_path / "summary"))

    assert "default 100 %" in (tmp_path / "summary").read_text()
    assert live.show()["record"]["rollout"] == rollout_id()
    assert rollout_id().endswith("/actions/runs/7/attempts/1")


@pytest.mark.parametrize("arguments", [["--own", ""], ["--own"], ["default"]])
def test_usage(live: Live, path: str, arguments: list[str]) -> None:
    """A rollout's job whose id got lost doesn't go back as a person would."""
    result = back(live, path, *arguments)

    assert (result.returncode, "Usage" in result.stderr) == (2, True)


def test_nowhere(live: Live, path: str) -> None:
    """What is missing of the place is named, with exit code 2."""
    result = back(live, path, AZURE_ML_WORKSPACE="")

    assert (result.returncode, "AZURE_ML_WORKSPACE" in result.stderr) == (2, True)


def test_in_cloud_shell(live: Live, path: str, tmp_path: Path) -> None:
    """Each promotion's summary ends with the same lines, filled in: pasted where nothing is set they go back."""
    summary = tmp_path / "summary"
    live.do("promote", "--percent", 50, GITHUB_STEP_SUMMARY=str(summary))
    lines = re.findall(r"```bash\n(.*?)\n```\n\n</details>\n\n\Z", summary.read_text(), re.DOTALL)
    bare = {name: value for name, value in os.environ.items() if name not in PLACE and name != "ENDPOINT_NAME"}

    subprocess.run(["bash"], input=lines[0], env={**bare, "PATH": path, "PAUSE": "0.2"}, text=True, check=True)

    assert live.traffic == BACK
