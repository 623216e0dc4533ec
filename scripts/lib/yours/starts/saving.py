"""The MLflow model folder: all of it or none."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from fitting import write
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema

# Served by what trained it, in an environment of its own, which must bring what Azure's image has.
INSTALLED = ["mlflow", "scikit-learn", "pandas", "numpy", "cloudpickle"]
NEEDS = Path(__file__).parents[1] / "scripts" / "azure-needs.txt"


def save(model: Any, features: pd.DataFrame, columns: dict[str, str], facts: dict[str, Any], out: Path) -> None:
    """`facts` become the metadata of the file MLmodel: what reviewers and the smoke test read."""
    example = features.dropna().head(1).reset_index(drop=True)
    azures = [line.split()[0] for line in NEEDS.read_text(encoding="utf-8").splitlines() if "==" in line]
    answer = model.predict(example)
    # Of a bare array MLflow would make a tensor; one of texts has no type that Azure's scorer knows.
    answers = infer_signature(example, pd.Series(answer) if isinstance(answer, np.ndarray) else answer).outputs
    inputs = Schema([ColSpec(kind, name) for name, kind in columns.items()])  # inferred, some would be optional
    options = {
        "signature": ModelSignature(inputs, answers),
        "input_example": example,
        "pip_requirements": [*(f"{package}=={version(package)}" for package in INSTALLED), *azures],
        "metadata": facts,
    }
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".saving-") as beside:
            made = Path(beside) / "model"
            write(model, made, **options)
            if out.exists():
                out.rename(Path(beside) / "previous")
            made.rename(out)
    except (MlflowException, OSError) as error:
        raise click.ClickException(f"saving the model failed: {error}") from error
