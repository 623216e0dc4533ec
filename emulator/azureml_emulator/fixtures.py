"""Fixtures for pytest (`pytest_plugins = ["azureml_emulator.fixtures"]`): a local Azure ML, the SDK, faults."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.github.faults import missed
from azureml_emulator.github.schema import DESCRIPTION
from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.process import running, without_azure

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


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
    """The variables of a local Azure ML, which stand in the environment while the session runs.

    When it ends, its log must have no traceback: what a test did not notice fails the session.
    """
    state: Path = tmp_path_factory.mktemp("azure")
    with running(state, "--core-quota=1000") as variables:
        os.environ.update(variables)
        yield variables
        for name in variables:
            os.environ.pop(name, None)
    log = (state / "emulator.log").read_text(encoding="utf-8")
    assert "Traceback" not in log, log


@pytest.fixture(scope="session")
def client(azure: dict[str, str]) -> MLClient:
    """The unmodified SDK, connected as anyone connects."""
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
    return MLClient(DefaultAzureCredential(), *(azure[name] for name in names))


class CheckedFaults(Faults):
    """Faults of one test: those that met nothing until they were cleared are kept as `missed`."""

    def __init__(self, state: Path):
        super().__init__(state)
        self.missed: list[dict[str, Any]] = []

    def clear(self, number: int | None = None) -> None:
        self.missed += [fault for fault in self.all() if number in (None, fault["id"]) and not fault["hit"]]
        super().clear(number)


@pytest.fixture
def faults(azure: dict[str, str]) -> Iterator[Faults]:
    """What makes the local Azure ML fail; none is left behind. A test whose fault met nothing has tested nothing."""
    found = CheckedFaults(Path(azure["SSL_CERT_FILE"]).parent)
    yield found
    found.clear()
    assert not found.missed, "these faults met nothing"


@pytest.fixture
def github() -> Iterator[LocalGitHub]:
    """A local GitHub, whose every answer must be as GitHub's description says, and whose faults must meet something."""
    with LocalGitHub("local/rollout") as local:
        yield local
    for answer in local.answers:
        assert DESCRIPTION.wrong_answer(*answer) == [], answer
    assert not missed(local.faults), "these faults met nothing"
