"""What the tests share besides the emulator's fixtures: the model that this repository trains."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

pytest_plugins = ["azureml_emulator.fixtures"]

#: The files that take longest start first, so that the other workers fill up the time.
LONGEST = [
    "workflows/test_rollout.py",
    "template/test_make_it_yours.py",
    "workflows/test_levers.py",
    "promises/test_interruptions.py",
    "workflows/test_drills.py",
    "promises/test_azure_misbehaves.py",
    "scripts/test_deploy.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get("/".join(item.path.parts[-2:]), len(order)))


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The heart-disease model as `model/train.py` writes it."""
    folder: Path = tmp_path_factory.mktemp("trained")
    command = [sys.executable, "model/train.py", "--out", str(folder / "model")]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return folder / "model"
