"""How the model is made and judged: gradient-boosted trees that predict a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.sklearn import save_model
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

FOLDS = 5
LOWER_IS_BETTER = ("rmse", "mae")


def make(columns: dict[str, str], seed: int) -> Pipeline:
    """Raw columns to a number, of scikit-learn's classes alone. Missing values and unknown texts are scored, too."""
    texts = [name for name, kind in columns.items() if kind == "string"]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    trees = HistGradientBoostingRegressor(max_features=0.8, random_state=seed)  # a share, so that the seed matters
    return make_pipeline(make_column_transformer((codes, texts), remainder="passthrough"), trees)


def evaluate(features: pd.DataFrame, target: pd.Series, columns: dict[str, str], seed: int) -> dict[str, float]:
    """Root mean squared error and mean absolute error, in the target's unit, and R², out of fold."""
    scoring = {"rmse": "neg_root_mean_squared_error", "mae": "neg_mean_absolute_error", "r2": "r2"}
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    scores = cross_validate(make(columns, seed), features, target, cv=folds, scoring=scoring, error_score="raise")
    means = {name: float(scores[f"test_{name}"].mean()) for name in scoring}
    return {name: -mean if name in LOWER_IS_BETTER else mean for name, mean in means.items()}


def said_of(_target: pd.Series) -> dict[str, Any]:
    """Numbers: endpoints/ may say in which range."""
    return {}


def write(model: Pipeline, folder: Path, **options: Any) -> None:
    save_model(model, folder, **options)
