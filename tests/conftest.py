"""What the tests share besides the emulator's fixtures: the model that this repository trains."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lib.github import again
from tests.support import ROOT

pytest_plugins = ["azureml_emulator.fixtures"]

#: The files that take longest start first, so that the other workers fill up the time.
LONGEST = [
    "promises/test_azure_misbehaves.py",
    "scripts/test_deploy.py",
    "workflows/test_rollout.py",
    "promises/test_interruptions.py",
    "scripts/test_doctor.py",
    "scripts/test_traffic.py",
    "scripts/test_promote.py",
    "model/test_saved_model.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get("/".join(item.path.parts[-2:]), len(order)))


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """A test leaves the folder as it found it: what comes next in its process reads files by relative paths."""
    before = Path.cwd()
    yield
    left = Path.cwd()
    os.chdir(before)
    assert left == before, "monkeypatch.context() goes back before a fixture does that has a folder of its own"


@pytest.fixture(autouse=True)
def impatient(tidy: None, monkeypatch: pytest.MonkeyPatch) -> None:  # in this order: monkeypatch goes back first
    """GitHub's troubles that don't end are given up within a second; test_github_again.py holds the real times."""
    monkeypatch.setattr(again, "PATIENCE", 1.0)
    monkeypatch.setattr(again, "FIRST", 0.1)
    monkeypatch.setattr(again, "LIMITED", 0.2)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of this repository as `model/train.py` writes it."""
    if not (ROOT / "model/train.py").exists():
        pytest.skip("this repository trains no model")
    folder: Path = tmp_path_factory.mktemp("trained")
    command = [sys.executable, "model/train.py", "--out", str(folder / "model")]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return folder / "model"
