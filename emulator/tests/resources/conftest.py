"""What the tests of metrics and of the log share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.process import running
from azureml_emulator.testing import Arm, toy_model
from tests.support.served import register, serve
from tests.support.watched import MINUTE


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fast")


@pytest.fixture(scope="module")
def fast(state: Path) -> Iterator[Arm]:
    """An Azure whose minutes are short, with an endpoint of two deployments; the SDK is led to it."""
    with running(state, f"--minute={MINUTE}") as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        arm = Arm(variables)
        serve(arm, "watched", register(arm, "watched", toy_model(state / "toy")), "blue", "green")
        yield arm


@pytest.fixture
def faulty(state: Path, fast: Arm) -> Iterator[Faults]:
    found = Faults(state)
    yield found
    assert all(fault["hit"] for fault in found.all()), "these faults met nothing"
    found.clear()
