"""What the tests share: one local Azure ML, and its variables in the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emulator.fault_command import Faults
from emulator.github import LocalGitHub
from emulator.github_schema import wrong_answer
from emulator.process import ROOT, running, without_azure

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


#: The files that take longest start first, so that the other workers fill up the time.
LONGEST = [
    "test_workflows.py",
    "test_make_it_yours.py",
    "test_levers.py",
    "test_interruptions.py",
    "test_drills.py",
    "test_scripts_faults.py",
    "test_scripts_deploy.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def outside() -> Iterator[dict[str, str]]:
    """The environment before: no test reaches a real Azure, GitHub's files or a proxy, unless it takes this one."""
    before = dict(os.environ)
    for name in set(before) - set(without_azure(before)) | {name for name in before if name.startswith("GITHUB_")}:
        del os.environ[name]
    yield before
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a local Azure ML, which stand in the environment while the session runs."""
    state: Path = tmp_path_factory.mktemp("azure")
    with running(state, "--core-quota=1000") as variables:
        os.environ.update(variables)
        yield variables
        for name in variables:
            os.environ.pop(name, None)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The heart-disease model as `model/train.py` writes it."""
    folder: Path = tmp_path_factory.mktemp("trained")
    command = [sys.executable, "model/train.py", "--out", str(folder / "model")]
    environ = {**os.environ, "MLFLOW_TRACKING_URI": (folder / "mlruns").as_uri()}
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environ)
    return folder / "model"


@pytest.fixture(scope="session")
def client(azure: dict[str, str]) -> MLClient:
    """The unmodified SDK, connected as anyone connects."""
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
    return MLClient(DefaultAzureCredential(), *(azure[name] for name in names))


@pytest.fixture
def faults(azure: dict[str, str]) -> Iterator[Faults]:
    """What makes the local Azure ML fail; none is left behind."""
    found = Faults(Path(azure["SSL_CERT_FILE"]).parent)
    yield found
    found.clear()


@pytest.fixture
def github() -> Iterator[LocalGitHub]:
    """A local GitHub, whose every answer must be as GitHub's description says."""
    with LocalGitHub("local/rollout") as local:
        yield local
    for answer in local.answers:
        assert wrong_answer(*answer) == [], answer
