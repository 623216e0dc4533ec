"""Models as people have them, saved by their libraries: `python -m tests.support.libraries NAME FOLDER` saves one.

It prints, as JSON, a request's body and what `predict` answers to it. A program of its own, since MLflow pickles the
classes of one by value, and since libraries warn of each other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import mlflow.lightgbm
import mlflow.pyfunc
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pandas as pd
import xgboost
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

IRIS = load_iris(as_frame=True)
DIABETES = load_diabetes()
Made = tuple[Any, dict[str, Any]]  # what `predict` answers, and the body of a request for it


def rows(frame: pd.DataFrame) -> dict[str, Any]:
    return json.loads(frame.to_json(orient="split"))


def iris_by_lightgbm(folder: Path) -> Made:
    """The flavor of its own, with a frame as example: probabilities."""
    data = lightgbm.Dataset(IRIS.data, IRIS.target)
    model = lightgbm.train({"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}, data, 5)
    few = IRIS.data.head(3)
    mlflow.lightgbm.save_model(model, folder, input_example=few, signature=infer_signature(few, model.predict(few)))
    return model.predict(few), {"input_data": rows(few)}


def iris_as_text(folder: Path) -> Made:
    """scikit-learn's classifier in LightGBM, which answers names."""
    names = IRIS.target.map(dict(enumerate(IRIS.target_names)))
    model = lightgbm.LGBMClassifier(n_jobs=1, verbose=-1).fit(IRIS.data, names)
    few = IRIS.data.iloc[[0, 60, 120]]
    mlflow.sklearn.save_model(model, folder, signature=infer_signature(few, model.predict(few)))
    return model.predict(few), {"input_data": rows(few)}


def iris_by_xgboost(folder: Path) -> Made:
    """The flavor of its own."""
    model = xgboost.XGBClassifier(n_jobs=1).fit(IRIS.data, IRIS.target)
    few = IRIS.data.tail(3)
    mlflow.xgboost.save_model(model, folder, signature=infer_signature(few, model.predict(few)))
    return model.predict(few), {"input_data": rows(few)}


def diabetes_on_an_array(folder: Path) -> Made:
    """A regression that never saw a name, with an array as example: MLflow writes that so that Azure can't use it."""
    model, few = LinearRegression().fit(DIABETES.data, DIABETES.target), DIABETES.data[:2]
    mlflow.sklearn.save_model(model, folder, input_example=few, signature=infer_signature(few, model.predict(few)))
    return model.predict(few), {"input_data": few.tolist()}


def diabetes_without_a_word(folder: Path) -> Made:
    """Neither signature nor example."""
    model = LinearRegression().fit(DIABETES.data, DIABETES.target)
    mlflow.sklearn.save_model(model, folder)
    return model.predict(DIABETES.data[:2]), {"input_data": DIABETES.data[:2].tolist()}


def texts_and_numbers(folder: Path) -> Made:
    """A pipeline over columns of two kinds."""
    frame = pd.DataFrame({"colour": ["red", "blue", "red", "green"], "size": [1.0, 2.5, 3.0, 0.5]})
    steps = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["colour"]), remainder="passthrough")
    model = make_pipeline(steps, LogisticRegression()).fit(frame, [0, 1, 0, 1])
    mlflow.sklearn.save_model(model, folder, input_example=frame, signature=infer_signature(frame, np.array([0])))
    return model.predict(frame), {"input_data": rows(frame)}


class Beams(mlflow.pyfunc.PythonModel):
    """A model with a parameter."""

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        return model_input["x"] * (params or {})["beams"]


def with_parameters(folder: Path) -> Made:
    """One that a request sets, beside the input."""
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    mlflow.pyfunc.save_model(
        folder, python_model=Beams(), signature=infer_signature(frame, frame["x"], params={"beams": 2})
    )
    return [{"x": 3.0}, {"x": 6.0}], {"input_data": rows(frame), "params": {"beams": 3}}


class Sums(mlflow.pyfunc.PythonModel):
    """A model of named tensors."""

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        return model_input["a"] + model_input["b"]


def named_tensors(folder: Path) -> Made:
    """Two of them, by name."""
    pair = {"a": np.array([[1.0, 2.0]]), "b": np.array([[3.0, 4.0]])}
    mlflow.pyfunc.save_model(folder, python_model=Sums(), signature=infer_signature(pair, pair["a"]))
    return pair["a"] + pair["b"], {"input_data": {name: values.tolist() for name, values in pair.items()}}


MAKERS: dict[str, Callable[[Path], Made]] = {
    make.__name__.replace("_", " "): make
    for make in (
        iris_by_lightgbm,
        iris_as_text,
        iris_by_xgboost,
        diabetes_on_an_array,
        diabetes_without_a_word,
        texts_and_numbers,
        with_parameters,
        named_tensors,
    )
}

if __name__ == "__main__":
    expected, body = MAKERS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({"expected": np.asarray(expected).tolist(), "body": body}))
