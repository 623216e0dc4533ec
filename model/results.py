"""What a training leaves: its metrics, for people and workflows, and the MLflow model folder."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from dataset import NUMERIC, fail

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

# The versions are those installed: a model is served by what trained it. mlflow stays at 2.x (model/requirements.in).
INSTALLED = ["mlflow", "scikit-learn", "pandas", "numpy", "cloudpickle"]
XGBOOST_PACKAGES = {"xgboost-cpu": 'sys_platform != "darwin"', "xgboost": 'sys_platform == "darwin"'}
# A model's own environment replaces Azure's curated one, so it must bring what that has; training needs none of it.
NEEDS = Path(__file__).parents[1] / "scripts" / "azure-needs.txt"


def report(model: dict[str, float], baseline: dict[str, float], folds: str) -> None:
    """The metrics as JSON on stdout and, in a workflow, as the step's outputs and a table in its summary."""
    click.echo(json.dumps({**model, "logistic_regression": baseline}))
    rows = [("XGBoost", *model.values()), ("logistic regression", *baseline.values())]
    head = [f"| out of fold ({folds}) | AUC | accuracy | Brier score |", "|---|---|---|---|"]
    table = [*head, *("| {} | {} | {} | {} |".format(*row) for row in rows), ""]
    outputs = [f"{name}={score}" for name, score in model.items()]
    for variable, lines in (("GITHUB_OUTPUT", outputs), ("GITHUB_STEP_SUMMARY", table)):
        if path := os.environ.get(variable):
            with Path(path).open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)


def requirements() -> list[str]:
    """What serving the model takes, pinned. Written out: inferring it takes MLflow 5 s and drifts."""
    from importlib.metadata import version

    import xgboost

    xgboosts = [f"{package}=={xgboost.__version__}; {marker}" for package, marker in XGBOOST_PACKAGES.items()]
    lines = NEEDS.read_text(encoding="utf-8").splitlines()
    azures = [line.split()[0] for line in lines if "==" in line]
    return [*(f"{package}=={version(package)}" for package in INSTALLED), *xgboosts, *azures]


def save(model: Pipeline, example: pd.DataFrame, metadata: dict[str, Any], out: Path) -> None:
    """Write the MLflow model folder: the same files for the same model, but for uuid and time in MLmodel."""
    from mlflow import MlflowException
    from mlflow.models import ModelSignature
    from mlflow.sklearn import save_model
    from mlflow.types import ColSpec, Schema

    # Written out: inferred, a column with missing values would be optional, and a request without it would be accepted.
    inputs = Schema([*(ColSpec("double", name) for name in NUMERIC), ColSpec("string", "thal")])
    signature = ModelSignature(inputs, Schema([ColSpec("long")]))
    # It would warn that azureml-ai-monitoring is not installed here; it need not be.
    logging.getLogger("mlflow.utils.requirements_utils").setLevel(logging.ERROR)
    options = {"signature": signature, "input_example": example, "metadata": metadata}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".saving-") as beside:
            made = Path(beside) / "model"
            save_model(model, made, pip_requirements=requirements(), **options)
            if out.exists():
                out.rename(Path(beside) / "previous")
            made.rename(out)  # whoever looks finds all of it or none
    except (MlflowException, OSError) as error:
        raise fail(f"saving the model failed: {error}") from error
