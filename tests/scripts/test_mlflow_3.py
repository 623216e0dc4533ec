"""A model that MLflow 3 saved, in an environment of its own: the scripts here read MLmodel without any MLflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.decisions.model_folder import clean, digest
from scripts.lib.decisions.servable import check

pytestmark = pytest.mark.drill
TRAINING = """
import sys
from pathlib import Path
import mlflow, pandas as pd
from mlflow.artifacts import download_artifacts
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri(Path(sys.argv[1], "runs").as_uri())
rows = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
model = LogisticRegression().fit(rows, [0, 0, 1, 1])
with mlflow.start_run():
    logged = mlflow.sklearn.log_model(model, name="model", input_example=rows)
download_artifacts(logged.model_uri, dst_path=str(Path(sys.argv[1], "model")))
"""
LOADING = """
import sys
import mlflow, pandas as pd
print(mlflow.pyfunc.load_model(sys.argv[1]).predict(pd.DataFrame({"a": [3.0]})))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with MLflow 3, the last that Azure is said to serve."""
    folder = tmp_path_factory.mktemp("mlflow-3") / "venv"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    packages = ["mlflow==3.6.0", "scikit-learn"]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", folder / "bin/python", *packages], check=True)
    return folder / "bin/python"


def test_the_same_model_twice_is_the_same(python: Path, tmp_path: Path) -> None:
    """Its ids, places and times are no part of it, and what is uploaded without them is loaded as before."""
    folders = [tmp_path / name / "model" for name in ("one", "other")]
    for folder in folders:
        folder.mkdir(parents=True)
        subprocess.run([python, "-W", "ignore", "-c", TRAINING, folder.parent], check=True, cwd=folder.parent)

    uploaded = clean(folders[0], tmp_path / "clean")

    assert digest(folders[0]) == digest(folders[1])
    assert "model_id: m-" in (folders[0] / "MLmodel").read_text() and (folders[0] / "registered_model_meta").exists()
    assert check(folders[0]).cannot == []
    answer = subprocess.check_output([python, "-W", "ignore", "-c", LOADING, uploaded], text=True, cwd=tmp_path)
    assert answer.strip() == "[1]"
