"""Saves models of many kinds, by MLflow, each in a folder of its name: python -m tests.support.model_kinds FOLDER.

A process of its own, since importing MLflow warns.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from mlflow import pyfunc, sklearn
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from sklearn.linear_model import LogisticRegression, Ridge

X = [[0.5, 1.0], [1.5, 3.0], [2.5, 4.0], [3.5, 8.0]]
PINS = ["mlflow==2.22.5", "azureml-inference-server-http==1.5.1", "azureml-ai-monitoring==1.0.0"]
CODE = """
import mlflow.pyfunc
import pandas as pd


class Shares(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        late = pd.to_datetime(model_input["since"]) > pd.Timestamp("2023-01-01")
        stays = (late & model_input["active"]).astype(float) * (params or {}).get("most", 1.0)
        return pd.DataFrame({"stays": stays, "leaves": 1 - stays})


class Words(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [{"label": "long" if len(text) > 3 else "short", "score": 0.5} for text in model_input["text"]]


class Sums(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["a"].sum(axis=1) + model_input["b"]


class Anything(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [1.5] * len(model_input)
"""


def columns(**kinds: Any) -> Schema:
    return Schema([ColSpec(kind, name) for name, kind in kinds.items()])


def tensor(*shape: int, name: str | None = None) -> TensorSpec:
    return TensorSpec(np.dtype("float64"), shape, name)


def main(folder: Path) -> None:
    """Save them all."""
    frame = pd.DataFrame(X * 10, columns=["a", "b"])
    ridge = Ridge().fit(frame, [1.5, 2.5, 3.5, 4.5] * 10)
    logistic = LogisticRegression().fit(np.array(X), [0, 0, 1, 1])
    trees = LGBMClassifier(n_estimators=3, verbose=-1).fit(frame, ["low", "low", "high", "high"] * 10)
    of_trees: Any = {"metadata": {"labels": ["low", "high"]}}
    for name, model, x, predict, more in (
        ("regression", ridge, frame, "predict", {"input_example": frame.head(1)}),
        ("tensor", logistic, np.array(X), "predict_proba", {}),
        ("words", trees, frame, "predict", of_trees),
    ):
        signature = infer_signature(x, getattr(model, predict)(x))
        sklearn.save_model(
            model, folder / name, signature=signature, pip_requirements=PINS, pyfunc_predict_fn=predict, **more
        )
    code = folder / "kinds_of_models.py"
    code.write_text(CODE)
    sys.path.insert(0, str(folder))
    classes = importlib.import_module(code.stem)
    customers = columns(since="datetime", active="boolean", spent="double")
    shares, label = columns(stays="double", leaves="double"), columns(label="string", score="double")
    named = Schema([tensor(-1, 2, name="a"), tensor(-1, name="b")])
    for name, made, signature in (
        ("table", "Shares", ModelSignature(customers, shares, ParamSchema([ParamSpec("most", "double", 1.0)]))),
        ("text", "Words", ModelSignature(columns(text="string"), label)),
        ("named-tensors", "Sums", ModelSignature(named, Schema([tensor(-1)]))),
        ("bare", "Anything", None),
    ):
        own: Any = {"python_model": getattr(classes, made)(), "code_paths": [str(code)], "pip_requirements": PINS}
        pyfunc.save_model(folder / name, signature=signature, **own)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
