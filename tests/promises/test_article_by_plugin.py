"""Microsoft's article once more, by MLflow's plugin for Azure ML (azureml-mlflow), in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.scripts import SAMPLE, toy_model

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

HERE = Path(__file__).parent
pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with the plugin's packages: it wants an older azure-storage-blob than the SDK."""
    folder = tmp_path_factory.mktemp("plugin") / "venv"
    uv = [Path(sys.executable).with_name("uv")]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    packages = ["--require-hashes", "--requirement", HERE / "plugin-packages.txt"]
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", folder / "bin/python", *packages], check=True)
    return folder / "bin/python"


def test_every_step_by_the_plugin(python: Path, azure: dict[str, str], client: MLClient, tmp_path: Path) -> None:
    """Register, endpoint, blue, predict, green by name, 90/10, 0/100, delete: as the SDK does it, by the same names."""
    tracking = client.workspaces.get(client.workspace_name).mlflow_tracking_uri
    model, sample = toy_model(tmp_path / "model"), tmp_path / "sample.json"
    sample.write_text(json.dumps(SAMPLE))

    ran = subprocess.run(
        [python, "-W", "ignore", HERE / "article_by_plugin.py", tracking, model, sample],
        cwd=tmp_path,
        env={**os.environ, **azure},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1].lstrip("."))
    assert found.pop("answer") == found.pop("green's answer") != []
    assert found == {
        "first": "1",
        "endpoint": "by-plugin",
        "all on blue": {"default": 100},
        "second": "2",
        "newest": 2,
        "a tenth on green": {"default": 90, "xgboost-model-2": 10},
        "all on green": {"default": 0, "xgboost-model-2": 100},
        "deployments": ["xgboost-model-2"],
    }
